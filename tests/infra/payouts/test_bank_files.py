"""A month paid by a bank, through the command line against a server: details, pain.001, pain.002."""

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.app import app
from infra.connect.sealing import new_key
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from tests import services
from tests.build import ANNA, SYMBOLS, deal, partner, per_lot, period, plan

TOKENS = {"ann": "ann-secret", "ben": "ben-secret", "cat": "cat-secret"}
NORTH, OTHER, SOUTH = "NL91ABNA0417164300", "FR1420041010050500013M02606", "GB29NWBK60161331926819"
LONG = "South Introducing Brokers and Wealth Partners of Dubai and Abu Dhabi Limited Liability"
PAYERS = """
payers:
  - name: Example Broker Ltd
    currencies: [EUR]
    account: {type: bank, iban: DE89370400440532013000}
"""
Ibflow = Callable[..., str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """North is owed 1.5 lots at 5, 7.50 EUR, and south above it 1.5 at 6 - 5, 1.50, of September."""
    folder = tmp_path_factory.mktemp("broker")
    people = "".join(
        f"  - {{name: {name}, role: operator, token_sha256: {sha256(token.encode()).hexdigest()}}}\n"
        for name, token in TOKENS.items()
    )
    (folder / "operators.yaml").write_text(f"operators:\n{people}", encoding="utf-8")
    (folder / "payers.yaml").write_text(PAYERS, encoding="utf-8")
    settings = Settings(
        _env_file=None, data_dir=folder, partitions=1, api_port=0, payee_keys=new_key(),
        operators_file=folder / "operators.yaml", payers_file=folder / "payers.yaml",
    )  # fmt: skip
    ibs = [
        partner("ib-north EUR own ib-south", kyc_approved=True),
        partner("ib-south EUR above", kyc_approved=True),
    ]
    plans = [plan("own EUR", per_lot("*=5")), plan("above EUR", per_lot("*=6"))]
    with Stack(services.prepared(settings)) as running:
        publish_terms([*SYMBOLS, period("2026-09"), *plans, *ibs], running.kafka)
        running.drain()
        publish([*ANNA, deal("1 buy 1.5 EURUSD out")], running.kafka)
        yield running


@pytest.fixture
def ibflow(stack: Stack) -> Ibflow:
    """The command line as one of the three."""

    def run(who: str, *arguments: str, stdin: str = "", code: int = 0) -> str:
        known = {
            "IBFLOW_KAFKA": stack.kafka, "IBFLOW_DATA_DIR": str(stack.settings.data_dir),
            "IBFLOW_OPERATOR_TOKEN": TOKENS[who],
        }  # fmt: skip
        result = CliRunner().invoke(app, [*arguments], env=known, input=stdin)
        assert result.exit_code == code, result.output
        stack.drain()
        return " ".join(result.output.split())

    return run


def pay_to(ibflow: Ibflow, ib_id: str, iban: str, version: int = 1, holder: str = "") -> None:
    """Ann gives the details of an IB, and ben approves them."""
    ibflow("ann", "payees", "set", ib_id, stdin=f"type: bank\nholder: {holder or ib_id}\niban: {iban}\n")
    ibflow("ben", "payees", "approve", ib_id, str(version))


def approved(ibflow: Ibflow, folder: Path) -> str:
    """A batch of September that ann made and cat approved: ben had a hand in where it goes."""
    batch_id = str(json.loads(ibflow("ann", "payouts", "create", "2026-09", "EUR", "--json"))["batch_id"])
    found = json.loads(ibflow("ann", "payouts", "warnings", batch_id, "--json", code=1))
    ticks = [f"--tick={one['code']}:{one['ib_id']}" for one in found]
    assert "warnings are not ticked" in ibflow("ann", "payouts", "submit", batch_id, *ticks[1:], code=2)
    printed = folder / "warnings.txt"
    printed.write_text("".join(f"  {one['code']}:{one['ib_id']}  {one['words']}\n" for one in found))
    early = ibflow("ann", "payouts", "export", batch_id, "-o", str(folder / "early.csv"), code=2)
    assert f"{batch_id} is created: what is approved is exported" in early
    ibflow("ann", "payouts", "submit", batch_id, "--ticks", str(printed))
    ibflow("ann", "payouts", "warnings", batch_id)
    refused = ibflow("ben", "payouts", "approve", batch_id, code=2)
    assert "Ben had a hand in where ib-north is paid, since its last payout" in refused
    ibflow("cat", "payouts", "approve", batch_id)
    return batch_id


def pain_002(message_id: str, rejected: str) -> str:
    """The bank has the file, and rejects one payment of it."""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt>'
        "<GrpHdr><MsgId>BANK-1</MsgId><CreDtTm>2026-10-06T10:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain.001</OrgnlMsgNmId>"
        "<GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>X</OrgnlPmtInfId>"
        f"<TxInfAndSts><OrgnlEndToEndId>{rejected}</OrgnlEndToEndId><TxSts>RJCT</TxSts>"
        "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts>"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    )


def test_a_month_is_paid_to_the_details_of_its_approval(ibflow: Ibflow, tmp_path: Path) -> None:
    """9.00 EUR to two IBANs; the bank rejects south's 1.50, which is payable again, and pays north."""
    ibflow("ann", "terms", "end-period", "2026-09", "--yes", "--as-they-are")
    pay_to(ibflow, "ib-north", NORTH)
    first = approved(ibflow, tmp_path)
    file, again = tmp_path / "first.xml", tmp_path / "again.xml"
    to_pain = ("--format", "pain.001.001.09", "-o")
    refused = ibflow("ann", "payouts", "export", first, *to_pain, str(file), code=2)
    assert "Approved without payee details: ib-south. Export csv or xlsx" in refused
    pay_to(ibflow, "ib-south", SOUTH, holder=LONG)
    assert "ib-south" in ibflow("ann", "payouts", "export", first, *to_pain, str(file), code=2)
    ibflow("ann", "payouts", "cancel", first, "--reason", "no account of south")

    batch_id = approved(ibflow, tmp_path)
    told = ibflow("ann", "payouts", "export", batch_id, *to_pain, str(file))
    text = file.read_text()
    assert f"<Nm>{LONG[:70]}</Nm>" in text
    assert re.search(r"ib-south \w+: the name is longer than the format has room for, and cut", told)
    assert told.count("and cut") == 1
    assert "<NbOfTxs>2</NbOfTxs>\n   <CtrlSum>9.00</CtrlSum>" in text
    (message_id,) = re.findall(r"<MsgId>(\w+)</MsgId>", text)
    assert NORTH in text
    assert SOUTH in text
    pay_to(ibflow, "ib-north", OTHER, version=2)
    ibflow("ben", "payouts", "export", batch_id, *to_pain, str(again), "--reason", "the portal lost it")
    assert again.read_bytes() == file.read_bytes()
    table = tmp_path / "table.csv"
    ibflow("ben", "payouts", "export", batch_id, "-o", str(table), "--reason", "for the books")
    assert (NORTH in table.read_text(), OTHER in table.read_text()) == (True, False)
    wrong = ibflow(
        "ben", "payouts", "export", batch_id, "--format", "nacha", "-o", str(again), "--yes", code=2
    )
    assert "Nobody is set to pay EUR in this format" in wrong

    lines = {
        one["ib_id"]: one["line_id"]
        for one in json.loads(ibflow("ann", "payouts", "show", batch_id, "--lines", "--json"))["each"]
    }
    bank = tmp_path / "bank.xml"
    bank.write_text(pain_002(message_id, lines["ib-south"]))
    told = json.loads(ibflow("ann", "payouts", "import", str(bank), "--json"))
    assert (told["kind"], told["message_id"], told["recorded"]) == ("pain.002.001.03", "BANK-1", 1)
    assert "0 recorded, 1 known before" in ibflow("ann", "payouts", "import", str(bank))
    bank.write_text(
        "end_to_end_id,status,amount,currency\n"
        f"{lines['ib-north']},settled,7.50,EUR\n{lines['ib-south']},settled,1.50,EUR\nNOBODYS,settled,1,EUR\n"
    )
    shown = ibflow("ann", "payouts", "import", str(bank), code=1)
    assert "1 recorded" in shown
    assert f"DANGER {lines['ib-south']}: the line is rejected, and cannot become settled" in shown
    assert "line 4: NOBODYS: no batch has this EndToEndId" in shown
    assert "0 differences" in ibflow("ann", "payouts", "reconcile")
    third = json.loads(ibflow("ann", "payouts", "create", "2026-09", "EUR", "--json"))
    assert (third["total"], third["lines"]) == ("1.5", {"included": 1})
