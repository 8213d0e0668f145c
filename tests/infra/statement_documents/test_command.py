"""`ibflow statements`: a ledger's statements listed, shown, and written as documents for people."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from msgspec.structs import replace
from typer.testing import CliRunner

from commission.payouts.exchange import Exchange
from commission.payouts.records import (
    BatchApproved,
    BatchCreated,
    BatchSubmitted,
    ChangeDecided,
    ChangeRequested,
    InvoicesIssued,
    Line,
    PayoutRecord,
)
from commission.payouts.tax import Tax
from infra.cli.app import app
from schemas import topics
from schemas.payouts import encode_payout
from schemas.settings import Settings
from schemas.wire import Record
from streams.table_rows import Rows
from tests import services
from tests.build import ANNA, TERMS, at, deal, ended, per_lot, period, plan
from tests.infra.verify.ledgers import store

RECORDS: tuple[Record, ...] = (
    *TERMS, plan("silver USD", per_lot("class:forex=5")), period("2026-09"), period("2026-10"), *ANNA,
    deal("1 sell 1.333 EURUSD out"), ended("2026-09"),
)  # fmt: skip
"""1.333 lots at 5 are 6.665: 6.66 is paid (half to even), 0.005 is left."""

PARTIES = """
zone: Europe/Berlin
broker: {name: Example Broker Ltd, address: [1 Harbour Street], registration: HE 123456}
ibs:
  ib-north: {name: North & Partners, tax_id: DE123456789}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the scenario stored, and the parties' file; nobody has it open."""
    folder = tmp_path_factory.mktemp("documents")
    with services.ledger(Settings(data_dir=folder).chdb_dir) as client:
        store(client, list(RECORDS))
    (folder / "parties.yaml").write_text(PARTIES)
    return folder


def statements(folder: Path, *arguments: str, code: int = 0) -> Result:
    """`ibflow statements` on the folder."""
    settings = {"IBFLOW_DATA_DIR": str(folder), "IBFLOW_CLICKHOUSE": "", "COLUMNS": "300"}
    result = CliRunner().invoke(app, ["statements", *arguments], env=settings)
    assert code == result.exit_code, result.output
    return result


def written(folder: Path, output: str, *more: str, code: int = 0) -> Result:
    """ib-north's September as a file."""
    return statements(
        folder, "export", "ib-north", "2026-09", "-o", str(folder / output), "--yes", *more, code=code
    )


def test_statements_are_listed(folder: Path) -> None:
    """north's 6.665, of which 6.66 are payable; for machines with every field; none of an open month."""
    (row,) = json.loads(statements(folder, "list", "--ib", "ib-north", "--json").stdout)
    figures = [row[name] for name in ("accrued", "payable", "rounding", "closing")]
    assert figures == ["6.665", "6.66", "0.005", "0"]
    shown = statements(folder, "list", "--period", "2026-09").stdout
    assert "2026-09 ib-north 0.00 6.66 0.00 6.66 0.00 USD" in " ".join(shown.split())
    assert "there may be more" not in shown
    assert "the first 1; there may be more: --limit" in statements(folder, "list", "--limit", "1").stdout
    assert json.loads(statements(folder, "list", "--period", "2026-10", "--json").stdout) == []


def test_a_statement_is_shown(folder: Path) -> None:
    """Its figures in the order in which they add up: 0 + 6.665 - 0 - 6.66 - 0.005 = 0; and what proves it."""
    lines = statements(folder, "show", "ib-north", "2026-09").stdout.splitlines()
    row = json.loads(statements(folder, "show", "ib-north", "2026-09", "--json").stdout)
    assert lines == [
        "ib-north  2026-09 (2026-09-01 00:00 to 2026-10-01 00:00 UTC)",
        "opening                   0 USD",
        "accrued               6.665 USD",
        "taken back                0 USD",
        "payable                6.66 USD",
        "rounding              0.005 USD",
        "carried on                0 USD",
        "held, not in the sum      0 USD",
        f"statement {row['statement_id']} of {row['transfers']} transfers",
        f"hash {row['hash']}, after none",
    ]
    told = statements(folder, "show", "ib-north", "2026-10", code=2)
    assert "ib-north has no statement of 2026-10" in told.output


@pytest.mark.parametrize(
    ("ending", "start"), [("pdf", b"%PDF-"), ("html", b"<!doctype"), ("csv", b"item,"), ("xlsx", b"PK")]
)
def test_a_document_is_of_the_kind_of_its_ending(folder: Path, ending: str, start: bytes) -> None:
    """And the same bytes when it is written again."""
    first, second = f"a.{ending}", f"b.{ending.upper()}"
    for name in (first, second):
        told = written(folder, name, "--parties", str(folder / "parties.yaml"))
        assert "6.66 USD payable, hash " in told.stdout
    assert (folder / first).read_bytes().startswith(start)
    assert (folder / first).read_bytes() == (folder / second).read_bytes()


def test_the_figures_are_the_ledgers_in_the_readers_numbers(folder: Path) -> None:
    """5 x 1.333 = 6.665 earned, 6.66 payable; issued on the day after September, by the broker's days."""
    written(folder, "c.html", "--parties", str(folder / "parties.yaml"), "--locale", "de")
    page = (folder / "c.html").read_text()
    for text in (
        "6,665 USD",
        "6,66 USD",
        "North &amp; Partners",
        "Registration HE 123456",
        "Tax id DE123456789",
    ):
        assert text in page
    assert "<dt>Issued on</dt><dd>1. Oktober 2026</dd>" in page


def test_a_billed_statement_is_an_invoice(tmp_path: Path) -> None:
    """Of 6.66 and 3.34 in advance, 10.00 in all, with 19 % VAT: 11.90, paid in euros at 1.25: 9.52."""
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir) as client:
        store(client, list(RECORDS))
        found = client.query("SELECT statement_id FROM statements_current WHERE ib_id = 'ib-north'")
        rows = Rows()
        for place, record in enumerate(billed(found.result_rows[0][0])):
            rows.add(topics.PAYOUTS, 0, place, encode_payout(record), "")
        rows.store(client)
    (tmp_path / "parties.yaml").write_text(PARTIES)
    told = written(tmp_path, "i.html", "--parties", str(tmp_path / "parties.yaml")).stdout
    assert "Self-billing invoice SB-2026-000001, 6.66 USD payable" in told
    page = (tmp_path / "i.html").read_text()
    for text in (
        "<h1>Self-billing invoice SB-2026-000001</h1>", "<dt>Issued on</dt><dd>October 12, 2026</dd>",
        "Advances and other statements, paid with it", "3.34 USD", "VAT 19 %", "1.90 USD", "11.90 USD",
        "Paid as 9.52 EUR: 1 / EUR/USD 1.25 (2026-10-01).",
    ):  # fmt: skip
        assert text in page
    (row,) = json.loads(statements(tmp_path, "invoices", "--year", "2026", "--json").stdout)
    assert (row["number"], row["amount"], row["tax"], row["pays"]) == ("SB-2026-000001", "10", "1.9", "9.52")
    assert json.loads(statements(tmp_path, "invoices", "--year", "2027", "--json").stdout) == []
    shown = " ".join(statements(tmp_path, "invoices").stdout.split())
    assert "SB-2026-000001 2026-10-12 ib-north 10.00 1.90 11.90 USD VAT 19 % Broker Ltd" in shown


def test_an_invoice_of_advances_alone_has_a_document(tmp_path: Path) -> None:
    """Two of 3.34 and 6.66, 10.00 in all, with 19 % VAT: 11.90; it is written by its number."""
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir) as client:
        rows = Rows()
        granted = [*advance("c-1", "3.34", 0), *advance("c-2", "6.66", 2)]
        records = [*granted, *(replace(one, place=4 + n) for n, one in enumerate(billed("c-2")))]
        for place, record in enumerate(records):
            rows.add(topics.PAYOUTS, 0, place, encode_payout(record), "")
        rows.store(client)
    (tmp_path / "parties.yaml").write_text(PARTIES)
    parties = ("--parties", str(tmp_path / "parties.yaml"))

    def invoice(number: str, ending: str, *more: str, code: int = 0) -> str:
        output = str(tmp_path / f"i.{ending}")
        found = statements(tmp_path, "invoice", number, "-o", output, "--yes", *parties, *more, code=code)
        return " ".join(found.output.split())

    for ending in ("html", "pdf", "csv", "xlsx"):
        told = invoice("SB-2026-000001", ending)
        assert "Self-billing invoice SB-2026-000001, 11.9 USD in advance" in told
    page = (tmp_path / "i.html").read_text()
    for text in (
        "<h1>Self-billing invoice SB-2026-000001</h1>", "<dt>Issued on</dt><dd>October 12, 2026</dd>",
        "Advance c-1 of October 10, 2026: agreed", "3.34 USD", "6.66 USD", "10.00 USD", "VAT 19 %",
        "11.90 USD",
        "Paid as 9.52 EUR: 1 / EUR/USD 1.25 (2026-10-01).",
    ):  # fmt: skip
        assert text in page
    rows_of_csv = (tmp_path / "i.csv").read_text().splitlines()
    assert "To be paid,11.9,USD" in rows_of_csv
    first = (tmp_path / "i.pdf").read_bytes()
    invoice("SB-2026-000001", "pdf")
    assert (tmp_path / "i.pdf").read_bytes() == first
    for number, ending, more, why in (
        ("SB-2026-000002", "pdf", (), "no invoice SB-2026-000002"),
        ("x", "pdf", (), "no invoice x"),
        ("SB-2026-000001", "pdf", ("--issuer", "Other Ltd"), "no invoice SB-2026-000001"),
        ("SB-2026-000001", "txt", (), "ends in none of .pdf, .html, .csv, .xlsx"),
    ):
        assert why in invoice(number, ending, *more, code=2)


def test_an_invoice_of_a_statement_is_the_statements(tmp_path: Path) -> None:
    """Its number alone writes nothing: the statement has the figures."""
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir) as client:
        rows = Rows()
        for place, record in enumerate(billed("st-1")):
            rows.add(topics.PAYOUTS, 0, place, encode_payout(record), "")
        rows.store(client)
    (tmp_path / "p.yaml").write_text(PARTIES)
    output, parties = str(tmp_path / "i.pdf"), str(tmp_path / "p.yaml")
    told = statements(tmp_path, "invoice", "SB-2026-000001", "-o", output, "--parties", parties, code=2)
    assert "bills statements of ib-north: `ibflow statements export` writes it" in " ".join(
        told.output.split()
    )


def advance(change_id: str, amount: str, place: int) -> list[PayoutRecord]:
    """Granted by two people."""
    asked = ChangeRequested(
        place=place, by="ann", at=at(39), change_id=change_id, kind="advance", ib_id="ib-north",
        currency="USD", amount=Decimal(amount), reason="agreed",
    )  # fmt: skip
    return [asked, ChangeDecided(place=place + 1, by="ben", at=at(40), change_id=change_id, is_approved=True)]


def billed(statement_id: str) -> list[PayoutRecord]:
    """A batch of one line, of a statement and an advance, that was approved and billed."""
    line = Line(
        line_id="l1", ib_id="ib-north", name="", amount=Decimal(10), statement_ids=("c-1", statement_id),
        tax=Tax(kind="vat", percent=Decimal(19)),
    )  # fmt: skip
    rate = Exchange(
        currency="EUR",
        times=Decimal(1),
        over=Decimal("1.25"),
        path="1 / EUR/USD 1.25 (2026-10-01)",
        at=at(40),
    )
    told: dict[str, Any] = {"batch_id": "b1", "at": at(42)}
    made: dict[str, Any] = {"period": "2026-09", "currency": "USD", "minimum": Decimal(0), "exchange": rate}
    return [
        BatchCreated(**told, **made, lines=(line,), place=0, by="ann"),
        BatchSubmitted(**told, place=1, by="ann"),
        BatchApproved(**told, place=2, by="ben"),
        InvoicesIssued(**told, place=3, by="ben", issuer="Broker Ltd", line_ids=("l1",)),
    ]


@pytest.mark.parametrize(
    ("parties", "more", "why"),
    [
        (None, (), "say with --parties FILE who the broker and ib-north are"),
        ("", (), "Expected `object`, got `null`"),
        ("broker: [", (), "is not YAML"),
        ("broker: {name: B}\nibs: {other: {name: O}}", (), "does not say who ib-north is"),
        ("broker: {name: B, vat: 1}\nibs: {}", (), "unknown field `vat`"),
        (f"{PARTIES}\nzone2: x", (), "unknown field `zone2`"),
        (PARTIES.replace("Europe/Berlin", "Berlin"), (), "the time zone 'Berlin' is unknown"),
        (PARTIES, ("--locale", "xx-nobody"), "the locale 'xx-nobody' is unknown"),
        (PARTIES, ("--currency", "EUR"), "ib-north has statements of 2026-09 in USD"),
    ],
)
def test_what_is_missing_is_said(
    folder: Path, tmp_path: Path, parties: str | None, more: tuple[str, ...], why: str
) -> None:
    """And nothing is written."""
    if parties is not None:
        (tmp_path / "p.yaml").write_text(parties)
        more = (*more, "--parties", str(tmp_path / "p.yaml"))
    assert why in " ".join(written(folder, "no.pdf", *more, code=2).output.split())
    assert not (folder / "no.pdf").exists()


def test_a_parties_file_that_is_not_there(folder: Path) -> None:
    """Is named."""
    assert "cannot be read" in written(folder, "no.pdf", "--parties", "/nowhere", code=2).output
