"""What the broker keeps, and whose commission changed."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Amount, Shape
from api.shapes.reports import Between


class Mover(Shape):
    """An IB in a currency, in the interval and in the one before."""

    ib_id: str
    currency: str
    net: Amount
    before: Amount
    change: Amount = Field(description="net - before")


class Movers(Shape):
    """By currency, the largest change first."""

    items: list[Mover]
    moved: int = Field(description="IBs and currencies that changed, with those that are not shown.")
    before: Between


class MarginRow(Shape):
    """What one group brought and cost; only the column asked for by `group_by` is present."""

    ib_id: str = ""
    plan_id: str = Field("", description="Of revenue, that of the clients' IB as the interval ended.")
    symbol: str = Field("", description="Canonical; as the deals have it where the terms do not define it.")
    country: str = Field("", description="The client's; ISO 3166.")
    revenue: Amount = Field(description="Charges, swaps and spreads of clients of IBs; an estimate.")
    cost: Amount = Field(description="What IBs earned, less what was taken back.")
    net: Amount = Field(description="revenue - cost")


class Margin(Shape):
    """A page of groups; the totals are of all groups, which add up to them."""

    items: list[MarginRow]
    total: MarginRow
    currency: str
    rates_at: datetime = Field(description="Of this time are the rates, symbols and plans of IBs.")
    lacks_rate: list[str] = Field(description="Currencies left out, for no rate to `currency` is known.")
    lacks_spread: int = Field(description="Symbols whose spread is left out, or a part of it.")
    next_cursor: str | None
