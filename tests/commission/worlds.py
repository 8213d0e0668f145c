"""Small brokers whose figures fit in one's head, and what they say."""

from typing import Any

from msgspec.structs import replace

from commission.events import ChargebackReceived
from commission.terms.partners import ParentLink, PlanAssignment
from commission.terms.rates import Band, Tiers
from schemas.wire import Record
from tests.build import (
    SYMBOLS,
    D,
    chargeback,
    deal,
    partner,
    period,
    plan,
)

NORTH = "ib:ib-north:pending"


TOP = "ib:ib-top:pending"


OUT = deal("1 buy 1 EURUSD out")


def world(*components: Any, extra: tuple[Record, ...] = (), **fields: Any) -> tuple[Record, ...]:
    """Ib-north alone, with these components and terms; September and October are periods."""
    own = replace(plan("own USD", *components), **fields)
    months = (period("2026-09"), period("2026-10"))
    return (*SYMBOLS, *months, own, partner("ib-north USD own"), *extra)


def back(deposit_id: str, number: int, amount: str | None, *, day: int) -> ChargebackReceived:
    """A part of a deposit of anna taken back; None is all of it."""
    event = chargeback(f"anna {deposit_id}", day=day)
    return replace(event, event_id=f"back {number}", amount=None if amount is None else D(amount))


def tiers(*bands: tuple[str, str], by: Any = "lots", mode: Any = "slab", **fields: Any) -> Tiers:
    """Bands as start and factor."""
    made = tuple(Band(start=D(start), factor=D(factor)) for start, factor in bands)
    return Tiers(by=by, mode=mode, bands=made, **fields)


def tree(*components: Any, **fields: Any) -> tuple[Record, ...]:
    """Ib-north below ib-top, each with a component, or no plan."""
    plans = [plan(f"p{n} USD", one) for n, one in enumerate(components) if one is not None]
    ibs = ("ib-north", "ib-top")
    partners = [
        partner(
            f"{ib_id} USD",
            schedule=(PlanAssignment(plan_id=f"p{n}" if components[n] is not None else None),),
            parents=(ParentLink(ib_id="ib-top"),) if n == 0 else (),
            **(fields.get(ib_id.replace("-", "_")) or {}),
        )
        for n, ib_id in enumerate(ibs)
    ]
    return (*SYMBOLS, period("2026-09"), *plans, *partners)
