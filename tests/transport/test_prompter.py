"""Which of a host's prompts a remembered password answers, and which only a person does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mailtop.model.question import Kind
from mailtop.transport.ssh import SshOptions
from mailtop.transport.ssh.prompter import NobodyKnowsError, Prompter, account_of
from tests.transport.asking import Script

OPTIONS = SshOptions("mail1", "192.0.2.1", 22, "ann")
ACCOUNT = (Kind.PASSWORD, "ann@192.0.2.1:22")


def prompter(asker: Script) -> Prompter:
    return Prompter(asker, lambda: asker.recall(*ACCOUNT), OPTIONS, False, lambda: True)


@pytest.mark.parametrize(
    "other",
    [
        replace(OPTIONS, jump=SshOptions("jump1", "192.0.2.9", 22, "ann")),
        replace(OPTIONS, jump=SshOptions("jump1", "192.0.2.8", 22, "ann")),
        replace(OPTIONS, proxy_command="ssh -W %h:%p jump1"),
        replace(OPTIONS, host_key_alias="mail2"),
        replace(OPTIONS, port=2222),
    ],
)
def test_a_password_belongs_to_one_host_and_not_to_another_at_its_address_elsewhere(other: SshOptions) -> None:
    others = [OPTIONS, replace(OPTIONS, jump=SshOptions("jump1", "192.0.2.7", 22, "ann"))]
    assert account_of(other) not in [account_of(one) for one in others]
    assert account_of(replace(other, destination="ssh://ann@192.0.2.1")) == account_of(other)


@pytest.mark.parametrize("words", ["Password: ", "ann@mail1's password:", "(ann@mail1) Password: ", "LDAP Password:"])
def test_a_password_is_asked_for_once(words: str) -> None:
    asker = Script("swordfish")
    answers = prompter(asker)
    assert answers("", "", [(words, False)]) == ["swordfish"]
    answers.right()
    assert prompter(asker)("", "", [(words, False)]) == ["swordfish"]
    assert [kind for kind, _ in asker.asked] == [Kind.PASSWORD]


@pytest.mark.parametrize(
    ("words", "echo"),
    [
        ("Verification code: ", False),
        ("One-time password (OATH) for `ann': ", False),
        ("Duo two-factor login for ann. Passcode or option (1-3): ", True),
        ("New password: ", False),
        ("Retype new password: ", False),
        ("Password: ", True),
        ("", False),
    ],
)
def test_a_code_or_a_new_password_is_asked_of_a_person_each_time(words: str, echo: bool) -> None:
    asker = Script("123456")
    asker.right[ACCOUNT] = "swordfish"
    answers = prompter(asker)
    assert answers("", "", [(words, echo)]) == ["123456"]
    answers.right()
    assert asker.right == {ACCOUNT: "swordfish"}


def test_a_second_password_is_another_one() -> None:
    asker = Script("other")
    asker.right[ACCOUNT] = "swordfish"
    answers = prompter(asker)
    assert answers("", "", [("Password:", False), ("Password:", False)]) == ["swordfish", "other"]
    answers.right()
    assert asker.right == {ACCOUNT: "swordfish"}
    answers.wrong()
    assert asker.right == {}


def test_what_the_host_says_before_its_prompt_is_asked_with_it() -> None:
    asker = Script("1")
    prompter(asker)("Duo", "Enter a passcode\n 1. Push", [("Option: ", True)])
    assert asker.asked == [(Kind.CODE, "ann@mail1: Duo Enter a passcode 1. Push Option")]


def test_without_anybody_there_is_no_answer() -> None:
    with pytest.raises(NobodyKnowsError):
        prompter(Script())("", "", [("Password:", False)])
