"""Pause, throttle, reroute and the way back, on files: stopped anywhere, Postfix is whole and all can be undone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from mailtop.action import DESTINATION_ACTS, DestinationAct, Wish
from mailtop.model.ask import Put
from mailtop.model.destination import Terms, UnderWay
from mailtop.model.errors import AskFailed, HalfWay, MailtopError, Refused, UsageError
from mailtop.model.operation import Danger, Work
from mailtop.parse.standing import noted
from tests.action.postfix_files import Killed, PostfixFiles

DOMAIN, AT = "bigmail.test", 1_795_505_931.8
PAUSE, THROTTLE, REROUTE = "destination.pause", "destination.throttle", "destination.reroute"
RESTORE, FINISH = "destination.restore", "destination.finish"
HOUR = Terms()


@pytest.fixture
def postfix(tmp_path: Path) -> PostfixFiles:
    return PostfixFiles.made(tmp_path)


def act(key: str) -> DestinationAct:
    return next(act for act in DESTINATION_ACTS if act.key == key)


def planned(postfix: PostfixFiles, key: str, domain: str = DOMAIN, terms: Terms = HOUR) -> tuple[Work, tuple[str, ...]]:
    return postfix.drive(act(key).plan(Wish(domain, terms, str(postfix.config), "ann", AT)))


def done(postfix: PostfixFiles, key: str, domain: str = DOMAIN, terms: Terms = HOUR) -> None:
    work, _ = planned(postfix, key, domain, terms)
    note = UnderWay(key, domain, "ann", AT, work.order, work.was)
    postfix.drive(act(key).carry_out(work, str(postfix.config), note))


def killed(postfix: PostfixFiles, key: str, after: int) -> bool:
    """Carry an act out until mailtop is killed; was it?"""
    postfix.put.clear()
    postfix.kill_after = after
    try:
        done(postfix, key)
    except Killed:
        return True
    finally:
        postfix.kill_after = None
    return False


def in_force(postfix: PostfixFiles) -> list[str]:
    found = postfix.drive(noted(str(postfix.config)))
    return [change.domain for change in found.in_force.changes] if found.in_force else []


def test_a_pause_clones_the_service_leads_the_domain_to_it_and_defers_it(postfix: PostfixFiles) -> None:
    done(postfix, PAUSE)

    main, master = postfix.files
    assert (
        b"transport_maps = inline:{bigmail.test=mailtop-pause-3ac0a933:bigmail.test}, texthash:/etc/postfix/transport\n"
        in main
    )
    assert b"defer_transports = mailtop-pause-3ac0a933\n" in main
    assert b"mailtop-pause-3ac0a933 unix - - n - - smtp -o smtp_bind_address=192.0.2.7\n" in master
    assert in_force(postfix) == [DOMAIN]
    assert (postfix.config / "mailtop").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("key", [PAUSE, THROTTLE, REROUTE])
def test_restored_the_files_are_byte_for_byte_as_before_and_nothing_is_left(postfix: PostfixFiles, key: str) -> None:
    before = postfix.files
    done(postfix, key, terms=Terms(relay="[relay2]:25"))
    assert postfix.files != before

    done(postfix, RESTORE)

    assert postfix.files == before
    assert postfix.clean


@pytest.mark.parametrize("first", [RESTORE, FINISH])
def test_killed_after_any_command_of_a_pause_postfix_is_whole_and_it_is_finished_or_undone(
    postfix: PostfixFiles, first: str
) -> None:
    before, after = postfix.files, 0
    while killed(postfix, PAUSE, after):
        assert postfix.whole
        for key in (first, FINISH, RESTORE):
            with suppress(Refused):
                done(postfix, key)
            assert postfix.whole
        assert postfix.files == before, f"killed after {after} commands"
        assert in_force(postfix) == []
        after += 1
    assert after == len(postfix.put)
    assert after > 15


@pytest.mark.parametrize("first", [RESTORE, FINISH])
def test_killed_after_any_command_of_a_restore_the_same(postfix: PostfixFiles, first: str) -> None:
    before, after = postfix.files, 0
    done(postfix, PAUSE)
    while killed(postfix, RESTORE, after):
        assert postfix.whole
        for key in (first, FINISH, RESTORE, RESTORE):  # what touched nothing is forgotten, then restored
            with suppress(Refused):
                done(postfix, key)
        assert postfix.files == before, f"killed after {after} commands"
        done(postfix, PAUSE)
        after += 1
    assert postfix.clean
    assert after > 10


def test_whatever_command_says_no_all_is_put_back_and_its_words_are_raised(postfix: PostfixFiles) -> None:
    before = postfix.files
    done(postfix, PAUSE)
    commands = len(postfix.put)
    done(postfix, RESTORE)
    for number in range(3, commands - 1):
        postfix.put.clear()
        postfix.say_no = number
        with pytest.raises(AskFailed, match="it says no"):
            done(postfix, PAUSE)
        postfix.say_no = None
        assert postfix.files == before, f"no to command {number}: {postfix.put[number - 1].argv}"
        assert postfix.clean


def test_what_the_preview_shows_is_what_is_sent_in_that_order(postfix: PostfixFiles) -> None:
    for key in (PAUSE, RESTORE):
        work, _ = planned(postfix, key)
        shown = [step.argv for step in act(key).steps(work, "mail1/postfix", str(postfix.config), "", "")]
        postfix.put.clear()
        done(postfix, key)
        assert [put.argv for put in postfix.put] == shown


def test_two_changes_are_taken_back_in_any_order(postfix: PostfixFiles) -> None:
    before = postfix.files
    done(postfix, PAUSE)
    done(postfix, THROTTLE, "other.test")
    done(postfix, RESTORE)
    assert in_force(postfix) == ["other.test"]
    assert b"mailtop-pause" not in b"".join(postfix.files)
    assert b"mailtop-throttle" in b"".join(postfix.files)

    done(postfix, RESTORE, "other.test")

    assert postfix.files == before


def test_what_somebody_else_edited_meanwhile_stays(postfix: PostfixFiles) -> None:
    done(postfix, PAUSE)
    with (postfix.config / "main.cf").open("a") as main:
        main.write("smtpd_banner = theirs\n")

    work, warnings = planned(postfix, RESTORE)
    done(postfix, RESTORE)

    assert not work.exact
    assert any("only mailtop's own lines" in warning for warning in warnings)
    main_, master = postfix.files
    assert b"smtpd_banner = theirs\n" in main_
    assert b"mailtop" not in main_ + master
    assert b"texthash:/etc/postfix/transport" in main_


def test_an_edit_between_preview_and_approval_stops_it(postfix: PostfixFiles) -> None:
    work, _ = planned(postfix, PAUSE)
    with (postfix.config / "main.cf").open("a") as main:
        main.write("smtpd_banner = theirs\n")
    edited = postfix.files

    with pytest.raises(Refused, match="was edited since the preview"):
        postfix.drive(act(PAUSE).recheck(work, str(postfix.config)))
    with pytest.raises(Refused, match="was edited since the preview"):
        note = UnderWay(PAUSE, DOMAIN, "ann", AT, work.order, work.was)
        postfix.drive(act(PAUSE).carry_out(work, str(postfix.config), note))

    assert postfix.files == edited
    assert postfix.clean


def edited_before(postfix: PostfixFiles, file: str, *words: str) -> None:
    """Somebody adds a line to a file just before the command that begins with these words."""

    def edit(put: Put) -> None:
        if put.argv[: len(words)] == words:
            postfix.before_put = lambda _: None
            with (postfix.config / file).open("a") as opened:
                opened.write("# theirs\n")

    postfix.before_put = edit


@pytest.mark.parametrize("file", ["main.cf", "master.cf"])
def test_an_edit_while_the_new_files_are_made_is_not_overwritten(postfix: PostfixFiles, file: str) -> None:
    before = [part.removesuffix(b"# theirs\n") for part in postfix.files]
    edited_before(postfix, file, "postconf", "-c")

    with pytest.raises(Refused, match=f"{file}: was edited meanwhile; that edit stays"):
        done(postfix, PAUSE)

    assert (postfix.config / file).read_text().endswith("# theirs\n")
    assert [part.removesuffix(b"# theirs\n") for part in postfix.files] == before
    assert postfix.clean


def test_an_edit_after_a_file_was_replaced_is_not_overwritten_by_putting_it_back(postfix: PostfixFiles) -> None:
    postfix.say_no = next(n for n, step in enumerate(_sent(postfix), 1) if step == "reload main.cf")
    edited_before(postfix, "main.cf", "postfix")
    replaced = postfix.before_put
    postfix.before_put = lambda put: replaced(put) if len(postfix.put) + 1 == postfix.say_no else None

    with pytest.raises(HalfWay, match=r"half-way, for .*main.cf was edited since it was replaced; compare"):
        done(postfix, PAUSE)

    assert postfix.files[0].endswith(b"# theirs\n")
    assert postfix.whole


def _sent(postfix: PostfixFiles) -> list[str]:
    """What a pause sends, each reload with the file it is for."""
    work, _ = planned(postfix, PAUSE)
    found, file = [], ""
    for step in act(PAUSE).steps(work, "", str(postfix.config), "", ""):
        file = step.argv[-1].rpartition("/")[2] if step.argv[0] == "mv" else file
        found.append(f"reload {file}" if step.argv[-1] == "reload" else step.argv[0])
    return found


def test_what_says_no_once_all_is_done_does_not_pass_for_put_back(postfix: PostfixFiles) -> None:
    last = len(_sent(postfix))
    for number in (last - 1, last):
        postfix.put.clear()
        postfix.say_no = number
        with pytest.raises(HalfWay, match="it says no"):
            done(postfix, PAUSE)
        postfix.say_no = None
        assert postfix.whole
        done(postfix, FINISH)
        done(postfix, RESTORE)
        assert postfix.clean


def test_a_second_change_of_a_domain_and_a_restore_of_none_are_refused(postfix: PostfixFiles) -> None:
    with pytest.raises(Refused, match="nothing of mailtop's is in force"):
        planned(postfix, RESTORE)
    done(postfix, PAUSE)
    with pytest.raises(Refused, match="is paused already, by ann until 2026-11-24 08:38 UTC; restore it first"):
        planned(postfix, THROTTLE)


@pytest.mark.parametrize(
    ("settings", "tables", "expected"),
    [
        ({}, {}, ("smtp", "bigmail.test")),
        ({"relayhost": "[smarthost]:587"}, {}, ("smtp", "[smarthost]:587")),
        ({}, {"texthash:/etc/postfix/transport": {DOMAIN: "smtp:[mx.big]:25"}}, ("smtp", "[mx.big]:25")),
        ({}, {"texthash:/etc/postfix/transport": {".test": "smtp:"}}, ("smtp", DOMAIN)),
        ({}, {"texthash:/etc/postfix/transport": {"*": ":[relay]"}}, ("smtp", "[relay]")),
        (
            {"virtual_mailbox_domains": DOMAIN, "virtual_transport": "smtp:inet:dovecot:24"},
            {},
            ("smtp", "inet:dovecot:24"),
        ),
    ],
)
def test_the_clone_delivers_as_the_domain_is_delivered_now(
    postfix: PostfixFiles, settings: dict[str, str], tables: dict[str, dict[str, str]], expected: tuple[str, str]
) -> None:
    postfix.settings, postfix.tables = settings, tables

    work, warnings = planned(postfix, PAUSE)

    assert work.after[0].row == f"inline:{{{DOMAIN}=mailtop-pause-3ac0a933:{expected[1]}}}"
    assert f"Delivered now by {expected[0]} to {expected[1]}" in warnings[0]


def test_limits_of_the_service_go_with_its_clone(postfix: PostfixFiles) -> None:
    postfix.settings = {
        "smtp_destination_recipient_limit": "1",
        "smtp_destination_concurrency_limit": "$default_destination_concurrency_limit",
        "smtp_initial_destination_concurrency": "$initial_destination_concurrency",
    }

    work, warnings = planned(postfix, THROTTLE, terms=Terms(concurrency=2, delay=5))

    assert dict(work.after[0].settings) == {
        "mailtop-throttle-3ac0a933_destination_concurrency_limit": "2",
        "mailtop-throttle-3ac0a933_destination_rate_delay": "5s",
        "mailtop-throttle-3ac0a933_destination_recipient_limit": "1",
        "mailtop-throttle-3ac0a933_initial_destination_concurrency": "2",
    }
    assert any("for each recipient by itself" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("settings", "tables", "why"),
    [
        ({"virtual_alias_domains": DOMAIN}, {}, "is a domain of aliases"),
        ({"default_transport": "error:closed"}, {}, "is not delivered anywhere"),
        ({"mail_version": "2.11.3"}, {}, "has no inline tables"),
        (
            {},
            {"texthash:/etc/postfix/transport": {f"mailtop-looks-for-a-row@{DOMAIN}": "smtp:x"}},
            "routes its addresses one by one",
        ),
        ({"default_transport": "smtp:[a], [b]"}, {}, "does not fit into one row"),
    ],
)
def test_what_cannot_be_told_or_reached_is_refused(
    postfix: PostfixFiles, settings: dict[str, str], tables: dict[str, dict[str, str]], why: str
) -> None:
    postfix.settings, postfix.tables = settings, tables
    with pytest.raises(Refused, match=why):
        planned(postfix, PAUSE)


@pytest.mark.parametrize("relay", ["", "[relay", "relay; rm", "a b", "}x", "[relay]:25, [other]"])
def test_a_relay_that_is_none_is_refused(postfix: PostfixFiles, relay: str) -> None:
    with pytest.raises(UsageError, match="is no next hop"):
        planned(postfix, REROUTE, terms=Terms(relay=relay))


def test_files_that_are_links_are_left_alone(postfix: PostfixFiles, tmp_path: Path) -> None:
    (postfix.config / "main.cf").rename(tmp_path / "real.cf")
    (postfix.config / "main.cf").symlink_to(tmp_path / "real.cf")
    with pytest.raises(Refused, match="is a link"):
        planned(postfix, PAUSE)


def test_a_note_that_cannot_be_read_is_no_leave_to_change(postfix: PostfixFiles) -> None:
    (postfix.config / "mailtop").mkdir()
    (postfix.config / "mailtop" / "state.json").write_text('{"type":"in fo\n')
    with pytest.raises(MailtopError, match="are not as mailtop writes them"):
        planned(postfix, PAUSE)


def test_acts_that_let_mail_leave_say_so() -> None:
    assert {one.key: one.danger for one in DESTINATION_ACTS} == {
        PAUSE: Danger.REVERSIBLE,
        THROTTLE: Danger.REVERSIBLE,
        REROUTE: Danger.SENDS,
        RESTORE: Danger.SENDS,
        FINISH: Danger.SENDS,
    }
    assert {one.undo for one in DESTINATION_ACTS if one.undo} == {RESTORE}
