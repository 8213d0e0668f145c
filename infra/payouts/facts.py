"""What the ledger tells of payouts: it may lag behind the books, so it only proposes, and they decide."""

from typing import Protocol

from api.ledger import Ledger, Row
from api.queries.payouts import answer_of, answers, payable
from api.queries.periods import interval


class Facts(Protocol):
    """What is asked before something is decided."""

    def payable(self, period: str, currency: str) -> list[Row]:
        """What the period's statements and advances made payable, whatever became of it."""

    def answers(self, batch_id: str) -> dict[str, str]:
        """By command, what the books made of it: "", or why it was refused. One may be missing still."""

    def answer_of(self, change_id: str) -> str | None:
        """What the books made of a change or hold: "", or why it was refused; None if it is not known."""


class LedgerFacts:
    """Of the database."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def payable(self, period: str, currency: str) -> list[Row]:
        """What the period's statements and advances made payable, whatever became of it."""
        lines = payable(self._ledger, period, currency)
        if not lines:
            interval(self._ledger, period)  # an unknown period is a mistake
        return lines

    def answers(self, batch_id: str) -> dict[str, str]:
        """By command, what the books made of it."""
        return answers(self._ledger, batch_id)

    def answer_of(self, change_id: str) -> str | None:
        """What the books made of a change or hold."""
        return answer_of(self._ledger, change_id)
