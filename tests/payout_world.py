"""Payouts in memory: the books, the log, a ledger that may lag, a process that ends where it is told to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import localcontext

from api.ledger import Row
from api.operators import Operator
from commission.money import EXACT
from commission.outputs import Statement, Transfer
from commission.payouts.commands import AnyCommand, ClientCommand, PayoutAnswer
from commission.payouts.exchange import Exchange
from commission.payouts.log import Payouts
from commission.payouts.records import LineResult, Outcome
from commission.payouts.tax import Tax
from commission.terms.catalog import Terms
from commission.terms.records import TermsRecord
from infra.payouts.changes import ChangeDesk
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import exchange_of
from infra.payouts.files import Files
from schemas import topics
from schemas.payees import PayeeApproved, PayeeProposed, PayeeVersion, Versions
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import Told, at, told
from tests.payout_log import MemoryLog

ANN, BEN, CAT = (Operator(name, is_person=True) for name in ("ann", "ben", "cat"))


class Killed(Exception):
    """The process is gone."""


class World:
    """What outlives a process: the books and the logs."""

    def __init__(self, *terms: Record) -> None:
        self.pipeline = LocalPipeline()
        self.terms = Terms().learn(one for one in terms if isinstance(one, TermsRecord))
        self.payees: dict[str, Versions] = {}
        self.files = Files()
        self.said: list[Record] = list(self.pipeline.feed(terms))
        self.messages: list[bytes] = []
        self.now = at(60)
        self.effects: list[str] = []
        self.kill_at: int | None = None
        """The number of the effect at which the process ends, once."""
        self.closed_kyc: set[str] = set()
        self.is_stored = True
        """Whether the ledger shows what the books answered."""

    def effect(self, what: str) -> None:
        """Note an effect, or end the process there."""
        self.effects.append(what)
        if len(self.effects) - 1 == self.kill_at:
            raise Killed(what)

    def feed(self, records: Iterable[Record]) -> None:
        """Tell the books: rows and commands straight to the partner book, all else where it enters."""
        for record in records:
            if isinstance(record, Transfer | AnyCommand):
                self.said += self.pipeline.feed_batch(topics.PARTNER_BOOK, [record])
            else:
                self.said += self.pipeline.feed([record])

    def publish(self, commands: Sequence[AnyCommand | ClientCommand]) -> None:
        """As Kafka would take them: killed before all of them, or after half."""
        half = len(commands) // 2
        self.effect("before commands")
        self.feed(commands[:half])
        self.effect("between commands")
        self.feed(commands[half:])
        self.effect("after commands")

    def desk(self) -> PayoutDesk:
        """A process that has just started."""
        log = MemoryLog(self.messages, self.effect)
        return PayoutDesk(log, self, self.publish, self.tick, files=self.files, payees=lambda: self.payees)

    def pay_in(self, ib_id: str, currency: str, tax: Tax | None = None) -> None:
        """Let its newest details name a currency and a rule of tax."""
        self.payees[ib_id] = paid_in(ib_id, currency, self.payees.get(ib_id, ()), tax)

    def known(self) -> Payouts:
        """What counts of the log."""
        return MemoryLog(self.messages).known()

    def tick(self) -> datetime:
        """A second later each time it is asked."""
        self.now += timedelta(seconds=1)
        return self.now

    @property
    def told(self) -> Told:
        """What the books have said."""
        return told(self.said)

    # What the desk asks of the ledger

    def payable(self, period: str, currency: str) -> list[Row]:
        """The statements, and the advances of any time."""
        found = self.told
        gone = {one.statement_id for one in found.withdrawn}
        stated = [
            s for s in found.statements if s.period == period and s.payable and s.statement_id not in gone
        ]
        rows = [(s.ib_id, s.currency, s.payable, s.statement_id) for s in stated]
        rows += [
            (row.ib_id, row.currency, row.amount, row.caused_by.removeprefix("change|"))
            for row in found.transfers
            if row.code == "advance"
        ]
        return [
            {
                "ib_id": ib_id,
                "name": ib_id,
                "currency": currency,
                "amount": amount,
                "statement_id": statement_id,
                "is_followed": False,
                "kyc_approved": ib_id not in self.closed_kyc,
            }
            for ib_id, of, amount, statement_id in rows
            if of == currency
        ]

    def exchange(self, owed: str, paid: str, moment: datetime) -> Exchange | None:
        """By the rates among the terms."""
        with localcontext(EXACT):
            return exchange_of(self.terms, owed, paid, moment)

    def answers(self, batch_id: str) -> dict[str, str]:
        """By command, what the books made of it."""
        answers = [one for one in self.said if isinstance(one, PayoutAnswer) and one.batch_id == batch_id]
        return {one.answer_id: one.reason for one in answers} if self.is_stored else {}

    def answer_of(self, change_id: str) -> str | None:
        """What the books made of a change or hold."""
        found = [one for one in self.said if isinstance(one, PayoutAnswer) and one.subject_id == change_id]
        return found[0].reason if found and self.is_stored else None

    def open_since(self) -> datetime:
        """When the newest period that is closed ended."""
        return max((one.ends_at for one in self.told.statements), default=at(1))

    def change_desk(self) -> ChangeDesk:
        """A process that has just started."""
        return ChangeDesk(MemoryLog(self.messages, self.effect), self, self.publish, self.tick)


def paid_in(
    ib_id: str, currency: str, known: Versions = (), tax: Tax | None = None, kind: str = "bank"
) -> Versions:
    """Payee details, with one version more that names a currency and a rule of tax."""
    told = {"by": "dan", "at": at(1), "ib_id": ib_id, "version": len(known) + 1}
    proposed = PayeeProposed(**told, kind=kind, masked="m", sealed="s", currency=currency, tax=tax)  # type: ignore[arg-type]
    approved = PayeeApproved(**told)  # type: ignore[arg-type]
    return (*known, PayeeVersion(proposed=proposed, sealed="s", approved=approved))


def result(line_id: str, outcome: Outcome, reason: str = "") -> LineResult:
    """What a bank tells of a line."""
    return LineResult(line_id=line_id, outcome=outcome, reason=reason)


def statements(found: Told) -> dict[tuple[str, str], Statement]:
    """By IB and period, those in dollars."""
    return {(one.ib_id, one.period): one for one in found.statements if one.currency == "USD"}
