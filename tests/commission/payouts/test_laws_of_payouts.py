"""Whatever people do to batches and balances, in any order and again: nobody is paid twice, or too much.

The books and the log are driven by anybody: commands arrive late, in part, and repeated; results contradict
each other; some commands follow from no batch at all.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, localcontext
from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from commission import accounts
from commission.books import client as client_book
from commission.books import partner as partner_book
from commission.client.on_hold import OnHold
from commission.client.state import ClientState
from commission.draft import Draft
from commission.events import RoutedDeal
from commission.ids import digest
from commission.ledger import balances
from commission.money import EXACT
from commission.outputs import Statement, StatementWithdrawn, Transfer
from commission.partner import closing
from commission.partner.balances import PartnerState, partner_key
from commission.partner.payable import PayoutState, state_key
from commission.payouts.batch import Batch
from commission.payouts.batch_commands import commands
from commission.payouts.changes import command as command_of
from commission.payouts.commands import AnyCommand, ClientCommand, LockLine, PayoutAnswer
from commission.payouts.exchange import Exchange
from commission.payouts.log import Payouts
from commission.payouts.records import (
    BatchApproved,
    BatchCancelled,
    BatchCreated,
    BatchExported,
    BatchSubmitted,
    ChangeDecided,
    ChangeRequested,
    InvoicesIssued,
    Line,
    LineReason,
    LineResult,
    LinesExcluded,
    LinesRefused,
    PayoutRecord,
    PayoutsHeld,
    ResultsImported,
    StatementsWithheld,
)
from commission.payouts.tax import Tax
from commission.terms.catalog import Terms
from commission.two_people import are_two_people
from tests.build import SYMBOLS, at, deal, ended, partner, per_lot, period, plan, registered, reopened
from tests.commission.books.partner_rows import earned
from tests.commission.laws import LAW

IBS, CURRENCIES, PEOPLE = ("north", "south"), ("USD", "JPY"), ("ann", "ben", " Ann ", "cat")
MONTHS = ("2026-09", "2026-10", "2026-11", "2026-12")
LIVE = ("included", "settled", "unknown")
RATES = ("", "1", "467.11")
"""Thirds of the other currency for one; "": it is paid as it is owed."""
TAXES = {
    "north": Tax(kind="vat", percent=Decimal("7.7")),
    "south": Tax(kind="withholding", percent=Decimal(30)),
}
ANNAS = (SYMBOLS[0], plan("silver USD", per_lot("*=5")), partner("north USD silver"))
"""What a lot of anna's earns north."""
people, ibs, currencies = (st.sampled_from(some) for some in (PEOPLE, IBS, CURRENCIES))
outcomes = st.sampled_from(("settled", "rejected", "unknown"))
kinds = st.sampled_from(("adjustment", "write_off", "advance"))
Place = tuple[str, str]


class Settlement(RuleBasedStateMachine):
    """The books of two IBs, the log of payouts, and everybody who does something."""

    def __init__(self) -> None:
        super().__init__()
        self.terms = Terms().learn([*map(period, MONTHS), *(partner(f"{one} USD") for one in IBS), *ANNAS])
        self.state: dict[str, Any] = {}
        self.client: dict[str, Any] = {}
        self.rows: list[Transfer] = []
        self.statements: dict[str, Statement] = {}
        self.withdrawn: set[str] = set()
        self.answers: dict[str, PayoutAnswer] = {}
        self.locks: dict[str, LockLine] = {}
        self.log, self.offset, self.numbers = Payouts(), 0, count()
        self.closed = 0

    # What happens around payouts

    @rule(
        ib=ibs,
        currency=currencies,
        cents=st.sampled_from((-3_000, -1, 1, 333, 5_000)),
        day=st.integers(1, 120),
    )
    def earn(self, ib: str, currency: str, cents: int, day: int) -> None:
        """An IB earns, or something of it is taken back."""
        amount, pending = Decimal(cents) / 100, f"ib:{ib}:pending"
        side = {"credit": pending} if cents > 0 else {"debit": pending}
        row = earned(
            str(amount), currency, day=day, ib_id=ib, transfer_id=f"row {next(self.numbers)}", **side
        )
        self.rows.append(row)
        self.fold(lambda draft: partner_book.apply(draft, row, self.terms))

    @rule(number=st.integers(1, 3), lots=st.integers(0, 3), day=st.integers(1, 120))
    def trade(self, number: int, lots: int, day: int) -> None:
        """A client of north trades, or one of its deals is changed or cancelled."""
        one = deal(f"{number} buy 1 EURUSD out", day=day, revision=f"r{next(self.numbers)}")
        one = replace(one, volume_e8=lots * 10**8, kind="trade" if lots else "cancelled")
        self.tell_client(RoutedDeal(client_id="anna", deal=one))

    def tell_client(self, record: Any) -> None:
        """What the client's book says goes on to the IB's."""
        draft = Draft.over(self.client)
        with localcontext(EXACT):
            client_book.apply(draft, record, self.terms)
        self.client |= draft.writes
        for said in draft.outputs:
            match said:
                case Transfer():
                    self.rows.append(said)
                    self.fold(lambda draft, said=said: partner_book.apply(draft, said, self.terms))
                case PayoutAnswer():
                    self.answers[said.answer_id] = said

    @initialize(north=st.integers(1, 9_000), south=st.integers(1, 9_000))
    def begin(self, north: int, south: int) -> None:
        """Both have something to be paid."""
        self.earn("north", "USD", north, 3)
        self.earn("south", "USD", south, 3)
        self.tell_client(registered("anna north"))
        self.close()

    @precondition(lambda self: self.closed < len(MONTHS))
    @rule()
    def close(self) -> None:
        """The next month closes."""
        self.fold(lambda draft: closing.close(draft, ended(MONTHS[self.closed]), self.terms))
        self.closed += 1

    @precondition(lambda self: self.closed > 0)
    @rule()
    def reopen(self) -> None:
        """The newest end is taken back; the books keep what is in a payout, and all of it closes again."""
        record = reopened(MONTHS[self.closed - 1], proposal_id=f"p-{next(self.numbers)}")
        self.fold(lambda draft: closing.reopen(draft, record, self.terms))
        self.fold(lambda draft: closing.close(draft, ended(record.period), self.terms))

    # What people do

    @rule(
        by=people,
        currency=currencies,
        month=st.integers(0, 3),
        others=st.booleans(),
        rate=st.sampled_from(RATES),
    )
    def create(self, by: str, currency: str, month: int, *, others: bool, rate: str = "") -> None:
        """A batch of a month, as far as somebody knows: withdrawn and taken statements may be in it."""
        batch_id, own = f"b{next(self.numbers)}", defaultdict(list)
        for name, one in self.statements.items():
            is_right = others or (name not in self.log.taken and name not in self.withdrawn)
            if (one.period, one.currency) == (MONTHS[month], currency) and one.payable and is_right:
                own[one.ib_id].append(one)
        lines = tuple(
            Line(
                line_id=digest(batch_id, ib_id),
                ib_id=ib_id,
                name=ib_id,
                amount=sum((one.payable for one in some), Decimal(0)),
                statement_ids=tuple(one.statement_id for one in some),
                tax=TAXES[ib_id],
            )
            for ib_id, some in sorted(own.items())
        )
        told = self.told(by, batch_id)
        other = {"USD": "JPY", "JPY": "USD"}[currency]
        exchange = (
            Exchange(currency=other, times=Decimal(rate), over=Decimal(3), path="", at=at(1))
            if rate
            else None
        )
        self.write(
            BatchCreated(
                **told,
                period=MONTHS[month],
                currency=currency,
                minimum=Decimal(0),
                lines=lines,
                exchange=exchange,
            )
        )

    @rule(by=people, data=st.data())
    def exclude(self, by: str, data: st.DataObject) -> None:
        """A line is left out."""
        if batch := self.some_batch(data):
            line = data.draw(st.sampled_from([*batch.lines]))
            out = (LineReason(line_id=line, reason="disputed"),)
            self.write(LinesExcluded(**self.told(by, batch.batch_id), lines=out))

    @rule(by=people, kind=st.sampled_from((BatchSubmitted, BatchApproved)), data=st.data())
    def step(self, by: str, kind: type[BatchSubmitted | BatchApproved], data: st.DataObject) -> None:
        """Somebody submits or approves."""
        if batch := self.some_batch(data):
            self.write(kind(**self.told(by, batch.batch_id)))

    @rule(by=people, data=st.data())
    def cancel(self, by: str, data: st.DataObject) -> None:
        """Somebody cancels."""
        if batch := self.some_batch(data):
            self.write(BatchCancelled(**self.told(by, batch.batch_id), reason="wrong"))

    @rule(by=people, data=st.data())
    def export(self, by: str, data: st.DataObject) -> None:
        """Once every line is locked, as the desk does."""
        if batch := self.some_batch(data):
            self.export_batch(by, batch)

    def export_batch(self, by: str, batch: Batch) -> None:
        """What the desk does."""
        if batch.state != "approved":
            return
        locks = [one for one in commands(batch) if isinstance(one, LockLine)]
        if all(one.command_id in self.answers for one in locks):
            reasons = {one.line_id: self.answers[one.command_id].reason for one in locks}
            left = [name for name, why in reasons.items() if why and batch.state_of(name) == "included"]
            if left:
                lines = tuple(LineReason(line_id=name, reason=reasons[name]) for name in left)
                self.write(LinesRefused(**self.told("the books", batch.batch_id), lines=lines))
            if missing := self.log.invoices.missing(self.log.batches[batch.batch_id]):
                told = self.told(by, batch.batch_id)
                self.write(InvoicesIssued(**told, issuer="", line_ids=tuple(missing)))
            self.write(BatchExported(**self.told(by, batch.batch_id), format="csv", sha256="x"))

    @rule(by=people, outcome=outcomes, data=st.data())
    def result(self, by: str, outcome: Any, data: st.DataObject) -> None:
        """Some line has some result."""
        if batch := self.some_batch(data):
            line = data.draw(st.sampled_from([*batch.lines]))
            found = (LineResult(line_id=line, outcome=outcome),)
            self.write(ResultsImported(**self.told(by, batch.batch_id), source="file", results=found))

    @rule(
        by=people,
        ib=ibs,
        kind=st.sampled_from(("adjustment", "write_off", "advance")),
        units=st.integers(-30, 90),
    )
    def ask(self, by: str, ib: str, kind: Any, units: int) -> None:
        """Somebody asks to change a balance."""
        told = {"by": by, "at": self.now, "place": self.offset}
        change_id = f"c{next(self.numbers)}"
        asked = ChangeRequested(
            **told,
            change_id=change_id,
            kind=kind,
            ib_id=ib,
            currency="USD",
            amount=Decimal(units),
            reason="?",
        )
        self.write(asked)

    @rule(by=people, yes=st.booleans(), data=st.data())
    def decide(self, by: str, *, yes: bool, data: st.DataObject) -> None:
        """Somebody decides about it."""
        if self.log.changes:
            change_id = data.draw(st.sampled_from([*self.log.changes]))
            told = {"by": by, "at": self.now, "place": self.offset}
            self.write(ChangeDecided(**told, change_id=change_id, is_approved=yes))

    @rule(by=people, ib=ibs, is_released=st.booleans())
    def hold(self, by: str, ib: str, *, is_released: bool) -> None:
        """Payouts to an IB are held, or released."""
        told = {"by": by, "at": self.now, "place": self.offset, "change_id": f"h{next(self.numbers)}"}
        self.write(PayoutsHeld(**told, ib_id=ib, reason="?", is_released=is_released))

    @rule(by=people, ib=st.sampled_from(("", "north")), day=st.integers(1, 90), is_released=st.booleans())
    def hold_client(self, by: str, ib: str, day: int, *, is_released: bool) -> None:
        """What a client earns is held, or released."""
        told = {"by": by, "at": self.now, "place": self.offset, "change_id": f"h{next(self.numbers)}"}
        since = None if is_released else at(day)
        asked = PayoutsHeld(
            **told, ib_id=ib, client_id="anna", since=since, reason="?", is_released=is_released
        )
        self.write(asked)
        self.deliver_changes()

    @rule(data=st.data())
    def withhold(self, data: st.DataObject) -> None:
        """A proposal wants a statement; one that is in a batch, or that an invoice has, it does not get."""
        if self.statements:
            name = data.draw(st.sampled_from([*self.statements]))
            told = {"by": "dan", "at": self.now, "place": self.offset, "proposal_id": "p", "period": "x"}
            invoiced = {one for invoice in self.log.invoices.issued for one in invoice.line.statement_ids}
            is_free = name not in self.log.taken and name not in invoiced
            assert is_free is self.write(StatementsWithheld(**told, statement_ids=(name,)))

    @rule(by=people, other=people, currency=currencies, data=st.data())
    def pay(self, by: str, other: str, currency: str, data: st.DataObject) -> None:
        """A month in one go, as far as these people may, with some results."""
        month = data.draw(st.integers(0, max(self.closed - 1, 0)))
        before = len(self.log.batches)
        self.create(by, currency, month, others=False)
        if len(self.log.batches) == before:
            return
        batch_id = [*self.log.batches][-1]
        for record in (
            lambda: BatchSubmitted(**self.told(by, batch_id)),
            lambda: BatchApproved(**self.told(other, batch_id)),
        ):
            self.write(record())
        self.command([*commands(self.log.batches[batch_id])])
        self.export_batch(by, self.log.batches[batch_id])
        for line in self.log.batches[batch_id].lines:
            if data.draw(st.booleans()):
                found = (LineResult(line_id=line, outcome=data.draw(outcomes)),)
                self.write(ResultsImported(**self.told(by, batch_id), source="file", results=found))

    # What reaches the books

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Some of what follows from a batch, in order, perhaps for the second time."""
        if batch := self.some_batch(data):
            due = [*commands(batch)]
            first = data.draw(st.integers(0, len(due)))
            self.command(due[first : first + data.draw(st.integers(0, 4))])

    @rule()
    def deliver_all(self) -> None:
        """Everything that follows from the log."""
        for batch in self.log.batches.values():
            self.command([*commands(batch)])
        self.deliver_changes()

    def deliver_changes(self) -> None:
        """What follows from changes and holds, again each time."""
        for change in self.log.changes.values():
            one = command_of(change)
            if isinstance(one, ClientCommand):
                self.tell_client(one)
            elif one is not None:
                self.command([one])

    @rule(by=people, other=people, data=st.data())
    def command_anything(self, by: str, other: str, data: st.DataObject) -> None:
        """A lock that follows from no batch: whose statements, amount and people are anybody's."""
        if self.statements:
            one = self.statements[data.draw(st.sampled_from([*self.statements]))]
            lock = LockLine(
                ib_id=data.draw(ibs), line_id=f"l{data.draw(st.integers(0, 3))}", batch_id="b-rogue",
                currency=one.currency, amount=one.payable + data.draw(st.sampled_from((0, 0, 1))),
                statement_ids=(one.statement_id,), at=self.now, created_by=by, approved_by=other,
            )  # fmt: skip
            self.command([lock])

    # The laws

    @invariant()
    def what_statements_made_payable_is_somewhere_once(self) -> None:
        """payable + in payout + paid = statements that stand + advances, and none of them is below zero."""
        found = balances(self.rows)
        stated: dict[Place, Decimal] = defaultdict(Decimal)
        for name, one in self.statements.items():
            if name not in self.withdrawn:
                stated[one.ib_id, one.currency] += one.payable
        for row in self.rows:
            if row.code == "advance":
                stated[row.ib_id, row.currency] += row.amount
        for ib in IBS:
            for currency in CURRENCIES:
                parts = [
                    found.get((account(ib), currency), Decimal(0))
                    for account in (accounts.payable, accounts.in_payout, accounts.paid)
                ]
                own = balances(row for row in self.rows if row.ib_id == ib)
                beside = (accounts.EXCHANGE, *map(accounts.tax, ("vat", "withholding")))
                assert min(parts) >= 0
                besides = sum(own.get((account, currency), Decimal(0)) for account in beside)
                assert sum(parts) + besides == stated[ib, currency]
                state = self.state.get(state_key(ib), PayoutState())
                assert parts[0] == sum(d.amount for d in state.due.values() if d.currency == currency)
                partner_state = self.state.get(partner_key(ib), PartnerState())
                if balance := partner_state.balances.get(currency):
                    held = sum((t.accrued - t.reversed for t in balance.open.values()), balance.carried)
                    assert held == found.get((accounts.pending(ib), currency), Decimal(0))

    @invariant()
    def what_is_on_hold_is_in_no_statement(self) -> None:
        """The IB's book and the client's have the same of it, never below zero; released, there is none."""
        held = balances(self.rows).get((accounts.held("north"), "USD"), Decimal(0))
        known = self.state.get(partner_key("north"), PartnerState()).balances.get("USD")
        state = self.client.get("x:anna", OnHold())
        assert held == sum(state.amounts.values()) == (Decimal(0) if known is None else known.held)
        assert min(state.amounts.values(), default=Decimal(0)) >= 0
        if not self.client.get("c:anna", ClientState(client_id="anna")).holds:
            assert held == 0
        for said in self.answers.values():
            if said.command == "release_client" and said.is_accepted:
                release = self.log.changes[said.subject_id].asked
                assert isinstance(release, PayoutsHeld)
                assert any(
                    are_two_people(one.asked.by, release.by)
                    for one in self.log.changes.values()
                    if isinstance(one.asked, PayoutsHeld)
                    and one.asked.client_id
                    and not one.asked.is_released
                )

    @invariant()
    def no_statement_is_paid_twice(self) -> None:
        """Each is payable, or in one line that is out or paid, and in none besides."""
        for ib in IBS:
            lines = [value for key, value in self.state.items() if key.startswith(f"l:{ib}:")]
            taken = [name for line in lines if line.state in ("out", "paid") for name in line.items]
            due = self.state.get(state_key(ib), PayoutState()).due
            assert len(set(taken)) == len(taken)
            assert due.keys().isdisjoint(taken)
            assert self.withdrawn.isdisjoint(taken)

    @invariant()
    def invoices_have_no_gap(self) -> None:
        """From 1 on, whatever becomes of the payments."""
        assert [one.number for one in self.log.invoices.issued] == [
            *range(1, len(self.log.invoices.issued) + 1)
        ]
        stated = [name for one in self.log.invoices.issued for name in one.line.statement_ids]
        assert len(set(stated)) == len(stated)

    @invariant()
    def every_row_has_an_id_of_its_own(self) -> None:
        """One effect, one id."""
        assert len({row.transfer_id for row in self.rows}) == len(self.rows)

    @invariant()
    def two_people_do_it(self) -> None:
        """What was locked, and every approved batch and change."""
        for one in self.locks.values():
            if self.answers[one.command_id].is_accepted:
                assert are_two_people(one.created_by, one.approved_by)
        for batch in self.log.batches.values():
            if batch.approved is not None:
                assert all(are_two_people(batch.approved.by, maker) for maker in batch.makers)
        for row in self.rows:
            if row.code in ("adjustment", "write_off", "advance"):
                assert are_two_people(str(row.factors["created_by"]), str(row.factors["approved_by"]))

    @invariant()
    def no_statement_is_in_two_live_lines(self) -> None:
        """Of batches, as the log has them."""
        live = [
            name
            for batch in self.log.batches.values()
            for line in batch.lines.values()
            if batch.state != "cancelled"
            and batch.state_of(line.line_id) in ("included", "settled", "unknown")
            for name in line.statement_ids
        ]
        assert len(set(live)) == len(live)
        assert set(live) == set(self.log.taken)

    def teardown(self) -> None:
        """Once all that follows from the log has arrived, the books agree with it, line by line."""
        self.deliver_all()
        self.deliver_all()
        for batch in self.log.batches.values():
            for line_id, line in batch.lines.items():
                found = self.state.get(f"l:{line.ib_id}:{line_id}")
                is_paid = batch.state_of(line_id) == "settled"
                assert is_paid == (found is not None and found.state == "paid")
                if batch.state_of(line_id) == "rejected" or batch.state == "cancelled":
                    assert found is None or found.state in ("back", "refused")
                if batch.state == "exported" and batch.state_of(line_id) in ("included", "unknown"):
                    assert found is not None
                    assert found.state == "out"
        self.what_statements_made_payable_is_somewhere_once()
        self.no_statement_is_paid_twice()

    # Tools

    @property
    def now(self) -> Any:
        """A moment after all that is earned."""
        return at(40) + timedelta(seconds=next(self.numbers))

    def told(self, by: str, batch_id: str) -> dict[str, Any]:
        """What every record of a batch has."""
        return {"by": by, "at": self.now, "place": self.offset, "batch_id": batch_id}

    def some_batch(self, data: st.DataObject) -> Batch | None:
        """One of the newest, if there are some."""
        found = [*self.log.batches][-3:]
        return self.log.batches[data.draw(st.sampled_from(found))] if found else None

    def write(self, record: PayoutRecord) -> bool:
        """Append a record; whether it counts. One that stands elsewhere than its maker expected does not."""
        assert not self.log.add(record, self.offset + 1)
        counts = self.log.add(record, self.offset)
        self.offset += 1
        return counts

    def command(self, due: Sequence[AnyCommand]) -> None:
        """Command the books."""
        for one in due:
            if isinstance(one, LockLine):
                self.locks[one.command_id] = one
            self.fold(lambda draft, one=one: partner_book.apply(draft, one, self.terms))

    def fold(self, change: Any) -> None:
        """One message."""
        draft = Draft.over(self.state)
        with localcontext(EXACT):
            change(draft)
        self.state |= draft.writes
        for said in draft.outputs:
            match said:
                case Transfer():
                    self.rows.append(said)
                case Statement():
                    self.statements[said.statement_id] = said
                case StatementWithdrawn():
                    self.withdrawn.add(said.statement_id)
                case PayoutAnswer():
                    self.answers[said.answer_id] = said


TestSettlement = Settlement.TestCase
TestSettlement.settings = settings(LAW, stateful_step_count=40)
