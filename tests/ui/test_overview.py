"""Overview: is it us, which hop, since when."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.model.snapshot import Health, ProbeState, Reading
from mailtop.model.topology import Hop
from tests.ui.driving import driven
from tests.ui.sites import broken, well


async def test_no_data_is_a_dash_and_denied_has_its_own_sign_and_neither_is_a_zero() -> None:
    async with driven(broken()) as mail:
        row = mail.line(" search  ")
        assert "⊘" in row
        assert "—" in row
        assert " 0 " not in row


async def test_a_row_that_cannot_be_filled_says_why() -> None:
    async with driven(well(), size=(120, 40)) as mail:
        assert "not watched yet" in mail.line(" search  ")


async def test_a_host_s_health_stands_under_its_own_name_where_not_all_have_a_part_in_a_hop() -> None:
    snapshot = well()
    search = replace(snapshot.hops[-1], hosts=(("mail1", Health.CRIT),))
    async with driven(replace(snapshot, hops=(*snapshot.hops[:-1], search))) as mail:
        head, row = mail.line("mail 1 2"), mail.line(" search  ")
        assert row[head.index("mail 1") + 5] == "✖"
        assert row[head.index("1 2") + 2 :].strip() == ""


async def test_a_hop_with_traffic_and_no_success_is_seen() -> None:
    async with driven(broken()) as mail:
        assert "archive ✖ 11 m" in mail.line("last ok")


async def test_a_stale_figure_shows_its_age() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        assert "40 s old: busy 3/8" in mail.line(" filter ")


async def test_enter_on_an_alert_leads_to_the_screen_that_shows_it() -> None:
    async with driven(broken()) as mail:
        await mail.press("tab", "tab", "tab", "tab", "tab", "enter")
        await mail.shows("▸     410")


async def test_enter_on_a_cause_leads_to_its_messages() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        await mail.shows("outlook.test")
        await mail.press("G", "k", "k", "k", "enter")
        await mail.shows("causes › outlook.test 5.7.1 › messages 398")


async def test_z_shows_one_panel_alone_and_back() -> None:
    async with driven(broken()) as mail:
        await mail.press("tab", "tab", "tab", "tab", "z")
        await mail.shows("amavis_children")
        assert "last ok" not in mail.text
        await mail.press("z")
        await mail.shows("last ok")


async def test_a_filter_leaves_only_rows_that_match() -> None:
    async with driven(broken()) as mail:
        await mail.press("/", *"outlook", "enter")
        await mail.shows("esc shows all")
        assert "mailbox  " not in mail.text
        assert "refuses" in mail.text


async def test_a_gap_in_a_log_is_said() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        assert "12 of 40 321 lines unreadable   40 s missing" in mail.line("mail1/amavis  docker")


async def test_ten_hosts_are_counted_where_ten_columns_do_not_fit() -> None:
    snapshot = broken()
    many = tuple((f"a-long-name-{number}", Health.OK if number else Health.CRIT) for number in range(10))
    hops = tuple(replace(hop, hosts=many) for hop in snapshot.hops)
    async with driven(replace(snapshot, hops=hops)) as mail:
        assert "✖ 1/10" in mail.line(" remote  ")


async def test_a_measured_zero_is_a_zero() -> None:
    snapshot = well()
    hops = tuple(replace(hop, rate=Reading(0.0, Health.OK, 1.0)) if hop.hop is Hop.IN else hop for hop in snapshot.hops)
    async with driven(replace(snapshot, hops=hops)) as mail:
        assert mail.line(" in  ").split()[1] == "0"


async def test_probes_that_fail_for_one_reason_are_one_row() -> None:
    why = "mail1/postfix: the container is not running"
    blind = tuple(ProbeState("mail1/postfix", f"postfix_{n}", Health.UNKNOWN, 0.0, 0.0, 10.0, why) for n in range(4))
    async with driven(replace(well(), probes=blind), size=(120, 40)) as mail:
        assert "4 probes   the container is not running   — never answered" in mail.line("? mail1/postfix")


async def test_causes_that_are_missing_are_said() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        mail.console.unknown = "mail2/postfix: host is down"
        mail.console.move("causes", ())
        await mail.shows("? causes are missing: mail2/postfix: host is down")


async def test_a_hosts_clock_that_is_wrong_is_drawn_and_one_that_is_right_is_not() -> None:
    snapshot = well()
    first, second = snapshot.hosts[:2]
    wrong = (replace(first, ahead=2.5), replace(second, ahead=-41.0))
    async with driven(replace(snapshot, hosts=wrong), size=(120, 40)) as mail:
        assert "▲ clock 2.5 s ahead" in mail.line(first.name)
        assert "✖ clock 41 s behind" in mail.line(second.name)
    async with driven(replace(snapshot, hosts=(replace(first, ahead=1.9), second))) as mail:
        assert "clock" not in mail.text
