"""Where each IB is paid: versions that one person proposes and another approves, as records of one log.

A record has the details sealed and masked, never in full; keys are in the settings of whoever may open them.
The order of the log alone says what counts: `folded` refuses the rest, with a reason.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from commission.payouts.tax import Tax
from commission.two_people import are_two_people
from commission.value import TaggedValue, Text, Time, Value

Sealed = Annotated[str, Meta(max_length=4096)]
Version = Annotated[int, Meta(ge=1, le=1_000_000)]


class PayeeProposed(TaggedValue, tag="payee_proposed"):
    """Details that an IB is to be paid to from some approval on; `version` counts from 1 for each IB."""

    ib_id: Text
    version: Version
    kind: Text
    masked: Text
    sealed: Sealed
    by: Text
    at: Time
    note: Text = ""
    currency: Annotated[str, Meta(max_length=8)] = ""
    """What it is paid in, whatever it is owed; "": as it is owed."""
    tax: Tax | None = None
    """By which rule it is billed; None: it has no invoices."""


class PayeeApproved(TaggedValue, tag="payee_approved"):
    """A second person saw a version: it is valid from here on."""

    ib_id: Text
    version: Version
    by: Text
    at: Time


class PayeeRejected(TaggedValue, tag="payee_rejected"):
    """A version that never counts; whoever proposed it may take it back."""

    ib_id: Text
    version: Version
    by: Text
    at: Time
    note: Text = ""


class PayeeResealed(TaggedValue, tag="payee_resealed"):
    """The same details under a newer key."""

    ib_id: Text
    version: Version
    sealed: Sealed
    by: Text
    at: Time


PayeeRecord = PayeeProposed | PayeeApproved | PayeeRejected | PayeeResealed
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(PayeeRecord)


class PayeeVersion(Value):
    """One version and what became of it; `sealed` is by the newest key it was sealed with."""

    proposed: PayeeProposed
    sealed: Sealed
    approved: PayeeApproved | None = None
    rejected: PayeeRejected | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for a second person."""
        return self.approved is None and self.rejected is None

    @property
    def state(self) -> str:
        """`proposed`, `approved` or `rejected`."""
        return "proposed" if self.is_open else "approved" if self.approved is not None else "rejected"

    @property
    def people(self) -> frozenset[str]:
        """Who proposed and who approved it: a payout to it is approved by others."""
        return frozenset({self.proposed.by} | ({self.approved.by} if self.approved else set()))


Versions = tuple[PayeeVersion, ...]
"""Of one IB, the first one first."""


class Refusal(Value):
    """A record that counts for nothing, and why."""

    record: PayeeRecord
    why: str


def encode_payee(record: PayeeRecord) -> bytes:
    """One message of the topic."""
    return _ENCODER.encode(record)


def decode_payee(message: bytes | str) -> PayeeRecord | None:
    """Read one message of the topic; None if it is no record of it, for everyone alike."""
    try:
        return _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def folded(versions: Versions, record: PayeeRecord) -> Versions | Refusal:
    """The versions of the record's IB after it, or why it does not count. Nothing else decides."""
    if isinstance(record, PayeeProposed):
        return _with_proposal(versions, record)
    version = versions[record.version - 1] if record.version <= len(versions) else None
    if version is None:
        return Refusal(record=record, why=f"{record.ib_id} has no version {record.version}")
    after = _after(version, record)
    return after if isinstance(after, Refusal) else _with(versions, after)


def valid_version(versions: Versions, as_of: datetime | None = None) -> PayeeVersion | None:
    """The one to pay to: the newest that was approved, until `as_of` if it is given; None if there is none.

    A version that waits or was rejected leaves the one before it valid.
    """
    approved = [
        one for one in versions if one.approved is not None and (as_of is None or one.approved.at <= as_of)
    ]
    return approved[-1] if approved else None


def _after(
    version: PayeeVersion, record: PayeeApproved | PayeeRejected | PayeeResealed
) -> PayeeVersion | Refusal:
    if isinstance(record, PayeeResealed):
        return replace(version, sealed=record.sealed)
    if not version.is_open:
        return Refusal(record=record, why=f"version {record.version} was {version.state} before")
    if isinstance(record, PayeeRejected):
        return replace(version, rejected=record)
    if not are_two_people(record.by, version.proposed.by):
        return Refusal(record=record, why=f"{record.by} proposed it; a second person approves it")
    return replace(version, approved=record)


def _with_proposal(versions: Versions, record: PayeeProposed) -> Versions | Refusal:
    waiting = next((one.proposed.version for one in versions if one.is_open), None)
    if waiting is not None:
        return Refusal(record=record, why=f"version {waiting} still waits to be approved or rejected")
    if record.version != len(versions) + 1:
        return Refusal(record=record, why=f"the next version is {len(versions) + 1}, not {record.version}")
    return (*versions, PayeeVersion(proposed=record, sealed=record.sealed))


def _with(versions: Versions, changed: PayeeVersion) -> Versions:
    at = changed.proposed.version - 1
    return (*versions[:at], changed, *versions[at + 1 :])
