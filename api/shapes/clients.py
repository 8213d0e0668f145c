"""Clients in a list."""

from datetime import datetime

from pydantic import Field

from api.queries.client_list import State
from api.shapes.base import Shape


class ClientRow(Shape):
    """One client, and how far it has come."""

    client_id: str
    occurred_at: datetime = Field(description="When it registered.")
    ib_id: str = Field(description="With whom; empty: with nobody.")
    country: str
    kyc: str = Field(description="As the CRM told it last; `open` until it did.")
    state: State = Field(
        description="The furthest it came; `lost` is to clawbacks: of what qualified, none stands."
    )
    ftd_at: datetime | None
    qualified_at: datetime | None = Field(
        description="By the newest CPA that stands; where none does, by the newest that was taken back."
    )
    lost_at: datetime | None
    missing: str = Field(description="What is missing for a CPA: `deposit`, `kyc` or `trading`; else empty.")


class ClientPage(Shape):
    """A page of clients."""

    items: list[ClientRow]
    next_cursor: str | None
