"""What the ledger tells of payouts: it may lag behind the books, so it only proposes, and they decide."""

from datetime import datetime
from typing import Protocol

from api.ledger import Ledger, Row
from api.queries.payouts import answer_of, answers, open_since, payable
from api.queries.periods import interval
from api.views.terms import known_terms
from commission.payouts.batch import Batch
from commission.payouts.batch_commands import commands
from commission.payouts.commands import LineCommand
from commission.payouts.exchange import Exchange
from commission.terms.catalog import Terms


class Facts(Protocol):
    """What is asked before something is decided."""

    def payable(self, period: str, currency: str) -> list[Row]:
        """What the period's statements and advances made payable, whatever became of it."""

    def exchange(self, owed: str, paid: str, at: datetime) -> Exchange | None:
        """The newest published rate between two currencies; None if there is none that is new enough."""

    def answers(self, batch_id: str) -> dict[str, str]:
        """By command, what the books made of it: "", or why it was refused. One may be missing still."""

    def answer_of(self, change_id: str) -> str | None:
        """What the books made of a change or hold: "", or why it was refused; None if it is not known."""

    def open_since(self) -> datetime:
        """When the newest period that is closed ended: what belongs to a later time, no statement has."""


def unanswered(facts: Facts, batch: Batch) -> list[LineCommand]:
    """What the books are commanded for a batch and have not answered, as far as the ledger knows."""
    told = facts.answers(batch.batch_id)
    return [one for one in commands(batch) if one.command_id not in told]


def exchange_of(terms: Terms, owed: str, paid: str, at: datetime) -> Exchange | None:
    """The newest rate that the terms have between two currencies."""
    found = terms.convert(owed, paid, at)
    if found is None:
        return None
    return Exchange(currency=paid, times=found.times, over=found.over, path=found.path, at=at)


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

    def exchange(self, owed: str, paid: str, at: datetime) -> Exchange | None:
        """The newest published rate between two currencies."""
        return exchange_of(known_terms(self._ledger), owed, paid, at)

    def answers(self, batch_id: str) -> dict[str, str]:
        """By command, what the books made of it."""
        return answers(self._ledger, batch_id)

    def answer_of(self, change_id: str) -> str | None:
        """What the books made of a change or hold."""
        return answer_of(self._ledger, change_id)

    def open_since(self) -> datetime:
        """When the newest period that is closed ended."""
        return open_since(self._ledger)
