"""What two people change of an IB's balance, and holds: from the log to what the books are commanded."""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from commission.payouts.batch import Refusal
from commission.payouts.commands import (
    ChangeBalance,
    ClientCommand,
    HoldClient,
    HoldPayouts,
    OtherCommand,
    ReleaseClient,
    ReleasePayouts,
    why_no_amount,
)
from commission.payouts.records import ChangeDecided, ChangeRequested, PayoutsHeld
from commission.two_people import are_two_people
from commission.value import Value


class Change(Value):
    """A change as its log has it."""

    asked: ChangeRequested | PayoutsHeld
    state: Literal["requested", "approved", "rejected"]
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""


def asked(record: ChangeRequested | PayoutsHeld) -> Change | Refusal:
    """A new change; a hold, and its release, need nobody else's approval: the books want another person."""
    if not record.reason.strip():
        return Refusal("say why")
    if isinstance(record, PayoutsHeld):
        why = _why_not_held(record)
    else:
        why = why_no_amount(record.kind, record.amount, record.currency)
    if why:
        return Refusal(why)
    return Change(asked=record, state="requested" if isinstance(record, ChangeRequested) else "approved")


def decided(record: ChangeDecided, change: Change) -> Change | Refusal:
    """The change with the decision of another person."""
    if change.state != "requested":
        return Refusal(f"{record.change_id} is {change.state}: it is decided once")
    if record.is_approved and not are_two_people(record.by, change.asked.by):
        return Refusal(f"{change.asked.by} asked for {record.change_id}; another person approves it")
    state: Literal["approved", "rejected"] = "approved" if record.is_approved else "rejected"
    return replace(change, state=state, decided_by=record.by, decided_at=record.at, note=record.reason)


def command(change: Change) -> OtherCommand | ClientCommand | None:
    """What the books must have been commanded for it; None while it is not approved."""
    asked, at = change.asked, change.decided_at
    if isinstance(asked, PayoutsHeld) and asked.client_id:
        return _of_client(asked)
    if isinstance(asked, PayoutsHeld):
        kind = ReleasePayouts if asked.is_released else HoldPayouts
        return kind(
            ib_id=asked.ib_id,
            change_id=asked.change_id,
            statement_id=asked.statement_id,
            reason=asked.reason,
            at=asked.at,
            by=asked.by,
        )
    if change.state != "approved" or at is None:
        return None
    return ChangeBalance(
        ib_id=asked.ib_id,
        change_id=asked.change_id,
        kind=asked.kind,
        currency=asked.currency,
        amount=asked.amount,
        reason=asked.reason,
        attachment=asked.attachment,
        at=at,
        created_by=asked.by,
        approved_by=change.decided_by,
    )


def _why_not_held(record: PayoutsHeld) -> str:
    if not record.client_id:
        return "" if record.ib_id else "say whose payouts: an IB's, or a client"
    if record.statement_id:
        return "a statement is held, or a client's accruals: not both at once"
    return "" if record.is_released or record.since is not None else "say since when the client is held"


def _of_client(asked: PayoutsHeld) -> ClientCommand:
    if asked.is_released or asked.since is None:
        return ReleaseClient(
            client_id=asked.client_id,
            ib_id=asked.ib_id,
            change_id=asked.change_id,
            reason=asked.reason,
            at=asked.at,
            by=asked.by,
        )
    return HoldClient(
        client_id=asked.client_id,
        ib_id=asked.ib_id,
        change_id=asked.change_id,
        since=asked.since,
        reason=asked.reason,
        at=asked.at,
        by=asked.by,
    )
