"""Tallies that cannot be settled yet: terms reach both books in their time, and rates as they come.

Each has a key of its own, by what it lacks, and is read again only when that may be there.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import field
from msgspec.structs import replace

from commission.draft import Draft
from commission.outputs import Tally
from commission.sums import NOTHING
from commission.terms.catalog import Terms
from commission.value import Value


class Queue(Value):
    """The tallies that lack one thing: their numbers, and between which times they are."""

    first: int = 1
    next: int = 1
    earliest: datetime
    latest: datetime
    plan_id: str = ""
    """The plan that they lack, in its version; without one they lack a period or a rate."""
    plan_version: int = 0


class WaitingTallies(Value):
    """All that wait, by what they lack. Numbers are given once."""

    queues: dict[str, Queue] = field(default_factory=dict)


WAITING = "w"
_PERIOD, _RATE = "period", "rate"


def wait_for_plan(draft: Draft, tally: Tally) -> None:
    """The version of its plan, or the component in it, is unknown."""
    lack = f"{tally.plan_id}/{tally.plan_version}"
    _wait(draft, f"plan/{lack}", tally, plan_id=tally.plan_id, plan_version=tally.plan_version)


def wait_for_period(draft: Draft, tally: Tally) -> None:
    """No period is defined for its time."""
    _wait(draft, _PERIOD, tally)


def wait_for_rate(draft: Draft, tally: Tally, waits: int) -> int:
    """The tally is counted, and its period is to be settled again: one tally for that is enough.

    `waits` is the number under which the period waits already, or did; the number of the one that does.
    """
    if waits and draft.get(_key(_RATE, waits)) is not None:
        return waits
    return _wait(draft, _RATE, tally.measuring(NOTHING))


def released(draft: Draft, terms: Terms) -> Iterator[Tally]:
    """Those that may be settled by what is known now; they wait no more."""
    waiting: WaitingTallies = draft.get(WAITING) or WaitingTallies()
    ready = {lack: queue for lack, queue in waiting.queues.items() if _is_ready(lack, queue, terms)}
    if ready:
        emptied = {lack: replace(queue, first=queue.next) for lack, queue in ready.items()}
        draft.put(WAITING, WaitingTallies(queues={**waiting.queues, **emptied}))
    for lack, queue in ready.items():
        for number in range(queue.first, queue.next):
            yield draft.take(_key(lack, number), Tally)


def _is_ready(lack: str, queue: Queue, terms: Terms) -> bool:
    if queue.first == queue.next:
        return False
    if lack == _PERIOD:
        return any(one.starts_at <= queue.latest and queue.earliest < one.ends_at for one in terms.periods)
    return lack == _RATE or terms.plan_version(queue.plan_id, queue.plan_version) is not None


def _wait(draft: Draft, lack: str, tally: Tally, plan_id: str = "", plan_version: int = 0) -> int:
    waiting: WaitingTallies = draft.get(WAITING) or WaitingTallies()
    at, known = tally.occurred_at, waiting.queues.get(lack)
    if known is None:
        known = Queue(earliest=at, latest=at, plan_id=plan_id, plan_version=plan_version)
    elif known.first == known.next:
        known = replace(known, earliest=at, latest=at)
    number = known.next
    queue = replace(known, next=number + 1, earliest=min(known.earliest, at), latest=max(known.latest, at))
    draft.put(_key(lack, number), tally)
    draft.put(WAITING, WaitingTallies(queues={**waiting.queues, lack: queue}))
    return number


def _key(lack: str, number: int) -> str:
    return f"t:{lack}:{number}"
