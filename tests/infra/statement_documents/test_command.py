"""`ibflow statements`: a ledger's statements listed, shown, and written as documents for people."""

import json
from pathlib import Path

import clickhouse_connect
import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.app import app
from infra.clickhouse.migrations import migrate
from schemas.settings import Settings
from schemas.wire import Record
from tests.build import ANNA, TERMS, deal, ended, per_lot, period, plan
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
    path = Settings(data_dir=folder).chdb_dir
    path.mkdir(parents=True)
    with clickhouse_connect.get_client(interface="chdb", path=str(path)) as client:
        migrate(client)
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
    assert "2026-09 ib-north 0 6.665 0 6.66 0 USD" in " ".join(shown.split())
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
