"""What the API asks of whoever computes and posts proposals: `infra` does, for it knows all rooms."""

from typing import Protocol

from api.operators import Operator
from schemas.errors import Unusable
from schemas.proposals import Change, Proposal, ProposalRequest


class ProposalRefused(Unusable):
    """It may not be done now, or not by this person; the message says what to do instead."""


class UnknownProposal(Unusable):
    """No proposal has that id."""


class Proposals(Protocol):
    """Proposals to correct what is posted."""

    def create(self, wanted: ProposalRequest, by: Operator, key: str = "") -> Proposal:
        """Compute what it would post, and keep it; with the same key again it is the same one."""

    def newest(self, limit: int, after: tuple[str, str] | None = None) -> list[Proposal]:
        """The newest ones, from after the given creation time and id on."""

    def get(self, proposal_id: str) -> Proposal:
        """One, or `UnknownProposal`."""

    def changes(self, proposal_id: str, start: int, end: int) -> tuple[Change, ...]:
        """Rows it would post, or has posted, from `start` to before `end`."""

    def approve(self, proposal_id: str, by: Operator, note: str = "") -> Proposal:
        """Post it, if another person created it and it is still what was previewed."""

    def reject(self, proposal_id: str, by: Operator, note: str) -> Proposal:
        """Never post it."""

    def post(self, proposal_id: str, by: Operator) -> Proposal:
        """Post again what was approved and, for a crash or a failure, not posted to the end."""
