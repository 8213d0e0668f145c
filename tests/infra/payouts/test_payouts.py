"""The log of payouts on a real Kafka, and the command line against a server: two people, a file, results."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.operators import Operator
from api.payouts import PayoutRefused
from api.proposals import ProposalRefused
from commission.payouts.batch import Batch
from commission.payouts.records import PayoutRecord
from infra.cli.app import app
from infra.connect.settings import prepare_topics
from infra.payouts.log import PayoutLog
from infra.payouts.withholding import Withholding
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from schemas.topics import PAYOUTS
from streams.single_log import append_to
from tests import services
from tests.build import ANNA, SYMBOLS, deal, partner, per_lot, period, plan
from tests.infra.payouts.creating import ANN, Ledger, desk_over

BEN = Operator("ben", is_person=True)
TOKENS = {"ann": "ann-secret", "ben": "ben-secret"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with our topics."""
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        prepare_topics(Settings(kafka=bootstrap, partitions=1), bootstrap)
        yield bootstrap


class Together(PayoutLog):
    """A log of which two have read before either writes."""

    def __init__(self, kafka: str, both_have_read: threading.Barrier) -> None:
        super().__init__(kafka)
        self._barrier: threading.Barrier | None = both_have_read

    def append(self, record: PayoutRecord) -> None:
        """Wait for the other, the first time."""
        if self._barrier is not None:
            self._barrier.wait(30)
            self._barrier = None
        super().append(record)


def in_parallel(*calls: Callable[[], None]) -> None:
    """All at once."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def batches_of(kafka: str, period_name: str) -> list[Batch]:
    """As somebody reads them who comes anew."""
    return [one for one in PayoutLog(kafka).known().batches.values() if one.period == period_name]


def test_a_killed_process_has_made_a_batch_or_none(kafka: str) -> None:
    """Killed with -9 before its record there is none; after it, it is on record, and made once by its key."""
    for when, count in (("before", 0), ("after", 1)):
        killed = subprocess.run(
            [sys.executable, "-m", "tests.infra.payouts.creating", kafka, when], check=False
        )
        assert killed.returncode == -signal.SIGKILL
        assert (
            len([one for one in PayoutLog(kafka).known().batches.values() if one.period == "2026-10"])
            == count
        )
    wanted = BatchRequest(period="2026-10", currency="USD")
    again = desk_over(PayoutLog(kafka), "A").create(wanted, ANN, "october")
    (batch,) = batches_of(kafka, "2026-10")
    assert again == batch


def test_two_at_once_put_an_ib_into_one_batch(kafka: str) -> None:
    """Both read the log before either writes: the second record does not count, and is made again of C."""
    barrier, refused = threading.Barrier(2), list[str]()
    wanted = BatchRequest(period="2026-11", currency="USD")

    def create(by: Operator, *ib_ids: str) -> None:
        try:
            desk_over(Together(kafka, barrier), *ib_ids).create(wanted, by, "")
        except PayoutRefused as why:
            refused.append(str(why))

    in_parallel(lambda: create(ANN, "A", "B"), lambda: create(BEN, "A", "B", "C"))
    batches = batches_of(kafka, "2026-11")
    taken = sorted(line.ib_id for batch in batches for line in batch.lines.values())
    assert taken == ["A", "B", "C"]
    assert len(batches) + len(refused) == 2


def test_a_statement_is_in_a_batch_or_withheld_never_both(kafka: str) -> None:
    """Both read the log before either writes: whoever is second sees what the other did."""
    barrier, done = threading.Barrier(2), list[str]()

    def attempt(name: str, call: Callable[[PayoutLog], object]) -> None:
        try:
            call(Together(kafka, barrier))
            done.append(name)
        except (PayoutRefused, ProposalRefused):
            done.append(f"no {name}")

    wanted = BatchRequest(period="2027-03", currency="USD")
    in_parallel(
        lambda: attempt("batch", lambda log: desk_over(log, "A").create(wanted, ANN, "")),
        lambda: attempt(
            "withheld",
            lambda log: Withholding(log, Ledger()).withhold("2027-03", ["A 2027-03"], "ben", "p-1"),
        ),
    )
    is_paid = bool(batches_of(kafka, "2027-03"))
    assert sorted(done) == (["batch", "no withheld"] if is_paid else ["no batch", "withheld"])
    again = Withholding(PayoutLog(kafka), Ledger())
    if not is_paid:
        again.withhold("2027-03", ["A 2027-03"], "ben", "p-1")


def test_what_is_no_record_takes_a_place_and_does_nothing(kafka: str) -> None:
    """Neither a record that cannot be read, nor an amount without an end, nor a record of another place."""
    log = PayoutLog(kafka)
    before = len(log.known().batches)
    for message in (b"{}", b'{"type":"batch_cancelled","batch_id":"b-1"}', b"\xff", b'{"type":"nothing"}'):
        append_to(kafka, PAYOUTS, message)
    endless = (
        b'{"type":"batch_created","place":0,"by":"x","at":"2026-09-01T00:00:00Z","batch_id":"b","period":"p",'
        b'"currency":"USD","minimum":"NaN","lines":[]}'
    )
    append_to(kafka, PAYOUTS, endless)
    batch = desk_over(log, "Z").create(BatchRequest(period="2026-12", currency="USD"), ANN, "")
    assert len(log.known().batches) == before + 1
    assert PayoutLog(kafka).known().batches[batch.batch_id] == batch


def test_two_people_pay_a_month_by_the_command_line(tmp_path: Path) -> None:
    """North earns 1.5 lots at 5, 7.50, which ann asks for and ben approves; the bank refuses it.

    The file has the same bytes again; the refused line is payable again, and in the next batch.
    """
    people = "".join(
        f"  - {{name: {name}, role: operator, token_sha256: {sha256(token.encode()).hexdigest()}}}\n"
        for name, token in TOKENS.items()
    )
    operators = tmp_path / "operators.yaml"
    operators.write_text(f"operators:\n{people}", encoding="utf-8")
    settings = Settings(_env_file=None, data_dir=tmp_path, partitions=1, api_port=0, operators_file=operators)

    def ibflow(who: str, *arguments: str, code: int = 0) -> str:
        known = {
            "IBFLOW_KAFKA": stack.kafka,
            "IBFLOW_DATA_DIR": str(tmp_path),
            "IBFLOW_OPERATORS_FILE": str(operators),
            "IBFLOW_OPERATOR_TOKEN": TOKENS[who],
        }
        result = CliRunner().invoke(app, list(arguments), env=known)
        assert result.exit_code == code, result.output
        stack.drain()
        return result.output

    north = partner("ib-north USD own", kyc_approved=True)
    with Stack(services.prepared(settings)) as stack:
        publish_terms([*SYMBOLS, period("2026-09"), plan("own USD", per_lot("*=5")), north], stack.kafka)
        stack.drain()
        publish([*ANNA, deal("1 buy 1.5 EURUSD out")], stack.kafka)
        ibflow("ann", "terms", "end-period", "2026-09", "--yes", "--as-they-are")
        made = json.loads(ibflow("ann", "payouts", "create", "2026-09", "usd", "--key", "1", "--json"))
        assert (made["total"], made["lines"]) == ("7.5", {"included": 1})
        batch_id = made["batch_id"]
        ibflow("ann", "payouts", "submit", batch_id, "--tick", "first_payout:ib-north")
        assert "another person approves it" in ibflow("ann", "payouts", "approve", batch_id, code=2)
        ibflow("ben", "payouts", "approve", batch_id)
        first, again = tmp_path / "first.csv", tmp_path / "again.csv"
        told = ibflow("ann", "payouts", "export", batch_id, "-o", str(first))
        assert sha256(first.read_bytes()).hexdigest() in told
        assert "say why" in ibflow("ann", "payouts", "export", batch_id, "-o", str(again), code=2)
        ibflow("ben", "payouts", "export", batch_id, "-o", str(again), "--reason", "lost")
        assert again.read_bytes() == first.read_bytes()
        digests = (tmp_path / "first.csv.sha256").read_text()
        assert digests == f"{sha256(first.read_bytes()).hexdigest()}  first.csv\n"
        line_id = first.read_text().splitlines()[1].split(",")[0]
        assert f"{line_id},ib-north,,,,,7.50,USD,Commission 2026-09 ib-north" in first.read_text()
        bank = tmp_path / "bank.csv"
        bank.write_text(f"end_to_end_id,status,reason\n{line_id},rejected,AC04\nx-1,settled,\n")
        found = json.loads(ibflow("ann", "payouts", "import", str(bank), "--json", code=1))
        assert (found["recorded"], found["refused"]) == (1, [])
        assert found["unmatched"] == [
            {
                "place": "line 3", "reference": "x-1",
                "why": "no batch has this EndToEndId: settled",
            }
        ]  # fmt: skip
        shown = json.loads(ibflow("ann", "payouts", "show", batch_id, "--lines", "--json"))
        assert [(one["state"], one["reason"]) for one in shown["each"]] == [("rejected", "AC04")]
        assert "rejected" in ibflow("ann", "payouts", "show", batch_id, "--lines")
        second = json.loads(ibflow("ann", "payouts", "create", "2026-09", "USD", "--json"))["batch_id"]
        refused = ibflow("ann", "payouts", "exclude", second, "ib-x", "--reason", "disputed", code=2)
        assert "has no line of ib-x" in refused
        ibflow("ann", "payouts", "cancel", second, "--reason", "a look")
        assert json.loads(ibflow("ann", "payouts", "resume", second, "--json")) == {"commands": 0}
        newest, oldest = json.loads(ibflow("ann", "payouts", "list", "--period", "2026-09", "--json"))
        assert (newest["batch_id"], oldest["batch_id"]) == (second, batch_id)
        assert batch_id in ibflow("ann", "payouts", "list")
        rows = stack.server.client.query(
            "SELECT debit, credit, amount FROM transfers FINAL WHERE code IN ('payout', 'returned')"
        )
        assert sorted(rows.result_rows) == [
            ("ib:ib-north:in_payout", "ib:ib-north:payable", Decimal("7.5")),
            ("ib:ib-north:payable", "ib:ib-north:in_payout", Decimal("7.5")),
        ]
        asked = ("adjust", "create", "ib-north", "-2.50", "USD", "--reason", "paid by hand", "--json")
        change_id = json.loads(ibflow("ann", *asked))["change_id"]
        assert "asked for" in ibflow("ann", "adjust", "approve", change_id, code=2)
        ibflow("ben", "adjust", "approve", change_id)
        assert "hold of ib-north" in ibflow("ann", "hold", "ib-north", "--reason", "fraud?")
        assert "release of ib-north" in ibflow("ben", "release", "ib-north", "--reason", "no")
        of_anna = ("--client", "anna", "--reason", "churning?")
        held = ibflow("ann", "hold", *of_anna, "--since", "2026-09-01")
        assert "hold of client anna for all IBs since 2026-09-01T00:00:00Z" in held
        moved = "FROM transfers FINAL WHERE {a:String} IN (debit, credit)"
        balances = f"SELECT sum(if(credit = {{a:String}}, amount, -amount)) {moved}"
        account = {"a": "ib:ib-north:held"}
        assert stack.server.client.query(balances, parameters=account).result_rows == [(Decimal("7.5"),)]
        assert "release of client anna for all IBs" in ibflow("ben", "release", *of_anna)
        assert stack.server.client.query(balances, parameters=account).result_rows == [(Decimal(0),)]
        told = json.loads(ibflow("ann", "adjust", "list", "--json"))
        assert [(one["kind"], one["client_id"], one["books"]) for one in told] == [
            ("release", "anna", "done"), ("hold", "anna", "done"),
            ("release", "", "done"), ("hold", "", "done"), ("adjustment", "", "done"),
        ]  # fmt: skip
        assert "paid by hand (ann, approved by ben); the books: done" in ibflow("ann", "adjust", "list")
        rejected = json.loads(ibflow("ann", *asked))["change_id"]
        assert "rejected by ann" in ibflow("ann", "adjust", "reject", rejected, "--reason", "typo")
        assert "✗" not in ibflow("ann", "verify")
        assert "2 batches, 2 lines, 0 differences" in ibflow("ann", "payouts", "reconcile")
        # A row that is lost is found: 7.50 are in a payout that the bank refused.
        client = stack.server.client
        client.command("ALTER TABLE transfers DELETE WHERE code = 'returned' SETTINGS mutations_sync = 2")
        found = json.loads(ibflow("ann", "payouts", "reconcile", "--json", code=1))["differences"]
        (why,) = found
        assert why == (
            f"{batch_id}, line {line_id} of ib-north: it is rejected, so the ledger should have locked 7.5, "
            "paid 0, returned 7.5, and has locked 7.5, paid 0, returned 0"
        )
