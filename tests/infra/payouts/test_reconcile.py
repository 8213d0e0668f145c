"""Ledger, batches, files and results compared over a real ClickHouse: sound ones agree, damage is told.

North earned 7.50 USD and south 10.00, both of September.
"""

from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from commission.payouts.tax import Tax
from infra.payout_files.order import WrittenFile
from infra.payouts.changes import ChangeDesk
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import LedgerFacts
from infra.payouts.files import Files
from infra.payouts.reconcile import Reconciliation, reconcile
from infra.verify.invariants import verify
from schemas import topics
from schemas.payees import Versions
from schemas.payouts import BatchRequest, ChangeRequest, HoldRequest
from streams.table_rows import Rows
from tests.build import (
    ANNA,
    SYMBOLS,
    deal,
    ended,
    exchange,
    linked,
    partner,
    per_lot,
    period,
    plan,
    registered,
)
from tests.infra.proposals.live import Live
from tests.payout_log import MemoryLog
from tests.payout_world import ANN, BEN, CAT, paid_in, result

WANTED = BatchRequest(period="2026-09", currency="USD")


class Paying:
    """September of two IBs, closed, and the desks over it."""

    def __init__(self, client: Client) -> None:
        self.payees: dict[str, Versions] = {}
        self.live, self.client = Live(client), client
        self.ledger = Ledger(lambda: client)
        self.messages: list[bytes] = []
        log, facts = MemoryLog(self.messages), LedgerFacts(self.ledger)
        self.desk = PayoutDesk(log, facts, self.live.publish, self.live.tick, payees=lambda: self.payees)
        self.changes = ChangeDesk(log, facts, self.live.publish, self.live.tick)
        north, south = (
            replace(partner(f"{name} USD own"), kyc_approved=True) for name in ("ib-north", "ib-south")
        )
        self.live.feed(*SYMBOLS, period("2026-09"), plan("own USD", per_lot("*=5")), north, south, *ANNA)
        self.live.feed(registered("ben ib-south"), linked("2 ben"))
        self.live.feed(deal("1 buy 1.5 EURUSD out"), deal("2 buy 2 EURUSD out", login=2), ended("2026-09"))

    def approved(self, wanted: BatchRequest = WANTED) -> str:
        """A batch of what is free."""
        batch_id = self.desk.create(wanted, ANN, "").batch_id
        self.desk.submit(batch_id, ANN)
        return self.desk.approve(batch_id, BEN).batch_id

    def reconciled(self) -> Reconciliation:
        """Once the log is stored, too."""
        rows = Rows()
        for offset, message in enumerate(self.messages):
            rows.add(topics.PAYOUTS, 0, offset, message, "")
        rows.store(self.client)
        return reconcile(self.ledger, Files())


@pytest.fixture
def paying(connected: Client) -> Paying:
    """What can become of lines: cancelled, refused, paid, or back after it was paid. An advance waits."""
    paying = Paying(connected)
    desk, changes = paying.desk, paying.changes
    desk.cancel(paying.approved(), "wrong month", ANN)
    held = HoldRequest(ib="ib-north", reason="fraud?")
    changes.hold(held, ANN, "", is_released=False)
    batch, _ = desk.export(paying.approved(), "csv", "", CAT)
    south = next(name for name, line in batch.lines.items() if line.ib_id == "ib-south")
    desk.import_results([result(south, "settled")], "camt", CAT)
    desk.import_results([result(south, "rejected", "AC04")], "camt", CAT)
    changes.hold(held, BEN, "", is_released=True)
    wanted = ChangeRequest(kind="advance", ib="ib-north", currency="USD", amount="3", reason="agreed")
    changes.decide(changes.ask(wanted, ANN, "").change.asked.change_id, BEN, "", is_approved=True)
    last, _ = desk.export(paying.approved(), "csv", "", CAT)
    north = next(name for name, line in last.lines.items() if line.ib_id == "ib-north")
    desk.import_results([result(north, "settled")], "camt", CAT)
    return paying


def test_what_is_sound_agrees(paying: Paying) -> None:
    """Three batches of two lines each; verify says so as well."""
    found = paying.reconciled()
    assert (found.batches, found.lines, found.differences) == (3, 6, ())
    assert [one.figures for one in verify(paying.client).findings if not one.holds] == []


def test_what_is_paid_in_another_currency_agrees(connected: Client) -> None:
    """South's 10.00 USD with 25 % VAT at 1.25 dollars to the euro are 10.00 EUR: paid, back, and paid again.

    A row of the exchange that is lost is found, by the line and by the IB's euros.
    """
    paying = Paying(connected)
    paying.payees["ib-south"] = paid_in("ib-south", "EUR", tax=Tax(kind="vat", percent=Decimal(25)))
    paying.live.feed(exchange("EUR/USD 1.25", day=70))
    wanted = WANTED.model_copy(update={"pay_in": "EUR"})
    for outcomes in (("settled", "rejected"), ("settled",)):
        batch, file = paying.desk.export(paying.approved(wanted), "csv", "", CAT)
        (line,) = batch.paid_lines
        assert b",10.00,EUR," in file.body
        for outcome in outcomes:
            paying.desk.import_results([result(line.line_id, outcome)], "camt", CAT)
    assert paying.reconciled().differences == ()
    assert [one.figures for one in verify(paying.client).findings if not one.holds] == []
    paying.client.command(
        "ALTER TABLE transfers DELETE WHERE code = 'exchange' AND caused_by LIKE {line:String} "
        "SETTINGS mutations_sync = 2", parameters={"line": f"%{line.line_id}"},
    )  # fmt: skip
    (told,) = paying.reconciled().differences
    assert told == (
        f"{batch.batch_id}, line {line.line_id} of ib-south: it is settled, so the ledger should have "
        "locked 10, paid 10, returned 0, exchanged 10, taxed 2.5, and has locked 10, "
        "paid 10, returned 0, exchanged 0, taxed 2.5"
    )


def test_each_damage_is_told(paying: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that are lost, a row too many, one that is lost, and a file of another writer."""
    assert paying.reconciled().differences == ()
    batches = paying.desk.newest("")
    paying.client.command("ALTER TABLE payout_answers DELETE WHERE 1 SETTINGS mutations_sync = 2")
    paying.client.command(
        "ALTER TABLE transfers DELETE WHERE code = 'paid' AND ib_id = 'ib-north' SETTINGS mutations_sync = 2"
    )
    paying.client.command(
        "INSERT INTO transfers (transfer_id, code, debit, credit, amount, currency, ib_id, occurred_at,"
        " caused_by) SELECT 'x', code, debit, credit, 1, currency, ib_id, occurred_at, 'payout|b-x|l-x'"
        " FROM transfers WHERE code = 'payout' AND ib_id = 'ib-south' LIMIT 1"
    )
    monkeypatch.setattr(Files, "write", lambda *_: WrittenFile("other.csv", b"other"))
    told = "\n".join(paying.reconciled().differences)
    third, second, first = (batch.batch_id for batch in batches)
    for batch_id, count in ((first, 4), (second, 4), (third, 3)):
        assert f"{batch_id}: {count} commands have no answer of the books" in told
    assert "line l-x of ib-south is in the ledger, and in no batch" in told
    assert "of ib-north: it is settled, so the ledger should have locked 7.5, paid 7.5, returned 0" in told
    for batch_id in (second, third):
        assert f"{batch_id}: its csv file would be another than the one that was given out" in told
    assert "the books have not answered; approve it again as ben" in told
    assert told.count("\n") == 10


def test_many_differences_are_counted() -> None:
    """A report has an end."""
    shown = Reconciliation(1, 1, tuple(map(str, range(10_005)))).shown
    assert (len(shown["differences"]), shown["differences"][-1]) == (10_001, "and 5 more")
