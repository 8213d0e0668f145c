"""The terms as they were known at a point of their log."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape


class TermsInForce(Shape):
    """Where a fact came from: its message in the terms topic."""

    offset: int
    stored_at: datetime


class PartnerInForce(Shape):
    """An IB as of the time asked."""

    ib_id: str
    name: str
    currency: str
    parent: str | None
    plan_id: str | None
    plan_version: int | None
    rank: str
    factor: str
    status: str
    kyc_approved: bool
    known: TermsInForce


class PlanInForce(Shape):
    """A version of a plan."""

    plan_id: str
    version: int
    since: datetime | None
    in_force: bool
    currency: str
    components: list[dict[str, str]]
    definition: str = Field(description="As published.")
    known: TermsInForce


class RateInForce(Shape):
    """The newest rate of a pair as of the time asked."""

    base: str
    quote: str
    rate: str
    as_of: datetime
    source: str
    known: TermsInForce


class SymbolInForce(Shape):
    """What a server's symbol means."""

    server: str
    symbol: str
    canonical: str
    asset_class: str
    contract_size: str
    pip: str
    since: datetime | None
    known: TermsInForce


class PeriodInForce(Shape):
    """A statement period, and where its end was published."""

    period: str
    starts_at: datetime
    ends_at: datetime
    known: TermsInForce
    ended: TermsInForce | None


class TermsAnswer(Shape):
    """The terms of a time, as known at a point of their log."""

    as_of: datetime
    known_at: TermsInForce | None = Field(
        description="The newest message that counted; null if there was none."
    )
    partners: list[PartnerInForce]
    plans: list[PlanInForce]
    rates: list[RateInForce] = Field([])
    symbols: list[SymbolInForce] = Field([])
    periods: list[PeriodInForce] = Field([])
