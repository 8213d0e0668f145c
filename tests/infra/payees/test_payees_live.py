"""Payee details on a real Kafka, through the command line against a server, as two people."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.operators import Operator
from infra.cli.app import app
from infra.connect.sealing import new_key
from infra.connect.settings import prepare_topics
from infra.payees.desk import PayeeDesk, PayeeLog
from infra.payees.details import BankAccount
from infra.payees.sealing import PayeeKeys
from infra.processes.server import ApiServer
from schemas.errors import Unusable
from schemas.settings import Settings
from tests import services
from tests.api.conftest import insert, partner_row

IBAN = "DE89370400440532013000"
DETAILS = f"type: bank\nholder: Jane Doe\niban: {IBAN}\n"
TOKENS = {"anna": "of-anna", "ben": "of-ben"}
OLD, NEW = new_key(), new_key()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with our topics."""
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        prepare_topics(Settings(kafka=bootstrap, partitions=1), bootstrap)
        yield bootstrap


@pytest.fixture
def operators(tmp_path: Path) -> Path:
    """Anna and Ben."""
    people = (
        f"  - {{name: {name}, token_sha256: {sha256(token.encode()).hexdigest()}}}"
        for name, token in TOKENS.items()
    )
    path = tmp_path / "operators.yaml"
    path.write_text("\n".join(["operators:", *people, ""]), encoding="utf-8")
    return path


@contextmanager
def serving(settings: Settings, kafka: str) -> Iterator[ApiServer]:
    """A server of these settings, with IB A."""
    server = ApiServer(settings, kafka)
    server.start()
    try:
        insert(server.client, "partners", partner_row("A", "Atlas", None, kyc=True))
        yield server
    finally:
        server.stop()


def settings_of(data: Path, kafka: str, operators: Path, keys: str) -> Settings:
    """Of a server with these keys."""
    return Settings(
        data_dir=data, kafka=kafka, partitions=1, api_port=0, operators_file=operators, payee_keys=keys
    )


def test_two_people_decide_where_an_ib_is_paid(
    kafka: str, tmp_path: Path, operators: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Proposed from standard input, approved by the other, under a new key, and nowhere in plain text."""
    data, shown = tmp_path / "data", []

    def ibflow(person: str, *arguments: str, stdin: str = "", code: int = 0) -> str:
        known = {
            "IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(data), "IBFLOW_OPERATOR_TOKEN": TOKENS[person],
        }  # fmt: skip
        result = CliRunner().invoke(app, ["payees", *arguments], env=known, input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        shown.append(result.output)
        return " ".join(result.output.split())

    with serving(settings_of(data, kafka, operators, OLD), kafka):
        assert "A, version 1: bank DE89 •••• 3000, proposed" == ibflow("anna", "set", "A", stdin=DETAILS)
        assert "a second person approves it" in ibflow("anna", "approve", "A", "1", code=2)
        assert "A, version 1: bank DE89 •••• 3000, approved" == ibflow("ben", "approve", "A", "1")
        wrong = DETAILS.replace("3000", "3001")
        assert "check digits do not fit" in ibflow("anna", "set", "A", stdin=wrong, code=2)
        assert "There is no IB Z" in ibflow("anna", "set", "Z", stdin=DETAILS, code=2)
        assert "A has no version 7" in ibflow("anna", "reject", "A", "7", code=2)
        (tmp_path / "second.yaml").write_text(DETAILS.replace("bank\n", "bank\nbic: COBADEFFXXX\n"))
        made = ibflow("ben", "set", "A", "--file", str(tmp_path / "second.yaml"), "--note", "[x]", "--json")
        assert (2, "[x]") == (json.loads(made)["version"], json.loads(made)["note"])
        assert "rejected" in ibflow("anna", "reject", "A", "2", "--note", "same account")
        found = json.loads(ibflow("ben", "list", "A", "--json"))
        assert [("approved", True), ("rejected", False)] == [(one["state"], one["is_valid"]) for one in found]
        assert ["anna", "ben"] == [found[0]["proposed_by"], found[0]["decided_by"]]
        assert "DE89 •••• 3000" in ibflow("ben", "list")
    with serving(settings_of(data, kafka, operators, f"{NEW},{OLD}"), kafka):
        assert "2 versions are under the newest key now" in ibflow("anna", "rotate")
        assert "0 versions" in ibflow("anna", "rotate")

    log = PayeeLog(kafka)
    plain = b"".join(message for _, message in log.read())
    log.close()
    for text in (caplog.text, "".join(shown), plain.decode()):
        assert not any(part in text for part in ("37040044", "Jane", "Doe"))
    assert not any(b"37040044" in path.read_bytes() for path in data.rglob("*") if path.is_file())
    desk = PayeeDesk(PayeeLog(kafka), lambda: PayeeKeys.from_text(NEW))
    assert BankAccount(holder="Jane Doe", iban=IBAN) == desk.opened({"A": 1})["A"]


def test_two_desks_at_once_have_one_order(kafka: str) -> None:
    """Each has read before the other wrote: the second is refused by what it reads after writing."""
    anna, ben = (Operator(name, is_person=True) for name in TOKENS)
    desks = [PayeeDesk(PayeeLog(kafka), lambda: PayeeKeys.from_text(NEW)) for _ in range(2)]
    fields = {"type": "trading_account", "server": "Live", "login": "700123"}
    desks[0].propose("T", fields, "", anna)
    desks[1].approve("T", 1, ben)
    assert ["approved"] == [one.state for one in desks[0].versions("T")]


def test_a_server_does_not_start_with_keys_that_cannot_be_used(tmp_path: Path, kafka: str) -> None:
    """Rather than seal with something else than what was meant."""
    settings = Settings(data_dir=tmp_path, kafka=kafka, api_port=0, payee_keys="too-short")
    with pytest.raises(Unusable, match="key 1 of IBFLOW_PAYEE_KEYS"):
        ApiServer(settings, kafka)
