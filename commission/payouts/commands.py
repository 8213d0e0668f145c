"""What an IB's book is commanded about its payouts, and its answer: the book alone decides.

A command is known by all that it says: written again it is the same command, and does nothing more.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta

from commission.ids import digest
from commission.money import payable_unit, plain
from commission.payouts.exchange import Exchange
from commission.payouts.tax import Tax
from commission.value import MAX_TEXT, TaggedValue, Text, Time

Id = Annotated[str, Meta(max_length=64)]
Name = Annotated[str, Meta(max_length=128)]
"""Who did something."""
Reason = Annotated[str, Meta(max_length=500)]
MAX_AMOUNT: Final = Decimal(10) ** 18
"""No amount is as large; one that is moves nothing."""

ChangeKind = Literal["adjustment", "write_off", "advance"]
"""`adjustment`: what an IB gets, or with a minus gives back, on the open statement; `write_off`: of a balance
below zero; `advance`: payable now, and taken from the open statement."""


class PayoutCommand(TaggedValue):
    """One of the commands below."""

    @property
    def command_id(self) -> str:
        """A digest of all that it says; what is None is not said."""
        said = (getattr(self, name) for name in self.__struct_fields__)
        return digest(self.type, *(str(one) for one in said if one is not None))


class LockLine(PayoutCommand, tag="lock_line"):
    """Take what statements made payable out of the IB's account, to be paid by one line of a batch."""

    ib_id: Text
    line_id: Id
    batch_id: Id
    currency: Id
    amount: Decimal
    statement_ids: tuple[Id, ...]
    """Each whole; an advance by the id of its change."""
    at: Time
    created_by: Name
    approved_by: Name
    exchange: Exchange | None = None
    """Of a line that is paid in another currency."""
    tax: Tax | None = None
    """What is paid besides, or kept back, of an IB that has a rule."""


class UnlockLine(PayoutCommand, tag="unlock_line"):
    """The batch was cancelled: what the line took is payable again, and no later lock of it counts."""

    ib_id: Text
    line_id: Id
    batch_id: Id
    at: Time
    by: Name
    reason: Reason


class SettleLine(PayoutCommand, tag="settle_line"):
    """The bank, or whoever pays, has paid the line."""

    ib_id: Text
    line_id: Id
    batch_id: Id
    at: Time
    by: Name
    reason: Reason = ""


class ReturnLine(PayoutCommand, tag="return_line"):
    """It was not paid, or came back after it was: it is payable again."""

    ib_id: Text
    line_id: Id
    batch_id: Id
    at: Time
    by: Name
    reason: Reason


class ChangeBalance(PayoutCommand, tag="change_balance"):
    """Money that no rule gives, moved by two people for a reason."""

    ib_id: Text
    change_id: Id
    kind: ChangeKind
    currency: Id
    amount: Decimal
    """Below zero only of an adjustment, which then takes from the IB."""
    reason: Reason
    attachment: Id = ""
    """SHA-256 of the document behind it, in hex."""
    at: Time
    created_by: Name
    approved_by: Name


def why_no_amount(kind: ChangeKind, amount: Decimal, currency: str) -> str:
    """Why nobody's balance is changed by an amount, whatever it is; "" if it may be."""
    if abs(amount) >= MAX_AMOUNT:
        return "the amount is beyond all that is paid"
    if amount != amount.quantize(payable_unit(currency)):
        return f"{plain(amount)} has more digits than {currency} is paid with"
    if not amount or (amount < 0 and kind != "adjustment"):
        return f"an amount of {plain(amount)} moves nothing" if not amount else "the amount is above zero"
    return ""


class HoldPayouts(PayoutCommand, tag="hold_payouts"):
    """No line may take the IB's money, or one statement's, until the hold is released."""

    ib_id: Text
    change_id: Id
    statement_id: Id = ""
    """Empty: all of the IB."""
    reason: Reason
    at: Time
    by: Name


class ReleasePayouts(PayoutCommand, tag="release_payouts"):
    """Ends a hold: by somebody other than who held."""

    ib_id: Text
    change_id: Id
    statement_id: Id = ""
    reason: Reason
    at: Time
    by: Name


class HoldClient(PayoutCommand, tag="hold_client"):
    """Keep what a client earns IBs out of what is payable: to the client's book, which knows its accruals."""

    client_id: Text
    ib_id: Text = ""
    """The one IB that it is held for; empty: whoever earns of the client."""
    change_id: Id
    since: Time
    """Accruals that belong to a statement of this time or later are held, and all that is posted anew."""
    reason: Reason
    at: Time
    by: Name


class ReleaseClient(PayoutCommand, tag="release_client"):
    """Ends a client's hold: by somebody other than who held."""

    client_id: Text
    ib_id: Text = ""
    """As it was held: for one IB, or for all of them."""
    change_id: Id
    reason: Reason
    at: Time
    by: Name


LineCommand = LockLine | UnlockLine | SettleLine | ReturnLine
OtherCommand = ChangeBalance | HoldPayouts | ReleasePayouts
AnyCommand = LineCommand | OtherCommand
"""To the book of an IB."""
ClientCommand = HoldClient | ReleaseClient
"""To the book of a client."""


class PayoutAnswer(TaggedValue, tag="payout_answer"):
    """What the IB's book made of a command: it was done, or refused for a reason and changed nothing."""

    answer_id: Id
    """The command's id."""
    command: Text
    """Its type."""
    subject_id: Id
    """Its line or change."""
    batch_id: Id = ""
    ib_id: Text
    is_accepted: bool
    reason: Text = ""
    """Why it was refused."""
    at: Time
    """When it was commanded."""

    @classmethod
    def to(
        cls, command: AnyCommand | ClientCommand, subject_id: str, why: str, batch_id: str = ""
    ) -> "PayoutAnswer":
        """The answer to a command: done, or with a reason refused."""
        return cls(
            answer_id=command.command_id,
            command=command.type,
            subject_id=subject_id,
            batch_id=batch_id,
            ib_id=command.ib_id,
            is_accepted=not why,
            reason=why[:MAX_TEXT],
            at=command.at,
        )
