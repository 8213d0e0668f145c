"""Keeps statements that a proposal withdraws out of every batch: either has them, never both."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from api.payouts import PayoutRefused
from api.proposals import ProposalRefused
from commission.payouts.log import Payouts
from commission.payouts.records import StatementsWithheld
from infra.payouts.facts import Facts, unanswered
from infra.payouts.log import PayoutLog

MAX_STATEMENTS = 50_000
"""Of one record."""


class Withholding:
    """What proposals ask of the log of payouts."""

    def __init__(
        self, log: PayoutLog, facts: Facts, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log, self._facts, self._now = log, facts, now

    def check_unexported(self, period: str, statement_ids: Sequence[str]) -> None:
        """Raise `ProposalRefused` if a batch has one of the statements."""
        record, known = self._record(period, statement_ids, "", "", 0), self._log.known()
        if why := known.why_not(record):
            raise _refused(period, why)
        # What is free by the log may be out by the books: a crash left what gives it back unwritten.
        for batch in known.batches.values():
            if batch.period == period and (missing := len(unanswered(self._facts, batch))):
                raise ProposalRefused(
                    f"{missing} commands of {batch.batch_id} have no answer of the books: write them again "
                    f"with `ibflow payouts resume {batch.batch_id}` first"
                )

    def withhold(self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str) -> None:
        """Let no batch have the statements from here on; raise `ProposalRefused` if one has some of them."""
        self.check_unexported(period, statement_ids)
        for first in range(0, len(statement_ids), MAX_STATEMENTS):
            part = statement_ids[first : first + MAX_STATEMENTS]

            def make(known: Payouts, place: int, part: Sequence[str] = part) -> StatementsWithheld | None:
                rest = [one for one in part if known.withheld.get(one) != proposal_id]
                return self._record(period, rest, by, proposal_id, place) if rest else None

            try:
                self._log.decide(make)
            except PayoutRefused as refused:
                raise _refused(period, str(refused)) from None

    def _record(
        self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str, place: int
    ) -> StatementsWithheld:
        return StatementsWithheld(
            place=place,
            by=by,
            at=self._now(),
            proposal_id=proposal_id,
            period=period,
            statement_ids=tuple(statement_ids),
        )


def _refused(period: str, why: str) -> ProposalRefused:
    return ProposalRefused(
        f"{why}: the end of {period} stays while they are to be paid; cancel what was not exported "
        "(`ibflow payouts cancel`), else correct what it states with `ibflow proposals create`"
    )
