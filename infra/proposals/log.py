"""The log of proposals: what was asked for, the rows it would post, and what was decided."""

from collections.abc import Sequence

from api.proposals import ProposalRefused
from commission.proposals.log import KnownProposal, Proposals
from commission.proposals.records import ROWS_OF_PART, AnyProposalRecord, RowsWritten
from infra.decision_log import DecisionLog
from schemas.errors import Unavailable
from schemas.proposals import CHANGES, Change, decode_proposal, encode_proposal
from schemas.topics import PROPOSALS


class ProposalLog(DecisionLog[Proposals, AnyProposalRecord]):
    """What counts of the topic `proposals`."""

    topic, refused = PROPOSALS, ProposalRefused

    def __init__(self, kafka: str) -> None:
        super().__init__(kafka, Proposals())

    def encode(self, record: AnyProposalRecord) -> bytes:
        """A record as its message."""
        return encode_proposal(record)

    def decode(self, message: bytes) -> AnyProposalRecord | None:
        """A message as its record."""
        return decode_proposal(message)

    def write_rows(self, rows_id: str, rows: Sequence[Change]) -> int:
        """Write what is not there of all rows, in parts; how many parts they are."""
        starts = range(0, len(rows), ROWS_OF_PART)
        if len(self.known().rows.get(rows_id, ())) != len(starts):
            for part, start in enumerate(starts):
                text = CHANGES.dump_json(tuple(rows[start : start + ROWS_OF_PART])).decode()
                self.append(RowsWritten(rows_id=rows_id, part=part, rows=text))
        return len(starts)

    def read_rows(self, proposal: KnownProposal, start: int, end: int) -> tuple[Change, ...]:
        """A proposal's rows from `start` to before `end`; raise `Unavailable` if Kafka lacks them."""
        first = start // ROWS_OF_PART
        offsets = proposal.rows_at[first : -(-end // ROWS_OF_PART)]
        found: list[Change] = []
        with self._deciding:
            for message in self._log.at(*offsets):
                record = self.decode(message)
                if not isinstance(record, RowsWritten) or record.rows_id != proposal.created.rows_id:
                    raise Unavailable(f"Kafka has lost rows of {proposal.created.proposal_id}")
                found += CHANGES.validate_json(record.rows)
        skipped = first * ROWS_OF_PART
        return tuple(found[start - skipped : end - skipped])
