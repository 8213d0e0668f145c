"""`ibflow terms reopen-period` by one person and `ibflow proposals approve` by another, on real Kafka."""

import json
import shutil
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli.app import app
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.errors import Unusable
from schemas.settings import Settings
from tests import services
from tests.independent_verifier import faults
from tests.synthetic import Synthetic

BROKER = Synthetic(clients=5, deals=200)
TOKENS = {"ola": "ola-secret", "bea": "bea-secret"}


@dataclass(frozen=True)
class Desk:
    """Who types commands, one person or the other, against a stack that may be another next time."""

    folder: Path
    operators: Path

    def ibflow(self, who: str, *arguments: str) -> Result:
        """What the command did, whatever that was."""
        known = {
            "IBFLOW_DATA_DIR": str(self.folder),
            "IBFLOW_OPERATORS_FILE": str(self.operators),
            "IBFLOW_OPERATOR_TOKEN": TOKENS[who],
        }
        return CliRunner().invoke(app, list(arguments), env=known)

    def told(self, who: str, *arguments: str) -> Any:
        """Its answer, of one that worked."""
        found = self.ibflow(who, *arguments, "--json")
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)


def test_a_wrong_end_is_taken_back_and_closed_again(tmp_path: Path) -> None:
    """Half of the deals were closed; the second end has all of them, verified, and its file proves itself.

    Each closing lot costs 7 USD over the three levels, so the statements accrue 7 times the lots that closed.
    """
    people = "".join(
        f"  - {{name: {name}, role: operator, token_sha256: {sha256(token.encode()).hexdigest()}}}\n"
        for name, token in TOKENS.items()
    )
    operators = tmp_path / "operators.yaml"
    operators.write_text(f"operators:\n{people}", encoding="utf-8")
    settings = Settings(_env_file=None, data_dir=tmp_path, partitions=2, api_port=0, operators_file=operators)
    deals = list(BROKER.trades())
    desk = Desk(tmp_path, operators)
    ibflow, told = desk.ibflow, desk.told

    with Stack(services.prepared(settings)) as stack:
        publish_terms(BROKER.terms(), stack.kafka)
        stack.drain()
        publish([*BROKER.crm(), *deals[:100]], stack.kafka)
        wrong = told("ola", "terms", "end-period", "2026-09", "--yes", "--as-they-are")["statements"]
        publish(deals[100:], stack.kafka)
        made = told("ola", "terms", "reopen-period", "2026-09", "--reason", "the bridge was late")
        assert made["preview"]["corrected"] == len(wrong) == 3
        alone = ibflow("ola", "proposals", "approve", made["proposal_id"])
        assert (alone.exit_code, "a second person approves it" in alone.output) == (2, True), alone.output
        assert told("bea", "proposals", "approve", made["proposal_id"])["state"] == "posted"
        stack.drain()
        right = told("ola", "terms", "end-period", "2026-09", "--yes", "--as-they-are")["statements"]
        assert {s["replaces"] for s in right} == {s["statement_id"] for s in wrong}
        lots = sum(deal.volume_e8 for deal in deals if deal.entry != "in") / Decimal(10**8)
        assert sum(Decimal(s["accrued"]) for s in right) == 7 * lots
        verified = ibflow("ola", "verify")
        assert verified.exit_code == 0, verified.output
        path = tmp_path / "statement.jsonl"
        written = ibflow("ola", "statements", "export", right[0]["ib_id"], "2026-09", "-o", str(path))
        assert written.exit_code == 0, written.output
        assert faults(path) == []
        assert ibflow("ola", "verify", "--statement", str(path)).exit_code == 0
        late = ibflow("ola", "terms", "reopen-period", "2026-10", "--reason", "wrong")
        assert (late.exit_code, "o period is called 2026-10" in late.output) == (2, True), late.output
        batch = told("bea", "payouts", "create", "2026-09", "USD")
        assert batch["state"] == "created"
        paid = ibflow("ola", "terms", "reopen-period", "2026-09", "--reason", "wrong")
        assert (paid.exit_code, "stays while they are to be paid" in paid.output) == (2, True), paid.output
        report = told("ola", "verify")
    lose_what_kafka_has(settings, desk, report, right, batch)


def lose_what_kafka_has(settings: Settings, desk: Desk, report: Any, statements: Any, batch: Any) -> None:
    """A disk is lost: from Kafka's folder alone come the same rows, statements and payouts.

    Without that folder nothing starts: a new log would grow past what is stored, and be left out up to there.
    """
    shutil.rmtree(settings.chdb_dir)
    shutil.rmtree(settings.data_dir / "state")
    with Stack(services.prepared(settings)) as stack:
        stack.drain()
        again = desk.told("ola", "verify")
        assert again["ledger_hash"] == report["ledger_hash"]
        assert again["rows"] == report["rows"] > 0
        for statement in statements:
            kept = desk.told("ola", "statements", "show", statement["ib_id"], "2026-09")
            assert kept["statement_id"] == statement["statement_id"]
        assert desk.told("ola", "payouts", "show", batch["batch_id"])["lines"] == batch["lines"]
    shutil.rmtree(settings.kafka_dir)
    with pytest.raises(Unusable, match="it is another Kafka, or one that lost its data"):
        Stack(settings).start()
