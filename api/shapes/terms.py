"""The terms as they were known at a point of their log."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape


class Known(Shape):
    """Where a fact came from: its message in the terms topic."""

    offset: int
    stored_at: datetime


class KnownPartner(Shape):
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
    known: Known


class KnownPlan(Shape):
    """A version of a plan."""

    plan_id: str
    version: int
    since: datetime | None
    in_force: bool
    currency: str
    components: list[dict[str, str]]
    definition: str = Field(description="As published.")
    known: Known


class KnownRate(Shape):
    """The newest rate of a pair as of the time asked."""

    base: str
    quote: str
    rate: str
    as_of: datetime
    source: str
    known: Known


class KnownSymbol(Shape):
    """What a server's symbol means."""

    server: str
    symbol: str
    canonical: str
    asset_class: str
    contract_size: str
    pip: str
    known: Known


class KnownPeriod(Shape):
    """A statement period, and where its end was told."""

    period: str
    starts_at: datetime
    ends_at: datetime
    known: Known
    ended: Known | None


class TermsAnswer(Shape):
    """The terms of a time, as known at a point of their log."""

    as_of: datetime
    known_at: Known | None = Field(description="The newest message that counted; null if there was none.")
    partners: list[KnownPartner]
    plans: list[KnownPlan]
    rates: list[KnownRate] = Field([])
    symbols: list[KnownSymbol] = Field([])
    periods: list[KnownPeriod] = Field([])
