"""The audit file as people read it."""

from __future__ import annotations

from mailtop.report.audit import told

FACT = {
    "fact": "outcome", "at": 1_795_495_300.0, "by": "ann", "action": "queue.release", "target": "mail1/postfix",
    "count": 200, "fates": {"done": 198, "gone": 2}, "plan": "p2", "undoes": "rp1",
}  # fmt: skip


def test_a_line_tells_who_did_what_to_how_many_and_what_it_takes_back() -> None:
    words = told(FACT)

    assert words.endswith("ann  queue.release  mail1/postfix  200 messages  198 done, 2 gone  plan p2  takes back rp1")


def test_an_act_of_its_own_takes_nothing_back() -> None:
    assert "takes back" not in told(FACT | {"undoes": ""})


def test_an_act_on_a_destination_names_it_before_and_after() -> None:
    fact = FACT | {"action": "destination.pause", "count": 1, "undoes": "", "fates": {"done": 1}}

    outcome, intent = told(fact | {"outcomes": [["bigmail.test", "done", ""]]}), told(fact | {"domain": "bigmail.test"})

    assert "destination.pause  mail1/postfix  bigmail.test  1 done" in outcome
    assert "destination.pause  mail1/postfix  bigmail.test" in intent
    assert "messages" not in outcome + intent
