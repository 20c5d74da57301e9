from __future__ import annotations

from mailtop.metrics.store import Store, key_of
from mailtop.model.sample import Kind, Sample

QUEUE = Sample("postfix_queue_messages", 3.0, (("queue", "deferred"),))
KEY = "mail1/postfix:postfix_queue_messages{queue=deferred}"


def test_a_sample_is_found_by_target_name_and_labels() -> None:
    store = Store()
    store.put("mail1/postfix", [QUEUE], at=100.0)

    assert key_of("mail1/postfix", QUEUE.key) == KEY
    assert store.latest(KEY) == (3.0, 100.0)
    series = store.series(KEY, seconds=2, now=100.0)
    assert (series.key, series.start, series.step, series.values) == (KEY, 99.0, 1.0, (None, 3.0))


def test_what_was_never_measured_is_empty_and_not_zero() -> None:
    store = Store()

    assert store.latest(KEY) is None
    assert store.rate(KEY) is None
    assert store.total(KEY, 60, 100.0) is None
    assert store.series(KEY, 60, 100.0).values == ()


def test_a_samples_own_time_counts() -> None:
    store = Store()
    store.put("mail1/postfix", [Sample("up", 1.0, at=98.0)], at=100.0)

    assert store.latest("mail1/postfix:up") == (1.0, 98.0)


def test_totals_come_back_as_rates() -> None:
    store = Store()
    for at, value in ((100.0, 10.0), (101.0, 14.0)):
        store.put("mail1", [Sample("seen_total", value, kind=Kind.TOTAL)], at)

    assert store.series("mail1:seen_total", 1, 101.0).values == (4.0,)
    assert store.rate("mail1:seen_total") == (4.0, 101.0)
    assert store.latest("mail1:seen_total") == (14.0, 101.0)
    assert store.total("mail1:seen_total", 60, 101.0) == 4.0


def test_keys_are_listed_by_target_and_name() -> None:
    store = Store()
    store.put("mail1/postfix", [QUEUE, Sample("up", 1.0)], at=1.0)
    store.put("mail2/postfix", [QUEUE], at=1.0)

    assert list(store.keys("mail1/postfix", "postfix_queue_messages")) == [KEY]
    assert len(list(store.keys(name="postfix_queue_messages"))) == 2

    store.forget("mail1/postfix")
    assert len(store) == 1


def test_the_store_is_bounded_and_the_longest_silent_goes_first() -> None:
    store = Store(most=2)
    for number, name in enumerate(("a", "b", "a", "c")):
        store.put("mail1", [Sample(name, 1.0)], at=float(number))

    assert sorted(store.keys()) == ["mail1:a", "mail1:c"]
    assert store.dropped == 1
