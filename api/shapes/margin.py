"""What the broker keeps, and whose commission changed."""

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
