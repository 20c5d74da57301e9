"""What mailtop keeps on a target, read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.destination import Hashes, InForce, Standing, UnderWay, domain_of, paused
from mailtop.model.errors import ParseError, UsageError
from mailtop.model.text import Foreign
from mailtop.parse.postfix_settings import literal_match, without, words
from mailtop.parse.standing import kept, written

HASHES = Hashes("6" * 64, "5" * 64)
BEGUN = UnderWay("destination.pause", "bigmail.test", "ann", 1.5, ("master.cf", "main.cf"), HASHES)


def test_notes_are_read_as_they_were_written() -> None:
    state = InForce(HASHES, HASHES, exact=True, changes=())

    found = kept(written(state) + b"/etc/postfix/mailtop/pending\n" + written(BEGUN))

    assert found == (state, BEGUN, True)
    assert kept(b"") == (None, None, False)


@given(st.binary(max_size=80))
def test_what_is_no_note_is_never_taken_for_one(junk: bytes) -> None:
    try:
        found = kept(junk)
    except ParseError:
        return
    assert found.in_force is None
    assert found.under_way is None


WORD = st.from_regex(r"\A[a-z][a-z:/.-]{0,12}\Z") | st.from_regex(r"\Ainline:\{[a-z.]{1,8}=[a-z:-]{1,8}\}\Z")


@given(st.lists(WORD, max_size=5, unique=True), st.sampled_from([", ", " ", ",", "\n  "]), st.data())
def test_taking_a_word_out_of_a_list_leaves_all_others(names: list[str], separator: str, data: st.DataObject) -> None:
    value = separator.join(names)
    assert words(value) == names
    if names:
        gone = data.draw(st.sampled_from(names))
        assert words(without(value, gone)) == [name for name in names if name != gone]
    assert without(value, "mailtop-pause-1") == value


def test_lists_of_domains_match_as_postfix_matches_them() -> None:
    assert literal_match(["A.test"], "a.test", parents=False) is True
    assert literal_match([".a.test"], "x.a.test", parents=False) is True
    assert literal_match(["a.test"], "x.a.test", parents=False) is None
    assert literal_match(["a.test"], "x.a.test", parents=True) is True
    assert literal_match(["a.test"], "xa.test", parents=True) is None


@pytest.mark.parametrize(
    "text", ["", "a b", "x@y.test", "-a.test", "[192.0.2.1]", "a..b", "a" * 254, "bücher.test", "{a}", "ban\u212a.test"]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no recipient domain"):
        domain_of(text)


def test_a_pause_is_found_for_its_own_domain_and_target_alone() -> None:
    pause = Standing("mail1/postfix", "bigmail.test", "destination.pause", "ann", 1.0)
    throttle = Standing("mail1/postfix", "other.test", "destination.throttle", "ann", 1.0)

    assert paused((throttle, pause), "mail1/postfix", Foreign(b"BigMail.test")) == pause
    assert paused((throttle, pause), "mail2/postfix", "bigmail.test") is None
    assert paused((throttle, pause), "mail1/postfix", "other.test") is None
