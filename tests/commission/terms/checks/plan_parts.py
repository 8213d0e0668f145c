"""Plans by their parts, for tests of what is said of them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from commission.terms.checks.check import check_terms
from commission.terms.checks.published import TermsProblem
from commission.terms.components import (
    Component,
    PerLot,
)
from commission.terms.market import SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Band, Rate
from commission.terms.records import TermsRecord

D = Decimal


def on(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def rate(value: str, match: str = "*", **named: Any) -> Rate:
    return Rate(value=D(value), match=match, **named)


def rates(value: str = "1", **more: str) -> tuple[Rate, ...]:
    return (rate(value), *(rate(number, match) for match, number in more.items()))


def symbol(name: str, **said: Any) -> SymbolDefined:
    made = SymbolDefined(
        server="live",
        symbol=name,
        canonical=name,
        asset_class="forex",
        contract_size=D(100_000),
        standard_contract_size=D(100_000),
        pip=D("0.0001"),
        profit_currency="USD",
        digits=5,
        average_pips=D("1.2"),
    )
    return replace(made, **said)


def plan(*components: Component, **said: Any) -> PlanDefined:
    return replace(
        PlanDefined(plan_id="p", version=1, currency="USD", components=components or (lot(),)), **said
    )


def lot(**said: Any) -> PerLot:
    return replace(PerLot(name="x", rates=rates()), **said)


def band(start: str, value: str = "2", **said: Any) -> Band:
    return replace(Band(start=D(start), rates=rates(value)), **said)


def ib(ib_id: str, *, parent: str = "", plan_id: str = "p", **said: Any) -> PartnerDefined:
    return replace(
        PartnerDefined(
            ib_id=ib_id,
            name="",
            currency="USD",
            parents=(ParentLink(ib_id=parent),) if parent else (),
            schedule=(PlanAssignment(plan_id=plan_id, rank=said.pop("rank", "")),),
        ),
        **said,
    )


EURUSD, XAUUSD = symbol("EURUSD"), symbol("XAUUSD", asset_class="metal", contract_size=D(100))


SYMBOLS = (EURUSD, replace(XAUUSD, standard_contract_size=D(100), pip=D("0.01"), average_pips=D(25)))


def check(*records: TermsRecord) -> tuple[TermsProblem, ...]:
    """Everything found but notes, which only say how a plan reads."""
    return tuple(p for p in check_terms((*SYMBOLS, *records)) if p.severity != "note")
