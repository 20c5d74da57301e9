"""Every place's keys in one table: the frame's, the screens', the sheets', and those that come from the actions."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.mail import QueueEntry
from mailtop.ui.keys import FRAME, SHEET, Bound
from mailtop.ui.sheets import choice, preview, question, receipt
from mailtop.ui.view import Act, Screen


def shipped_actions() -> Sequence[Act]:
    from mailtop.action import ACTIONS, DESTINATION_ACTS

    return (*ACTIONS, *DESTINATION_ACTS)


def tables(screens: Sequence[Screen], acts: Sequence[Act], read_only: bool) -> dict[str, list[Bound]]:
    """Every place's keys. Read-only, what acts is not bound at all."""
    numbers = [Bound(f"screen.{s.name}", s.key, "", s.summary or s.title, "do_go", argument=s.name) for s in screens]
    found = {screen.name: [*FRAME, *numbers, *screen.keys] for screen in screens}
    found["queue"] = _with_short_ways(found["queue"], acts)
    found |= {"words": list(SHEET), "choice": list(choice.KEYS), "question": list(question.KEYS)}
    found |= {"preview": list(preview.KEYS), "receipt": list(receipt.KEYS)}
    return {place: [bound for bound in table if not (read_only and bound.act)] for place, table in found.items()}


def _with_short_ways(table: Sequence[Bound], acts: Sequence[Act]) -> list[Bound]:
    """The acts that have a letter, beside the menu they are short ways into."""
    place = next(index for index, bound in enumerate(table) if bound.id == "queue.acts") + 1
    short = [_short_way(act) for act in acts if act.letter and act.scope is QueueEntry]
    return [*table[:place], *short, *table[place:]]


def _short_way(act: Act) -> Bound:
    words = act.label.lower()
    return Bound(act.key, act.letter, words, f"{words}: the preview comes first", "short", act=True, argument=act.key)
