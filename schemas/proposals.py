"""Proposals to correct what is posted: what was asked, what it would post, who did what; their messages."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    model_validator,
)

from commission.money import plain
from commission.payouts.records import MAX_RECORD_BYTES
from commission.proposals.log import State
from commission.proposals.records import AnyProposalRecord

_DECODER = Decoder(AnyProposalRecord)
encode_proposal = Encoder().encode
"""A record of the log as its message."""


def decode_proposal(message: bytes | str) -> AnyProposalRecord | None:
    """Read one message of the topic; None if it is no record of it, for everyone alike."""
    if len(message) > MAX_RECORD_BYTES:
        return None
    try:
        record: AnyProposalRecord = _DECODER.decode(message)
    except MsgspecError:
        return None
    return record


Amount = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
Name = Annotated[str, Field(max_length=128)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProposalRequest(_Value):
    """Which deals are to be rated again, by what is known now; or which period's end was wrong."""

    title: Annotated[str, Field(min_length=1, max_length=200, description="Why, for whoever approves it.")]
    since: AwareDatetime | None = Field(None, description="Deals from here on; null: all before `until`.")
    until: AwareDatetime | None = Field(None, description="Deals before this; null: all from `since` on.")
    ib: Name = Field("", description="Only deals whose correction changes what this IB earns; empty: all.")
    client: Name = Field("", description="Only this client's; empty: all.")
    leave_undecided: bool = Field(
        default=False,
        description="Leave what cannot be rated again as it is, instead of refusing the proposal.",
    )
    reopen: Name = Field(
        "", description="Take back the end of this period instead, the newest, while none of it is paid."
    )

    @model_validator(mode="after")
    def _one_thing(self) -> "ProposalRequest":
        asked = self.since, self.until, self.ib, self.client
        if self.reopen and (any(asked) or self.leave_undecided):
            raise ValueError("with `reopen` nothing else is asked for: the statements of all IBs go back")
        return self


class Line(_Value):
    """What a proposal changes for one IB in one currency."""

    ib_id: str
    currency: str
    reversals: int = Field(description="Rows that take back.")
    accruals: int = Field(description="Rows that give.")
    true_ups: int = Field(description="Rows of tiers, caps and results of a period, which follow.")
    taken_back: Amount
    given: Amount
    delta: Amount = Field(description="given - taken_back, on the IB's accounts.")
    of_closed: Amount = Field(description="Of `delta`, what is for closed periods: it lands in the open one.")
    clients: Amount = Field(description="What clients get more, or less, as rebates by the IB's plan.")


class Change(_Value):
    """One row that would be posted, of `amount` as the IB sees it: negative takes back."""

    transfer_id: str
    code: str
    ib_id: str
    client_id: str
    caused_by: str
    component: str
    occurred_at: datetime
    amount: Amount
    to_client: Amount
    currency: str
    reverses: str | None
    period: str = Field(description="The period of its own time.")
    lands_in: str = Field(description="The period whose statement it belongs to; empty while held.")


class Undecided(_Value):
    """What cannot be rated again, and why: it stays as it stands."""

    client_id: str
    subject: str
    code: str
    text: str


class Preview(_Value):
    """What a proposal would post, worked out from the archive of the books."""

    deals: int = Field(description="Deals and clients looked at.")
    corrected: int = Field(description="Of them, those that are corrected.")
    rows: int
    lines: tuple[Line, ...]
    undecided: tuple[Undecided, ...]
    positions: dict[str, int] = Field(description="Offset of each book's partition it was computed at.")
    fingerprint: str = Field(description="Digest of all rows: another one is another proposal.")


class Step(_Value):
    """Who did what to a proposal, and when."""

    state: State
    by: str
    at: datetime
    note: str = ""


class Proposal(_Value):
    """A correction somebody proposes and somebody else approves."""

    proposal_id: str
    state: State
    created_by: str
    created_at: datetime
    wanted: ProposalRequest
    preview: Preview
    steps: tuple[Step, ...]


CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])
PROPOSALS: TypeAdapter[list[Proposal]] = TypeAdapter(list[Proposal])
