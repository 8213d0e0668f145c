"""The log of proposals: corrections that people asked for, and what was decided, each with who, when and why.

As in the log of payouts a record counts only at the place where its maker expected it.
"""

from commission.payouts.commands import Id, Reason
from commission.payouts.records import LogRecord
from commission.value import TaggedValue, Text

ROWS_OF_PART = 2_000


class RowsWritten(TaggedValue, tag="proposal_rows"):
    """Some of the rows that a proposal would post; all parts stand before the record that names them."""

    rows_id: Id
    """A digest of all the rows: parts of one id are the same, whoever wrote them."""
    part: int
    """From 0 on: each has `ROWS_OF_PART` rows, the last may have fewer."""
    rows: str
    """A list in JSON, which is for people: nothing is decided by it here."""


class ProposalRecord(LogRecord):
    """A record of one proposal."""

    proposal_id: Id
    reason: Reason = ""
    """Why, in its maker's words."""


class ProposalCreated(ProposalRecord, tag="proposal_created"):
    """Somebody asks for a correction."""

    wanted: str
    """What is asked for, in JSON."""
    preview: str
    """What it would change, in JSON."""
    rows_id: Id
    parts: int
    reopens: Text = ""
    """The period whose end it takes back; empty: it rates deals again."""


class ProposalApproved(ProposalRecord, tag="proposal_approved"):
    """Another person decides that it is posted: from here on it will be."""


class ProposalRejected(ProposalRecord, tag="proposal_rejected"):
    """It is never posted."""


class ProposalPosted(ProposalRecord, tag="proposal_posted"):
    """Everything that follows from the approval is written."""


Decision = ProposalApproved | ProposalRejected | ProposalPosted
AnyProposalRecord = RowsWritten | ProposalCreated | Decision
