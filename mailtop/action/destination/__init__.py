"""Pause, throttle and reroute a destination; restore it, and finish what was left half-way.

The service that delivers a recipient domain is cloned under a name of ours, and one row put before all others leads the
domain's mail to the clone. Paused, the clone is named in `defer_transports`: new mail is accepted and deferred 4.3.2.
(Not a row `retry:`, which would have the mail refused at RCPT.) Throttled, it has limits of its own; rerouted, its row
names another next hop. The row is an inline table, so that all of it stands in main.cf and is there, or gone, at once.
"""

from __future__ import annotations

import re
from hashlib import sha256
from time import gmtime, strftime

from mailtop.action import DestinationAct, Wish
from mailtop.action.destination.route import BY_SENDER, Route, route
from mailtop.action.destination.staging import carry_out, look, recheck, steps
from mailtop.model.ask import Asking, Command
from mailtop.model.destination import STATES, Change, Hashes
from mailtop.model.errors import Refused, UsageError
from mailtop.model.operation import Danger, Work
from mailtop.parse.postfix_instance import instance_words
from mailtop.parse.postfix_settings import settings, without
from mailtop.parse.standing import Kept

_NEXT_HOP = re.compile(r"[A-Za-z0-9._:\[\]/@+=-]+")
_RELAY = re.compile(r"(?:inet:)?(?:\[[A-Za-z0-9._:-]+\]|[A-Za-z0-9._-]+)(?::[A-Za-z0-9-]+)?")
FORWARD, BACKWARD = ("master.cf", "main.cf"), ("main.cf", "master.cf")
"""A service is there before a row leads to it, and gone only after none does."""


def _pause(wish: Wish) -> Asking[tuple[Work, tuple[str, ...]]]:
    return (yield from _changed(wish, "destination.pause"))


def _throttle(wish: Wish) -> Asking[tuple[Work, tuple[str, ...]]]:
    return (yield from _changed(wish, "destination.throttle"))


def _reroute(wish: Wish) -> Asking[tuple[Work, tuple[str, ...]]]:
    return (yield from _changed(wish, "destination.reroute"))


def _changed(wish: Wish, action: str) -> Asking[tuple[Work, tuple[str, ...]]]:
    """Plan a clone for a domain: what main.cf and master.cf say now, what they will say."""
    standing, was = yield from look(wish.config)
    _free(standing, wish.domain)
    way = yield from route(wish.domain, instance_words(wish.config))
    change = _change(wish, action, way)
    maps, deferring = way.raw.get("transport_maps", ""), way.raw.get("defer_transports", "")
    _plain("transport_maps", maps, deferring)
    named = {"transport_maps": ", ".join(filter(None, (change.row, maps)))}
    if change.deferred:
        named["defer_transports"] = ", ".join(filter(None, (deferring, change.service)))
    before = {"transport_maps": maps, "defer_transports": deferring}
    kept = standing.in_force
    continued = kept is not None and kept.left == was
    work = Work(
        wish.domain,
        was,
        edits=_edits((*named.items(), *change.settings), (change,)),
        order=FORWARD,
        after=(*(kept.changes if kept else ()), change),
        base="keep" if kept else "new",
        exact=kept is None or (kept.exact and continued),
        before=kept.before if kept else None,
        until=change.until,
        diff=(
            *_diff(before, named),
            *(f"main.cf  + {name} = {value}" for name, value in change.settings),
            f"master.cf  + {change.line}",
        ),
    )
    return work, _warnings(wish, action, way, edited=bool(kept) and not continued)


def _free(standing: Kept, domain: str) -> None:
    if standing.begun or standing.under_way:
        begun = standing.under_way
        what = f"{begun.action} of {begun.domain} by {begun.by}" if begun else "a change"
        raise Refused(domain, f"{what} was begun and not finished", "finish it or restore it first (:destinations)")
    for change in standing.in_force.changes if standing.in_force else ():
        if change.domain == domain:
            state = STATES.get(change.action, "changed")
            raise Refused(domain, f"is {state} already, by {change.by} {_clock(change.until)}", "restore it first")


def _change(wish: Wish, action: str, way: Route) -> Change:
    """The clone: its name, its line, its row, its settings."""
    verb = action.rpartition(".")[2]
    service = f"mailtop-{verb}-{sha256(wish.domain.encode()).hexdigest()[:8]}"
    next_hop, limits = way.next_hop, dict(way.limits)
    if action == "destination.reroute":
        next_hop = _relay(wish, way)
    if action == "destination.throttle":
        limits |= _throttled(wish, way)
    if not _NEXT_HOP.fullmatch(next_hop):
        raise Refused(wish.domain, f"its next hop {next_hop[:60]!r} does not fit into one row", "change it by hand")
    line = " ".join((service, *way.line.split(" ", 1)[1:]))
    _plain(way.service, line)
    return Change(
        action,
        wish.domain,
        service,
        line,
        f"inline:{{{wish.domain}={service}:{next_hop}}}",
        tuple((f"{service}_{limit}", value) for limit, value in sorted(limits.items())),
        deferred=action == "destination.pause",
        by=wish.by,
        at=wish.at,
        until=wish.at + wish.terms.seconds if wish.terms.seconds else 0.0,
    )


def _plain(name: str, *values: str) -> None:
    """Refuse what could not be shown and sent as it is: control characters, bytes that are not UTF-8."""
    for value in values:
        if not value.isprintable():
            raise Refused(name, "its value is not plain text", "change it by hand")


def _relay(wish: Wish, way: Route) -> str:
    relay = wish.terms.relay.strip()
    if not _RELAY.fullmatch(relay):
        raise UsageError(f"relay {relay[:60]!r}", "is no next hop", "as Postfix writes it: [relay2.example.com]:25")
    if way.program not in ("smtp", "lmtp"):
        raise Refused(wish.domain, f"is delivered by {way.program}, which takes no relay", "pause it instead")
    return relay


def _throttled(wish: Wish, way: Route) -> dict[str, str]:
    terms = wish.terms
    if not (1 <= terms.concurrency <= 1000 and 0 <= terms.delay <= 3600):
        raise UsageError("throttle", "is no concurrency from 1 to 1000 and delay from 0 to 3600 s")
    if any(way.settings.get(name) for name in BY_SENDER):
        why = "senders have relays of their own here, which a throttle would take from them"
        raise Refused(wish.domain, why, "pause it")
    return {
        "destination_concurrency_limit": str(terms.concurrency),
        "initial_destination_concurrency": str(terms.concurrency),
        "destination_rate_delay": f"{terms.delay}s",
    }


def _edits(values: tuple[tuple[str, str], ...], added: tuple[Change, ...]) -> tuple[tuple[str, ...], ...]:
    """postconf's words: services into master.cf, then all of main.cf at once."""
    services = (("-M", f"{change.service}/unix={change.line}") for change in added)
    return (*services, ("-e", *(f"{name}={value}" for name, value in values)))


def _diff(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    lines = []
    for name, value in after.items():
        lines += [f"main.cf  - {name} = {before[name]}"] if before.get(name) else []
        lines += [f"main.cf  + {name} = {value}"] if value else []
    return tuple(lines)


def _warnings(wish: Wish, action: str, way: Route, *, edited: bool) -> tuple[str, ...]:
    subdomains = "its subdomains too" if way.subdomains else "not its subdomains"
    found = [
        f"Delivered now by {way.service} to {way.next_hop} ({way.by}); the row is for {wish.domain}, {subdomains}."
    ]
    found.append(
        "Postfix is reloaded twice; what it is delivering now it finishes the old way, shown in incoming meanwhile."
    )
    if action == "destination.pause":
        lifetime = way.settings.get("maximal_queue_lifetime", "5d")
        found.append(
            "What waits in active is deferred 4.3.2 at the reload; what is deferred already, when its time comes."
        )
        found.append("postqueue -f, -i and -s send its mail all the same: mailtop refuses them for it, others can.")
        found.append(f"Mail that waits longer than maximal_queue_lifetime ({lifetime}) bounces, paused or not.")
    if action == "destination.throttle" and dict(way.limits).get("destination_recipient_limit") == "1":
        found.append("Its service takes one recipient at a time, so the limits are for each recipient by itself.")
    if way.settings.get("transport_maps"):
        found.append("Rows of transport_maps for single addresses there, if any, go before it.")
    if way.settings.get("content_filter"):
        found.append("Mail goes through the content filter first: this holds behind it.")
    if wish.terms.seconds:
        found.append(f"Meant {_clock(wish.at + wish.terms.seconds)}: nothing lifts it by itself, then it is overdue.")
    if edited:
        found.append("Somebody edited the files since mailtop's last change: undo will take back only its own lines.")
    return tuple(found)


def _clock(at: float) -> str:
    return f"until {strftime('%Y-%m-%d %H:%M', gmtime(at))} UTC" if at else "without an end"


# and back


def _restore(wish: Wish) -> Asking[tuple[Work, tuple[str, ...]]]:
    """Plan what takes a change back: the saved files where nobody else edited since, else only our own lines."""
    standing, was = yield from look(wish.config)
    if standing.begun or standing.under_way:
        return _resumed(wish, standing, was, "undo")
    kept = standing.in_force
    gone = next((change for change in kept.changes if change.domain == wish.domain), None) if kept else None
    if kept is None or gone is None:
        raise Refused(wish.domain, "nothing of mailtop's is in force for it", "see :destinations for what is")
    words = instance_words(wish.config)
    raw = settings((yield Command(("postconf", *words, "transport_maps", "defer_transports"))).ok("postconf"))
    _plain("transport_maps", *raw.values())
    rest = tuple(change for change in kept.changes if change is not gone)
    after = {
        "transport_maps": without(raw.get("transport_maps", ""), gone.row),
        "defer_transports": without(raw.get("defer_transports", ""), gone.service),
    }
    exact = kept.exact and kept.left == was
    edits = yield from (_from_saved(wish, rest, after) if exact else _from_live(words, gone, after))
    work = Work(
        wish.domain,
        was,
        source="before" if exact else "live",
        edits=edits,
        order=BACKWARD,
        after=rest,
        base="keep" if rest else "drop",
        exact=exact,
        before=kept.before,
        diff=(
            *_diff(raw, {name: value for name, value in after.items() if value != raw.get(name, "")}),
            *(f"main.cf  - {name} = {value}" for name, value in gone.settings),
            f"master.cf  - {gone.line}",
        ),
    )
    return work, _restored(gone, rest, exact=exact)


def _restored(gone: Change, rest: tuple[Change, ...], *, exact: bool) -> tuple[str, ...]:
    how = "Both files become what they were before, byte for byte."
    if not exact:
        how = "Somebody edited the files since: only mailtop's own lines are taken back, the rest stays as it is now."
    elif rest:
        how = f"The files become what they were before, with what stays in force: {', '.join(c.domain for c in rest)}."
    what = "Its deferred mail is tried again when its time comes (maximal_backoff_time at most), or by retry."
    return (how, what) if gone.deferred else (how,)


def _from_saved(wish: Wish, rest: tuple[Change, ...], after: dict[str, str]) -> Asking[tuple[tuple[str, ...], ...]]:
    """Edits of the saved files: all that stays in force, and nothing where nothing does."""
    if not rest:
        return ()
    saved = ("postconf", "-c", f"{wish.config}/mailtop/before", "transport_maps", "defer_transports")
    before = settings((yield Command(saved)).ok("postconf"))
    lists = [(name, value) for name, value in after.items() if value != before.get(name, "")]
    return _edits((*lists, *(one for change in rest for one in change.settings)), rest)


def _from_live(words: tuple[str, ...], gone: Change, after: dict[str, str]) -> Asking[tuple[tuple[str, ...], ...]]:
    """Edits of the live files: only what is ours, and only where it is still there."""
    services = (yield Command(("postconf", *words, "-M"))).ok("postconf")
    there = settings((yield Command(("postconf", *words, "-n"))).ok("postconf"))
    edits: list[tuple[str, ...]] = []
    values = [f"{name}={value}" for name, value in after.items() if value and value != there.get(name)]
    empty = [name for name, value in after.items() if not value and there.get(name)]
    empty += [name for name, _ in gone.settings if name in there]
    edits += [("-e", *values)] if values else []
    edits += [("-X", *empty)] if empty else []
    if any(line.split()[:2] == [gone.service.encode(), b"unix"] for line in services.splitlines()):
        edits.append(("-MX", f"{gone.service}/unix"))
    return tuple(edits)


def _finish(wish: Wish) -> Asking[tuple[Work, tuple[str, ...]]]:
    standing, was = yield from look(wish.config)
    return _resumed(wish, standing, was, "finish")


def _resumed(wish: Wish, standing: Kept, now: Hashes, how: str) -> tuple[Work, tuple[str, ...]]:
    """Plan the end of what somebody left half-way."""
    begun = standing.under_way
    if begun is None and not standing.begun:
        raise Refused(wish.domain, "nothing was left half-way", "see :destinations for what is in force")
    if begun is not None and begun.domain != wish.domain:
        raise Refused(wish.domain, f"what was left half-way is of {begun.domain}", f"name {begun.domain}")
    if how == "finish" and (begun is None or begun.will is None):
        raise Refused(wish.domain, "nothing live was touched yet", "restore it, then begin again")
    done = begun is not None and begun.will is not None and _is_done(standing, begun.drops, begun.will)
    if how == "undo" and done:
        raise Refused(wish.domain, "what was begun is done but for its notes", "finish it, then restore")
    drops = begun is not None and begun.drops
    if how == "finish":
        base = "drop" if drops else "done" if done else "keep"
    else:
        base = "keep" if standing.in_force else "new"
    work = Work(
        wish.domain,
        begun.was if begun else now,
        order=begun.order if begun else (),
        base=base,
        resumes=how,
        will=begun.will if begun else None,
    )
    if begun is None:
        return work, ("A change was begun here, and nothing was touched: only its folder is taken away.",)
    replaced = [
        file
        for file, live, old in (("main.cf", now.main, begun.was.main), ("master.cf", now.master, begun.was.master))
        if live != old
    ]
    touched = f"{' and '.join(replaced)} replaced so far" if replaced else "nothing live touched so far"
    return work, (f"{begun.by} began a {begun.action.rpartition('.')[2]} {_began(begun.at)}: {touched}.",)


def _is_done(standing: Kept, drops: bool, will: Hashes) -> bool:
    """Did whoever was stopped get as far as the notes of what is in force?"""
    return standing.in_force is None if drops else standing.in_force is not None and standing.in_force.left == will


def _began(at: float) -> str:
    return f"at {strftime('%Y-%m-%d %H:%M', gmtime(at))} UTC"


PAUSE = DestinationAct(
    key="destination.pause",
    label="Pause",
    danger=Danger.REVERSIBLE,
    undo="destination.restore",
    expects="new mail for it is accepted, and deferred 4.3.2",
    undone_by="restore (sends)",
    plan=_pause,
    steps=steps,
    recheck=recheck,
    carry_out=carry_out,
)
THROTTLE = DestinationAct(
    key="destination.throttle",
    label="Throttle",
    danger=Danger.REVERSIBLE,
    undo="destination.restore",
    expects="its mail leaves a few at a time, with a pause between",
    undone_by="restore (sends)",
    plan=_throttle,
    steps=steps,
    recheck=recheck,
    carry_out=carry_out,
)
REROUTE = DestinationAct(
    key="destination.reroute",
    label="Reroute",
    danger=Danger.SENDS,
    undo="destination.restore",
    expects="its mail leaves by the other relay",
    undone_by="restore, but not for mail that has left",
    plan=_reroute,
    steps=steps,
    recheck=recheck,
    carry_out=carry_out,
)
RESTORE = DestinationAct(
    key="destination.restore",
    label="Restore",
    danger=Danger.SENDS,
    undo="",
    expects="the configuration of before",
    undone_by="nothing: mail that leaves cannot be recalled",
    plan=_restore,
    steps=steps,
    recheck=recheck,
    carry_out=carry_out,
)
FINISH = DestinationAct(
    key="destination.finish",
    label="Finish",
    danger=Danger.SENDS,
    undo="",
    expects="what was begun is in force",
    undone_by="restore",
    plan=_finish,
    steps=steps,
    recheck=recheck,
    carry_out=carry_out,
)
