"""The log of proposals as a whole: which records count, and what stands by them."""

from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec.structs import replace

from commission.proposals.records import (
    AnyProposalRecord,
    Decision,
    ProposalApproved,
    ProposalCreated,
    ProposalPosted,
    ProposalRejected,
    RowsWritten,
)
from commission.two_people import are_two_people
from commission.value import Value

State = Literal["created", "approved", "rejected", "posted"]
_STATES: Final[dict[type[Decision], State]] = {
    ProposalApproved: "approved",
    ProposalRejected: "rejected",
    ProposalPosted: "posted",
}


class KnownProposal(Value):
    """A proposal as its log has it."""

    created: ProposalCreated
    rows_at: tuple[int, ...]
    """Offsets of its rows' parts."""
    decisions: tuple[Decision, ...] = ()

    @property
    def state(self) -> State:
        """What the newest of its records makes of it."""
        return state_of(self.decisions[-1]) if self.decisions else "created"

    @property
    def approved(self) -> ProposalApproved | None:
        """The approval, once there is one."""
        return next((one for one in self.decisions if isinstance(one, ProposalApproved)), None)

    @property
    def last_by(self) -> str:
        """Who made the newest of its records."""
        return self.decisions[-1].by if self.decisions else self.created.by


def state_of(decision: Decision) -> State:
    """What a decision makes of a proposal."""
    return _STATES[type(decision)]


@dataclass(slots=True)
class Proposals:
    """Everything that counts, record by record; the same log gives the same to everyone who reads it."""

    known: dict[str, KnownProposal] = field(default_factory=dict)
    """In the order in which they were created."""
    rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By the digest of all rows, where their parts stand, as far as they do."""

    def why_not(self, record: AnyProposalRecord) -> str:
        """Why a record would not count here; "" if it would."""
        match record:
            case RowsWritten():
                return ""
            case ProposalCreated():
                return self._why_not_created(record)
        proposal = self.known.get(record.proposal_id)
        if proposal is None:
            return f"no proposal {record.proposal_id}"
        return self._why_not_decided(record, proposal)

    def add(self, record: AnyProposalRecord, offset: int) -> bool:
        """Take in the record that stands at an offset; whether it counts."""
        if isinstance(record, RowsWritten):
            self._add_rows(record, offset)
            return True
        if record.place != offset or self.why_not(record):
            return False
        if isinstance(record, ProposalCreated):
            found = KnownProposal(created=record, rows_at=self.rows.get(record.rows_id, ()))
        else:
            before = self.known[record.proposal_id]
            found = replace(before, decisions=(*before.decisions, record))
        self.known[record.proposal_id] = found
        return True

    def _add_rows(self, record: RowsWritten, offset: int) -> None:
        """Parts follow each other from 0 on; one that is there, or follows nothing, adds nothing."""
        before = self.rows.get(record.rows_id, ()) if record.part else ()
        if record.part == len(before):
            self.rows[record.rows_id] = (*before, offset)

    def _why_not_created(self, record: ProposalCreated) -> str:
        if record.proposal_id in self.known:
            return f"{record.proposal_id} is known"
        if len(self.rows.get(record.rows_id, ())) != record.parts:
            return f"rows of {record.proposal_id} are missing"
        return "" if record.reason.strip() else "say why"

    def _why_not_decided(self, record: Decision, proposal: KnownProposal) -> str:
        name, created = record.proposal_id, proposal.created
        if isinstance(record, ProposalPosted):
            return "" if proposal.state == "approved" else f"{name} is {proposal.state}, and not approved"
        if proposal.state != "created":
            return f"{name} was {proposal.state} by {proposal.last_by} already"
        if isinstance(record, ProposalRejected):
            return ""
        if not are_two_people(record.by, created.by):
            return f"{name} was created by {created.by}; a second person approves it"
        return self._why_not_yet(created.reopens)

    def _why_not_yet(self, period: str) -> str:
        """An end is taken back by one proposal at a time: one that was posted late would do it once more."""
        for other in self.known.values():
            if period and other.created.reopens == period and other.state == "approved":
                return f"{other.created.proposal_id} takes back the end of {period}, and is not posted yet"
        return ""
