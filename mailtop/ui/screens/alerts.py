"""Alerts: what fires, what nobody knows any more, what is over; each with since when, and the way to its screen."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.alerts import Alert, Noted, Phase
from mailtop.model.snapshot import Health, PageAsk
from mailtop.ui.choosing import Paged
from mailtop.ui.figures import SIGNS, clock, count, span, stamp, whole
from mailtop.ui.ink import BLANK, Line, text
from mailtop.ui.keys import LIST, Bound
from mailtop.ui.loglines import log_filter
from mailtop.ui.messages import GoTo, OpenSheet
from mailtop.ui.sheets.words import Words
from mailtop.ui.table import Column, Layout
from mailtop.ui.view import Post, Row, Scene, Screen, Size

KEYS = (
    *LIST,
    Bound("alerts.into", "enter", "into", "the screen that shows it", "into"),
    Bound("alerts.describe", "d", "describe", "all about this alert", "describe"),
    Bound("alerts.filter", "/", "filter", "only rows that match (/! not, /~ fuzzy)", "ask_filter"),
    Bound("alerts.copy", "y", "", "copy this row (OSC 52)", "copy"),
    Bound("alerts.output", "o", "", "write the screen to a file", "output"),
)

_ALL = PageAsk("alerts", limit=2000)
_SECTIONS = ((Phase.FIRING, "firing"), (Phase.UNKNOWN, "not known"), (Phase.ENDED, "recent"))
_TERMINAL = 80
_WIDE = 110  # cells from which on times have their seconds


class Alerts(Paged):
    """Keeps the last page, and draws it with the ages of now."""

    name = "alerts"

    def __init__(self, post: Post) -> None:
        super().__init__(post)
        self._now = 0.0

    def draw(self, scene: Scene, size: Size) -> list[Line]:
        """Section under section, scrolled so that the cursor is among them; each says how many there are."""
        self._height, self._now = size.rows, scene.now
        if self._page is None:
            return self._nothing()
        rows = self._sections(self._page.alerts, scene, size.cells)
        self._rows = [(self.name, row) for row in rows if row.key is not None]
        self._settle()
        self._lines = [row.line for row in rows]
        foot = self._foot()
        return [*self._window([(self.name, row) for row in rows], size.rows - len(foot), size.cells), *foot]

    def wants(self, scene: Scene) -> Sequence[PageAsk]:
        """All alerts, whenever one has changed."""
        version = scene.snapshot.versions.get("alerts", 0)
        return () if self._page is not None and self._page.version >= version else (_ALL,)

    def log_filter(self) -> str:
        """The log of the host or service that the alert is about."""
        noted = self._item()
        return log_filter(noted.alert) if isinstance(noted, Noted) else ""

    def into(self) -> None:
        """The screen that shows it; all about it where none does."""
        noted = self._item()
        if isinstance(noted, Noted) and noted.alert.see:
            self._post(GoTo(noted.alert.see))
        else:
            self.describe()

    def describe(self) -> None:
        """The alert in full."""
        noted = self._item()
        if isinstance(noted, Noted):
            self._post(OpenSheet(Words.of_pairs("Alert", _pairs(noted, self._now))))

    def _sections(self, alerts: Sequence[Noted], scene: Scene, cells: int) -> list[Row]:
        rows: list[Row] = []
        for phase, title in _SECTIONS:
            mine = [one for one in alerts if one.phase is phase]
            if not mine and phase is not Phase.FIRING:
                continue
            if rows:
                rows.append(Row(BLANK))
            if not mine:
                rows.append(_quiet(scene))
                continue
            drawing = _Drawing(phase, scene.now, cells)
            found = self._filtered([Row(drawing.line(one), (*one.alert.key, one.since), one) for one in mine])
            number = count(len(mine)) if len(found) == len(mine) else f"{count(len(found))} of {count(len(mine))}"
            rows += [Row(((f" {title} ", "title"), (number, "dim"))), Row(drawing.head()), *found]
        return rows


class _Drawing:
    """How the alerts of one section are laid out. Words go on where a row has no value of its own."""

    def __init__(self, phase: Phase, now: float, cells: int) -> None:
        begin = [*_times(phase, now, cells >= _WIDE), _where(cells, "dim" if phase is Phase.ENDED else "text")]
        what = Column[Noted]("what", 20, _what_line, most=300)
        value = Column[Noted]("value", 8, lambda one: text(one.alert.value, _value_role(one)), right=True)
        limit = Column[Noted]("limit", 8, lambda one: text(one.alert.limit, "dim"), most=16)
        self._whole = Layout([*begin, what], cells - 4)
        self._parted = Layout([*begin, what._replace(least=16, most=34), value, limit], cells - 4)
        self._has_values = phase is not Phase.UNKNOWN

    def head(self) -> Line:
        layout = self._parted if self._has_values else self._whole
        return (("   ", "text"), *layout.head())

    def line(self, one: Noted) -> Line:
        layout = self._parted if self._has_values and _ends_with_its_value(one.alert) else self._whole
        return (*_sign(one), *layout.row(one))


def _quiet(scene: Scene) -> Row:
    if scene.known:
        return Row(((" ", "text"), (SIGNS[Health.OK], "ok"), (" nothing is firing", "dim")))
    words = (" nothing is firing, as far as is known", "dim")
    return Row(((" ", "text"), (SIGNS[Health.UNKNOWN], "unknown"), words))


def _sign(one: Noted) -> Line:
    match one.phase:
        case Phase.FIRING:
            return ((f" {SIGNS[one.alert.health]} ", one.alert.health.value),)
        case Phase.UNKNOWN:
            return ((f" {SIGNS[Health.UNKNOWN]} ", "unknown"),)
    return ((f" {SIGNS[one.worst]} ", "dim"),)


def _times(phase: Phase, now: float, seconds: bool) -> list[Column[Noted]]:
    """How long it lasts, how long nobody has seen it, or from when to when it was. `seconds`: there is room."""
    hours = 8 if seconds else 5
    began = Column[Noted]("since", hours, lambda one: text(clock(one.since, seconds), "dim"))
    match phase:
        case Phase.FIRING:
            return [began, Column("for", 6, lambda one: text(whole(now - one.since)), right=True)]
        case Phase.UNKNOWN:
            return [began, Column("unseen", 6, lambda one: text(whole(now - one.seen)), right=True)]
    return [
        began._replace(title="from"),
        Column("to", hours, lambda one: text(clock(one.ended, seconds), "dim")),
        Column("for", 5, lambda one: text(whole(one.ended - one.since), "dim"), right=True),
    ]


def _where(cells: int, role: str) -> Column[Noted]:
    wide = 16 if cells < _WIDE else 24 if cells < 2 * _TERMINAL else 34
    return Column("where", wide, lambda one: text(one.alert.target, role))


def _value_role(one: Noted) -> str:
    return one.alert.health.value if one.phase is Phase.FIRING else "dim"


def _what(alert: Alert) -> str:
    """The summary without the target, which has a column of its own.

    >>> _what(Alert("used_ratio", "mail1 /var", Health.CRIT, 0.0, "mail1 /var: used 93 %"))
    'used 93 %'
    >>> _what(Alert("ContainerNotRunning", "mail1/clamav", Health.CRIT, 0.0, "mail1/clamav is exited"))
    'is exited'
    """
    said = alert.summary
    for start in (alert.target, alert.key[1]):
        said = said.removeprefix(start).lstrip(" :") if said.startswith(start) else said
    return said


def _ends_with_its_value(alert: Alert) -> bool:
    """Is it a figure, said in two words? Else the line says it all."""
    return bool(alert.value) and alert.summary.endswith(f" {alert.value}")


def _what_line(one: Noted) -> Line:
    times = text(f"  {one.times}×", "dim") if one.times > 1 else ()
    words = _what(one.alert)
    if one.phase is Phase.UNKNOWN:
        return (*text(words), *times, *text(f"  {one.note}", "unknown"))
    if _ends_with_its_value(one.alert):
        words = words.removesuffix(f" {one.alert.value}")
    crit = one.phase is Phase.FIRING and one.alert.health is Health.CRIT
    return (*text(words, "dim" if one.phase is Phase.ENDED else "title" if crit else "text"), *times)


def _pairs(one: Noted, now: float) -> list[tuple[str, str]]:
    alert = one.alert
    pairs = [
        ("what", alert.summary),
        ("where", alert.target),
        ("state", "recent" if one.phase is Phase.ENDED else dict(_SECTIONS)[one.phase]),
        ("worst", f"{SIGNS[one.worst]} {one.worst.value}"),
        ("since", stamp(one.since, now)),
    ]
    if one.phase is Phase.FIRING:
        pairs.append(("for", span(float(int(now - one.since)))))
    elif one.phase is Phase.UNKNOWN:
        pairs += [("last seen", f"{stamp(one.seen, now)}, {whole(now - one.seen)} ago"), ("not known", one.note)]
    else:
        pairs += [("until", stamp(one.ended, now)), ("for", whole(one.ended - one.since))]
        if one.ended - one.seen > _BLIND_FOR:
            pairs.append(("", f"nobody could look from {stamp(one.seen, now)} on: it ended at some time since"))
    if one.times > 1:
        pairs.append(("came back", f"{one.times - 1}× within a minute of its end: counted as one"))
    pairs += [("value", alert.value), ("limit", alert.limit), ("rule", alert.rule), ("shown on", alert.see)]
    return [(name, words) for name, words in pairs if words]


_BLIND_FOR = 15.0  # seconds between when it was last seen and its end, beyond which that is said

SCREEN = Screen("0", "alerts", "Alerts", KEYS, Alerts, "firing, not known any more, recent")
