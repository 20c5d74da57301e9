"""How acts on destinations go: planned, checked again, carried out; the door they pass is the executor's."""

from __future__ import annotations

from typing import cast

from mailtop.action import DESTINATION_ACTS, DestinationAct, Wish
from mailtop.engine.link import Link, drive
from mailtop.model.ask import Asking
from mailtop.model.destination import Terms, UnderWay, domain_of
from mailtop.model.errors import AskFailed, HalfWay, LinkLost, MailtopError, TimedOut
from mailtop.model.mail import QueueId
from mailtop.model.operation import Fate, Outcome, Plan
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity, Target

_ACTS = {act.key: act for act in DESTINATION_ACTS}


def is_destination_act(key: str) -> bool:
    """Is this an act whose scope is a destination, not messages?"""
    return key in _ACTS


def domain_meant(key: str, text: str | Foreign) -> str:
    """The domain that an act is about; raises UsageError for what is none.

    Where a change was begun and cut off before it was noted whose mail it is about, it is taken back without a name.
    """
    return domain_of(text) if text or key != "destination.restore" else ""


async def planned(
    plan: Plan, terms: Terms, domain: str, by: str, link: Link, target: Target
) -> tuple[Plan, DestinationAct, tuple[str, ...]]:
    """Fill a plan's work and steps in by asking; return it, its act, and what the preview says of it."""
    act = _ACTS[plan.action]
    wish = Wish(domain_meant(act.key, domain), terms, plan.identity.instance, by, plan.at)
    work, warnings = await drive(act.plan(wish), link, target.container, act.key)
    steps = act.steps(work, plan.target, plan.identity.instance, act.expects, act.undone_by)
    made = Plan(
        plan.id, act.key, plan.target, plan.identity, act.danger, (), steps, plan.at, undoes=plan.undoes, work=work
    )
    return made, act, warnings


async def rechecked(plan: Plan, link: Link, target: Target) -> DestinationAct:
    """Raise Refused where the configuration is not what was planned for any more."""
    act = _ACTS[plan.action]
    assert plan.work is not None  # noqa: S101  (told to mypy: `planned` has filled it in)
    await drive(act.recheck(plan.work, plan.identity.instance), link, target.container, "re-read")
    return act


async def carried_out(plan: Plan, by: str, at: float, link: Link, target: Target) -> tuple[Outcome, str]:
    """Change it; return what became of the destination, and why it stopped, where it did."""
    act, work = _ACTS[plan.action], plan.work
    assert work is not None  # noqa: S101  (told to mypy: `planned` has filled it in)
    note = UnderWay(plan.action, work.domain, by, at, work.order, work.was)
    where = plan.identity.container or target.container  # by its id: one made anew under the name gets nothing
    number = QueueId(work.domain)
    try:
        changing = cast("Asking[None]", act.carry_out(work, plan.identity.instance, note))  # the one that sends Puts
        await drive(changing, link, where, plan.action)
    except (LinkLost, TimedOut, HalfWay) as error:
        return Outcome(number, Fate.UNKNOWN, Foreign(b"left half-way, perhaps")), str(error)
    except MailtopError as error:
        put_back = b"; all is as it was" if isinstance(error, AskFailed) else b""
        return Outcome(number, Fate.REFUSED, Foreign(error.reason.encode() + put_back)), str(error)
    return Outcome(number, Fate.DONE), ""


def unplanned(key: str, number: str, target: str, identity: Identity, at: float, undoes: str) -> Plan:
    """A plan that says what, where and when, and not yet how."""
    return Plan(number, key, target, identity, _ACTS[key].danger, (), (), at, undoes=undoes)
