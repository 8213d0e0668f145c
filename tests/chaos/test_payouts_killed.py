"""A month is paid while whoever pays it, and the worker, are killed with -9: each IB is paid once."""

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from api.ledger import Ledger
from api.operators import Operator
from api.payouts import Tick
from commission.payouts.batch import Batch
from commission.payouts.records import LineResult
from infra.payouts.reconcile import reconcile
from infra.processes.stack import Stack
from infra.verify.invariants import verify
from ingest.publish.publisher import publish, publish_terms
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from tests import services
from tests.build import SYMBOLS, deal, linked, partner, per_lot, plan, registered
from tests.chaos.paying import EFFECTS
from tests.commission.books.partner_rows import MONTHS

LINES = 60
ANN, BEN = (Operator(name, is_person=True) for name in ("ann", "ben"))


def trade_a_month(stack: Stack) -> None:
    """Each IB has a client who closes as many lots as the IB earns dollars; September closes."""
    ids = [f"ib-{number:06}" for number in range(LINES)]
    partners = [partner(f"{ib_id} USD own", kyc_approved=True) for ib_id in ids]
    publish_terms([*SYMBOLS, *MONTHS, plan("own USD", per_lot("*=1")), *partners], stack.kafka)
    stack.drain()
    clients = [one for n, ib in enumerate(ids, 1) for one in (registered(f"c{n} {ib}"), linked(f"{n} c{n}"))]
    deals = [deal(f"{n} buy {n + 99}e-2 EURUSD out", login=n) for n in range(1, LINES + 1)]
    publish([*clients, *deals], stack.kafka)
    stack.drain()
    stack.end_periods(["2026-09"])
    stack.drain()


def made(stack: Stack, number: int) -> Batch:
    """A batch of every fourth IB: the others are left for the next."""
    desk = stack.server.payouts.desk
    batch = desk.create(BatchRequest(period="2026-09", currency="USD"), ANN, str(number))
    ids = [line.ib_id for line in batch.lines.values()]
    if others := [ib_id for ib_id in ids if int(ib_id[-6:]) % EFFECTS != number]:
        desk.exclude(batch.batch_id, others, "another batch", ANN)
    ticks = [Tick("first_payout", ib_id) for ib_id in ids]
    return desk.submit(batch.batch_id, ANN, ticks)


def killed(stack: Stack, batch: Batch, step: str, before: int) -> None:
    """Let a process take a step until it is killed before an effect."""
    arguments = ("tests.chaos.paying", stack.kafka, batch.batch_id, step, str(before))
    done = subprocess.run([sys.executable, "-m", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_month_is_paid_once_whoever_is_killed(tmp_path: Path) -> None:
    """60 IBs of 1.00, 1.01 … 1.59 USD: 77.70. Four batches, one for each effect before which it is killed.

    The worker is killed as well, while it locks and while it pays. Done again, every line is paid, once.
    """
    settings = Settings(_env_file=None, data_dir=tmp_path, partitions=2, api_port=0)
    with Stack(services.prepared(settings)) as stack:
        trade_a_month(stack)
        desk, ledger = stack.server.payouts.desk, Ledger(lambda: stack.server.client)
        batches = [made(stack, number) for number in range(EFFECTS)]
        for number, batch in enumerate(batches):
            killed(stack, batch, "approve", number)
        stack.processes[0].kill()
        for batch in batches:
            desk.approve(batch.batch_id, BEN)
        stack.drain()
        files = {}
        for number, batch in enumerate(batches):
            files[batch.batch_id] = desk.export(batch.batch_id, "csv", "", ANN)[1]
            killed(stack, batch, "import", number)
        stack.processes[0].kill()
        for batch in batches:
            told = [LineResult(line_id=line.line_id, outcome="settled") for line in batch.paid_lines]
            desk.import_results(told, "camt", BEN)
        stack.drain()
        for batch in batches:
            assert desk.resume(batch.batch_id, BEN) == 0
            again, file = desk.export(batch.batch_id, "csv", "for the books", BEN)
            assert (file, again.exports) == (files[batch.batch_id], {"csv": file.sha256})
        stack.drain()
        rows = stack.server.client.query(
            "SELECT code, count(), uniqExact(transfer_id), uniqExact(ib_id), sum(amount) FROM transfers FINAL"
            " WHERE code IN ('payout', 'paid', 'returned') GROUP BY code ORDER BY code"
        ).result_rows
        assert rows == [(code, LINES, LINES, LINES, Decimal("77.7")) for code in ("paid", "payout")]
        found = reconcile(ledger)
        assert (found.batches, found.differences) == (EFFECTS, ())
        assert [one.figures for one in verify(stack.server.client).findings if not one.holds] == []
