"""What hosts ask a person: asked once, answered once, remembered where it was right, written nowhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtop.engine.questions import Questions
from mailtop.model.errors import Unanswered, UsageError
from mailtop.model.question import Kind
from mailtop.model.text import Foreign

KEY = "/home/ann/.ssh/id_ed25519"
WORDS = Foreign(b"passphrase of the key")


def until(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(500):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came")


@pytest.fixture
def questions() -> Questions:
    return Questions(lambda: 100.0)


def test_a_question_is_open_until_it_is_answered(questions: Questions) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(questions.asker("mail1").ask, Kind.PASSPHRASE, KEY, WORDS, True, lambda: True)
        until(lambda: questions.open)
        (question,) = questions.open
        assert (question.host, question.kind, question.words, question.at) == ("mail1", Kind.PASSPHRASE, WORDS, 100.0)
        assert (questions.waits("mail1"), questions.waits("mail2")) == ("passphrase of the key", "")

        questions.answer(question.id, "swordfish")

        assert asked.result(5) == "swordfish"
        assert questions.open == ()
        with pytest.raises(UsageError, match="no question"):
            questions.answer(question.id, "again")


def test_one_key_is_asked_for_once_for_several_hosts(questions: Questions) -> None:
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(questions.asker(host).ask, Kind.PASSPHRASE, KEY, WORDS, True, lambda: True)
            for host in ("mail1", "mail2")
        ]
        until(lambda: questions.waits("mail1") and questions.waits("mail2"))
        (question,) = questions.open
        questions.answer(question.id, "swordfish")
        assert [one.result(5) for one in asked] == ["swordfish", "swordfish"]


def test_a_code_is_asked_for_each_time_and_never_remembered(questions: Questions) -> None:
    with ThreadPoolExecutor(2) as pool:
        for host in ("mail1", "mail2"):
            pool.submit(questions.asker(host).ask, Kind.CODE, "ann@bastion:22", WORDS, True, lambda: True)
        until(lambda: len(questions.open) == 2)
        questions.close()
    questions.asker("mail1").keep(Kind.CODE, "ann@bastion:22", "123456")
    assert questions.asker("mail1").recall(Kind.CODE, "ann@bastion:22") is None


def test_what_was_right_is_remembered_until_it_is_wrong(questions: Questions) -> None:
    mail1, mail2 = questions.asker("mail1"), questions.asker("mail2")
    mail1.keep(Kind.PASSPHRASE, KEY, "swordfish")
    assert mail2.recall(Kind.PASSPHRASE, KEY) == "swordfish"
    mail2.forget(Kind.PASSPHRASE, KEY)
    assert mail1.recall(Kind.PASSPHRASE, KEY) is None


def test_a_refusal_says_what_was_asked(questions: Questions) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(questions.asker("mail1").ask, Kind.PASSPHRASE, KEY, WORDS, True, lambda: True)
        until(lambda: questions.open)
        questions.answer(questions.open[0].id, None)
        with pytest.raises(
            Unanswered, match=r"mail1: asked for passphrase of the key: not answered; ssh-add .*, or: r asks"
        ):
            asked.result(5)


def test_a_host_that_hangs_up_takes_its_question_along(questions: Questions) -> None:
    alive = threading.Event()
    alive.set()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(questions.asker("mail1").ask, Kind.CODE, "ann@mail1:22", WORDS, True, alive.is_set)
        until(lambda: questions.open)
        alive.clear()
        with pytest.raises(Unanswered, match="the host hung up"):
            asked.result(5)
    assert questions.open == ()


def test_the_end_of_the_engine_refuses_all(questions: Questions) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(questions.asker("mail1").ask, Kind.CODE, "ann@mail1:22", WORDS, True, lambda: True)
        until(lambda: questions.open)
        questions.close()
        with pytest.raises(Unanswered):
            asked.result(5)
        with pytest.raises(Unanswered):
            questions.asker("mail1").ask(Kind.CODE, "ann@mail1:22", WORDS, True, lambda: True)


def test_no_answer_stands_in_what_is_shown_of_it(questions: Questions) -> None:
    questions.asker("mail1").keep(Kind.PASSWORD, "ann@mail1:22", "swordfish")
    assert "swordfish" not in repr(questions)
    assert "swordfish" not in repr(questions.open)
