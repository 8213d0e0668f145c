"""Statements that prove themselves, terms as they were known, and the way from a transfer to its line.

ib-north has 5 a lot, 6 from 2 lots of a month on. September: 1 + 1 + 0.333 lots, 5 + 5 + 1.665, and 2.333
more for the tier: 13.998, paid 14.00, rounding -0.002. After its end come another lot of September (5, tier
1) and the cancellation of the first (reversal 5, tier 1 back), and in October one lot (5): 11 - 6 = 5.00.
"""

import hmac
import json
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
import uvicorn
from click.testing import Result
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from typer.testing import CliRunner

from api.app import create_app
from api.ledger import Ledger
from api.views.pseudonyms import Pseudonyms
from commission.outputs import Transfer
from commission.partner.statement_hash import PROVED
from commission.terms.rates import Band, Tiers
from infra.cli.app import app
from infra.verify.invariants import verify
from schemas import topics
from schemas.settings import Settings
from schemas.wire import Record, encode
from tests import services
from tests.build import ANNA, TERMS, D, at, deal, ended, partner, per_lot, period, plan, run
from tests.independent_verifier import faults
from tests.infra.verify.ledgers import broken, copied, store

TIERED = per_lot("class:forex=5", tiers=Tiers(by="lots", bands=(Band(start=D(2), factor=D("1.2")),)))
SILVER = plan("silver USD", TIERED)
MONTHS = (period("2026-09"), period("2026-10"), period("2026-11"))
FIRST = deal("1 sell 1 EURUSD out", source="mt5-deals-csv deals.csv:2")
GONE = replace(FIRST, revision="b", kind="cancelled", source="mt5-deals-csv deals.csv:9")
RECORDS: tuple[Record, ...] = (
    *TERMS, SILVER, *MONTHS, *ANNA,
    FIRST, deal("2 sell 1 EURUSD out", day=4), deal("3 sell 0.333 EURUSD out", day=5), ended("2026-09"),
    deal("4 sell 1 EURUSD out", day=6), GONE, deal("5 sell 1 EURUSD out", day=33), ended("2026-10"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the scenario stored; nobody has it open."""
    folder = tmp_path_factory.mktemp("evidence")
    with opened(folder) as client:
        store(client, list(RECORDS))
    return folder


def opened(folder: Path) -> AbstractContextManager[Client]:
    return services.ledger(Settings(data_dir=folder).chdb_dir)


def ibflow(folder: Path, *arguments: str | Path) -> Result:
    settings = {"IBFLOW_DATA_DIR": str(folder), "IBFLOW_CLICKHOUSE": "", "COLUMNS": "300"}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=settings)


@pytest.fixture(scope="module")
def files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """ib-north's files of both months."""
    out = tmp_path_factory.mktemp("files")
    paths = {month: out / f"{month}.jsonl" for month in ("2026-09", "2026-10")}
    for month, path in paths.items():
        written = ibflow(folder, "statements", "export", "ib-north", month, "-o", path)
        assert 0 == written.exit_code, written.output
    return paths


def squeezed(told: Result) -> str:
    """A table's text without its spacing."""
    return " ".join(told.stdout.split())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# Statements


def test_a_file_holds_exactly_the_rows_of_its_statement(files: dict[str, Path]) -> None:
    """Late rows and tiers are October's, though they are of September's deals."""
    september, *rows = lines(files["2026-09"])
    assert ("13.998", "14.00", "-0.002") == tuple(
        str(Decimal(september[name]).quantize(Decimal(f"1e-{places}")))
        for name, places in (("accrued", 3), ("payable", 2), ("rounding", 3))
    )
    told = sorted((row["code"], Decimal(row["amount"])) for row in rows)
    assert [
        ("accrual", D("1.665")), ("accrual", D(5)), ("accrual", D(5)),
        ("rounding", D("0.002")), ("statement", D(14)), ("true_up", D("0.333")), ("true_up", D(2)),
    ] == told  # fmt: skip
    october, *rows = lines(files["2026-10"])
    told = sorted((row["code"], Decimal(row["amount"])) for row in rows)
    assert [
        ("accrual", D(5)), ("accrual", D(5)), ("reversal", D(5)),
        ("statement", D(5)), ("true_up", D(1)), ("true_up", D(1)),
    ] == told  # fmt: skip
    assert september["hash"] == october["previous"]


def test_both_verifiers_accept_sound_files(files: dict[str, Path], tmp_path: Path) -> None:
    """Ours by the command, without data or services; another's written from the document alone."""
    assert [] == faults(files["2026-09"])
    assert [] == faults(files["2026-10"], files["2026-09"])
    checked = ibflow(
        tmp_path, "verify", "--statement", files["2026-10"], "--previous", files["2026-09"], "--json"
    )
    assert 0 == checked.exit_code, checked.output
    names = [check["name"] for check in json.loads(checked.stdout)]
    assert {"opening to closing", "hash", "follows the one before", "hash of the one before"} <= set(names)
    assert not list(tmp_path.iterdir())


# Pseudonyms

KEY = "0123456789abcdef0123456789abcdef"


def keyed(kind: str, value: str, key: str = KEY) -> str:
    """A pseudonym as docs/statement-proof.md has it, by the standard library alone."""
    text = f"ibflow pseudonym 1\x1f{kind}\x1f{value}".encode()
    return f"{kind}-{hmac.new(key.encode(), text, 'sha256').hexdigest()[:24]}"


def test_a_file_of_pseudonyms_names_nobody_and_proves_itself(
    folder: Path, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are the ledger's, both verifiers accept files and chain, and a key gives the same bytes."""
    monkeypatch.setenv("IBFLOW_PSEUDONYM_KEY", KEY)
    hidden = {month: tmp_path / f"{month}.jsonl" for month in files}
    for month, path in hidden.items():
        told = ibflow(folder, "statements", "export", "ib-north", month, "-o", path)
        assert f"hash {lines(path)[0]['hash']} of the pseudonyms shown" in told.stdout
    assert [] == faults(hidden["2026-09"])
    assert [] == faults(hidden["2026-10"], hidden["2026-09"])
    checked = ibflow(
        tmp_path, "verify", "--statement", hidden["2026-10"], "--previous", hidden["2026-09"], "--json"
    )
    assert 0 == checked.exit_code, checked.output
    for month, path in hidden.items():
        (known, *rows), (shown, *others) = lines(files[month]), lines(path)
        assert {**known, "hash": "", "previous": ""} == {**shown, "hash": "", "previous": ""}
        assert [(row["amount"], row["occurred_at"]) for row in rows] == [
            (row["amount"], row["occurred_at"]) for row in others
        ]
        for row, other in zip(rows, others, strict=True):
            assert other.get("client_id", "") == (
                keyed("client", row["client_id"]) if "client_id" in row else ""
            )
            assert other["transfer_id"] == keyed("transfer", row["transfer_id"])
            if "client_id" in row:
                for name in ("client_id", "account_key", "transfer_id", "reverses"):
                    assert f'"{row.get(name)}"' not in path.read_text()
        assert known["hash"] not in path.read_text()
    first = hidden["2026-10"].read_bytes()
    ibflow(folder, "statements", "export", "ib-north", "2026-10", "--yes", "-o", hidden["2026-10"])
    assert first == hidden["2026-10"].read_bytes()


def test_a_client_and_its_pseudonym(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The broker can tell whose it is; a short key, or none, is refused."""
    monkeypatch.setenv("IBFLOW_PSEUDONYM_KEY", KEY)
    assert keyed("client", "c-1") == ibflow(tmp_path, "pseudonym", "client", "c-1").stdout.strip()
    monkeypatch.setenv("IBFLOW_PSEUDONYM_KEY", "short")
    short = ibflow(tmp_path, "pseudonym", "client", "c-1")
    assert (2, True) == (short.exit_code, "fewer than 32 characters" in short.output)
    monkeypatch.setenv("IBFLOW_PSEUDONYM_KEY", "")
    assert 2 == ibflow(tmp_path, "pseudonym", "client", "c-1").exit_code


def test_what_may_hold_a_client_has_a_pseudonym() -> None:
    """A rebate's account and an event's id too; a deal's number, a period and the IB's accounts stay."""
    names = Pseudonyms(KEY)
    rebate = names.row(replace(ROW, credit="client:c-1:rebate", caused_by="kyc-c-1", reverses="t-1"))
    assert f"client:{keyed('client', 'c-1')}:rebate" == rebate.credit
    assert (keyed("cause", "kyc-c-1"), keyed("transfer", "t-1")) == (rebate.caused_by, rebate.reverses)
    assert ("ib:ib-north:pending", "live|7") == (names.row(ROW).debit, names.row(ROW).caused_by)
    other = names.row(replace(ROW, caused_by="dispute|7"))
    assert keyed("cause", "dispute|7") == other.caused_by
    closing = replace(ROW, client_id="", account_key="", caused_by="period|2026-09")
    assert "period|2026-09" == names.row(closing).caused_by
    assert names.row(ROW) != Pseudonyms(KEY[::-1]).row(ROW)


ROW = Transfer(
    transfer_id="t-2", code="accrual", debit="ib:ib-north:pending", credit="ib:ib-north:payable",
    amount=D(5), currency="USD", ib_id="ib-north", occurred_at=at(1), caused_by="live|7",
    client_id="c-1", account_key="live/5001",
)  # fmt: skip


def more_money(rows: list[dict[str, Any]]) -> None:
    rows[1]["amount"] = "5.01"


def moved_money(rows: list[dict[str, Any]]) -> None:
    """From one row to another, so that every sum still holds."""
    rows[1]["amount"], rows[2]["amount"] = "4", "6"


def removed(rows: list[dict[str, Any]]) -> None:
    del rows[2]


def added(rows: list[dict[str, Any]]) -> None:
    rows.append({**rows[1], "transfer_id": "f" * 32})


def duplicated(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[1])


def another_cause(rows: list[dict[str, Any]]) -> None:
    rows[1]["caused_by"] = "live|999"


def lower_figures(rows: list[dict[str, Any]]) -> None:
    """The statement says less, in figures that agree with one another."""
    rows[0]["accrued"], rows[0]["closing"] = "12.998", "-1"


def recounted(rows: list[dict[str, Any]]) -> None:
    """A row removed, with count and sum told anew."""
    gone = next(row for row in rows[1:] if row["code"] == "true_up")
    rows.remove(gone)
    rows[0]["transfers"] -= 1
    rows[0]["accrued"] = str(Decimal(rows[0]["accrued"]) - Decimal(gone["amount"]))
    rows[0]["closing"] = str(Decimal(rows[0]["closing"]) - Decimal(gone["amount"]))


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (more_money, "0.01 more than stated"),
        (moved_money, "✗ hash"),
        (removed, "the statement has 7 transfers"),
        (added, f"without {'f' * 32} it would hold"),
        (duplicated, "is there 2 times"),
        (another_cause, "✗ hash"),
        (lower_figures, "more than stated"),
        (recounted, "✗ hash"),
    ],
)
def test_every_tampering_is_found(
    files: dict[str, Path], tmp_path: Path, tamper: Callable[[list[dict[str, Any]]], None], named: str
) -> None:
    """By both verifiers, and ours names what can be named; exit 1."""
    rows = lines(files["2026-09"])
    tamper(rows)
    path = tmp_path / "tampered.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert faults(path)
    checked = ibflow(tmp_path, "verify", "--statement", path)
    assert (1, True) == (checked.exit_code, named in squeezed(checked)), checked.stdout


def test_another_statement_in_its_place_is_found(
    files: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    """A sound file of another IB or month does not follow the one before."""
    master = tmp_path / "master.jsonl"
    assert 0 == ibflow(folder, "statements", "export", "ib-master", "2026-09", "-o", master).exit_code
    for statement, previous in ((files["2026-10"], master), (files["2026-09"], files["2026-10"])):
        assert faults(statement, previous)
        checked = ibflow(tmp_path, "verify", "--statement", statement, "--previous", previous)
        assert (1, True) == (checked.exit_code, "✗ follows the one before" in squeezed(checked)), (
            checked.stdout
        )


def test_what_the_hash_does_not_cover_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    """Fields a partner might believe, and lines that are no transfers: exit 2, with file and line."""
    path = tmp_path / "more.jsonl"
    rows = lines(files["2026-09"])
    rows[2]["factors"] = {"rate": "6"}
    path.write_text("\n".join(map(json.dumps, rows)))
    refused = ibflow(tmp_path, "verify", "--statement", path)
    assert (2, True) == (refused.exit_code, f"{path}:3" in refused.stderr)
    path.write_text("\n".join(map(json.dumps, [rows[0], rows[0]])))
    assert "a statement is where a transfer belongs" in ibflow(tmp_path, "verify", "--statement", path).stderr
    path.write_text("")
    assert "is empty" in ibflow(tmp_path, "verify", "--statement", path).stderr


def test_the_order_of_arrival_changes_no_hash() -> None:
    """A month's deals the other way round: the same rows, the same statement."""
    deals = [deal(f"{n} sell 0.{n} EURUSD out", day=n) for n in range(1, 9)]

    def hashes(records: list[Record]) -> list[str]:
        return [s.hash for s in run(*ANNA, *records, ended("2026-09"), terms=(*TERMS, *MONTHS)).statements]

    assert hashes([*deals]) == hashes([*reversed(deals)])
    assert 2 == len(set(hashes([*deals])))


def test_the_ledger_proves_its_statements_and_finds_a_changed_one(folder: Path) -> None:
    """`ibflow verify` on the stored rows: four statements; a stored hash that is another's is found."""
    with opened(folder) as client:
        found = {finding.invariant: finding for finding in verify(client).findings}
        assert (True, "4 statements hashed again, 0 do not prove themselves") == (
            found["statements chained"].holds,
            found["statements chained"].figures,
        )
        assert [] == broken(client)


def test_a_row_moved_behind_our_back_is_found(tmp_path: Path) -> None:
    """Two stored accruals swap a cent: every sum holds, the hash does not."""
    with opened(tmp_path) as client:
        store(client, list(RECORDS))
        for number, amount in ((1, "4.99"), (2, "5.01")):
            where = f"caused_by = 'live|{number}' AND ib_id = 'ib-north' AND code = 'accrual'"
            copied(client, where, amount=Decimal(amount), _offset=10**6)
        finding = next(f for f in verify(client).findings if f.invariant == "statements chained")
    assert not finding.holds
    assert "ib-north 2026-09 USD" in finding.figures


def test_a_statement_nobody_closed_is_said_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    """Exit 2 and what to do."""
    missing = ibflow(folder, "statements", "export", "ib-north", "2026-11", "-o", tmp_path / "x")
    assert (2, True) == (missing.exit_code, "terms end-period 2026-11" in missing.stderr)
    assert not (tmp_path / "x").exists()


def test_the_file_has_all_that_is_proved_and_nothing_else(files: dict[str, Path]) -> None:
    """No factors and no path: an IB's file does not tell of the IBs above it."""
    assert set().union(*lines(files["2026-09"])[1:]) <= {"type", *PROVED}
    assert "ib-master" not in files["2026-09"].read_text()


# Terms


def shown(folder: Path, *arguments: str) -> dict[str, Any]:
    told = ibflow(folder, "terms", "show", "--json", *arguments)
    assert 0 == told.exit_code, told.output
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def offset_of(folder: Path, text: str) -> int:
    with opened(folder) as client:
        sql = f"SELECT max(_offset) FROM books WHERE _topic = 'terms' AND position(message, '{text}') > 0"  # noqa: S608
        return int(client.query(sql).first_row[0])


def test_terms_are_those_of_the_time_as_known_then(tmp_path: Path) -> None:
    """North moves to gold in October, published last: before that message nothing says so."""
    moved = partner("ib-north USD silver ib-master")
    moved = replace(
        moved, schedule=(*moved.schedule, replace(moved.schedule[0], since=at(31), plan_id="gold"))
    )
    with opened(tmp_path) as client:
        store(client, [*RECORDS, moved])
    last = offset_of(tmp_path, "ib-north")

    def north(*arguments: str) -> tuple[str, int]:
        row = next(p for p in shown(tmp_path, *arguments)["partners"] if p["ib_id"] == "ib-north")
        return row["plan_id"], row["known"]["offset"]

    first = next(
        n for n, record in enumerate(TERMS) if getattr(record, "ib_id", "") == "ib-north"
    )  # one message each
    assert ("silver", last) == north("--as-of", "2026-09-30T23:59:59Z")
    assert ("gold", last) == north("--as-of", "2026-10-01T00:00:00Z")
    assert ("silver", first) == north("--as-of", "2026-10-01T00:00:00Z", "--known-at", str(last - 1))
    assert [] == shown(tmp_path, "--known-at", "2020-01-01T00:00:00Z")["partners"]
    assert ["ib-north", "ib-master"] == [p["ib_id"] for p in shown(tmp_path, "--ib", "ib-north")["partners"]]
    only = shown(tmp_path, "--plan", "gold", "--as-of", "2026-09-15")
    assert (["ib-master"], ["gold"]) == (
        [p["ib_id"] for p in only["partners"]],
        [p["plan_id"] for p in only["plans"]],
    )


def test_terms_are_shown_as_a_tree_with_their_origins(folder: Path) -> None:
    """Master above north, plans with versions, periods with where their end was told."""
    told = ibflow(folder, "terms", "show").stdout
    assert told.index("ib-master") < told.index("ib-north")
    end = offset_of(folder, "period_ended")
    assert f"terms/0/{end}" in told
    assert ["2026-09", "2026-10"] == [p["period"] for p in shown(folder)["periods"] if p["ended"]]
    wrong = ibflow(folder, "terms", "show", "--ib", "ib-nobody")
    assert (2, True) == (wrong.exit_code, "Known: ib-master, ib-north" in wrong.stderr)
    assert 2 == ibflow(folder, "terms", "show", "--known-at", "yesterday").exit_code


# Audit


def transfer_ids(folder: Path, where: str) -> list[str]:
    with opened(folder) as client:
        found = client.query(f"SELECT transfer_id FROM transfers WHERE {where}")  # noqa: S608
        return [str(row[0]) for row in found.result_rows]


def audited(folder: Path, where: str) -> dict[str, Any]:
    (transfer_id,) = transfer_ids(folder, where)
    told = ibflow(folder, "audit", transfer_id, "--json")
    assert 0 == told.exit_code, told.output
    found: dict[str, Any] = json.loads(told.stdout)
    return found


NORTH = "ib_id = 'ib-north' AND "


def test_a_reversal_leads_to_both_lines_of_its_deal(folder: Path) -> None:
    """Partner book, client book, account book; both revisions with file and line; then the original's way."""
    found = audited(folder, NORTH + "code = 'reversal'")
    assert ["partner-book", "client-book", "account-book"] == [step["topic"] for step in found["steps"]]
    assert ["identity"] * 3 == [step["by"] for step in found["steps"]]
    assert found["complete"]
    assert encode([GONE])[0].decode() == found["steps"][2]["lines"][0]
    read = [(line["revision"], line["source"]) for line in found["revisions"]]
    assert [("a", "mt5-deals-csv deals.csv:2"), ("b", "mt5-deals-csv deals.csv:9")] == read
    original = found["reverses"]
    assert found["transfer"]["reverses"] == original["transfer"]["transfer_id"]
    assert encode([FIRST])[0].decode() == original["steps"][2]["lines"][0]
    assert original["reverses"] is None


def test_a_true_up_leads_to_the_deal_that_set_it_off(folder: Path) -> None:
    """Through the tally in the partner book; its message stands in the settlements."""
    found = audited(folder, NORTH + "code = 'true_up' AND amount = 2")
    assert [topics.SETTLEMENTS, "partner-book", "client-book", "account-book"] == [
        step["topic"] for step in found["steps"]
    ]
    assert '"tally"' in found["steps"][1]["lines"][0] or '"transfer"' in found["steps"][1]["lines"][0]
    assert '"deal_id":"2"' in found["steps"][3]["lines"][0]


def test_a_payment_leads_to_the_end_of_its_period(folder: Path) -> None:
    """Settlements, partner book, terms: the message that closed the month."""
    found = audited(folder, NORTH + "code = 'statement' AND period = '2026-09'")
    assert [topics.SETTLEMENTS, "partner-book", "terms"] == [step["topic"] for step in found["steps"]]
    assert '{"type":"period_ended","period":"2026-09"}' == found["steps"][-1]["lines"][0]


def test_the_way_is_shown_as_a_tree_and_ends_where_the_archive_does(tmp_path: Path) -> None:
    """Places, sources and lines; a message that is gone is said so."""
    with opened(tmp_path) as client:
        store(client, list(RECORDS))
    (transfer_id,) = transfer_ids(tmp_path, NORTH + "code = 'reversal'")
    told = ibflow(tmp_path, "audit", transfer_id).stdout
    lines = [line.strip() for line in told.splitlines()]
    assert transfer_id == lines[0]
    assert "mt5-deals-csv deals.csv:9" in lines
    assert any(line.startswith("account-book/0/") for line in lines)
    assert [] == [line for line in lines if len(line) > 80 and not line.startswith("{")]
    assert told.index("it takes back") > told.index("came from outside")
    with opened(tmp_path) as client:
        client.command("DELETE FROM books WHERE _topic = 'client-book'")
    told = ibflow(tmp_path, "audit", transfer_id).stdout
    assert "the archive lacks this message" in told
    nothing = ibflow(tmp_path, "audit", "nothing")
    assert (2, True) == (nothing.exit_code, "No transfer nothing" in nothing.stderr)


def test_a_deal_that_waited_shows_what_let_it_go(tmp_path: Path) -> None:
    """Its account was linked later: the link is the message behind it, and the deal's own line is found."""
    late = [*TERMS, *MONTHS, ANNA[1], FIRST, ANNA[0]]
    with opened(tmp_path) as client:
        store(client, late)
    found = audited(tmp_path, NORTH + "code = 'accrual'")
    last = found["steps"][-1]
    assert ("account-book", "client") == (last["topic"], last["by"])
    assert '"account_linked"' in last["lines"][0]
    assert ["mt5-deals-csv deals.csv:2"] == [line["source"] for line in found["revisions"]]


def test_a_running_server_is_asked(folder: Path, tmp_path: Path) -> None:
    """It owns the embedded database: the command follows its note, and opens the database without one."""
    path = str(Settings(data_dir=folder).chdb_dir)
    ledger = Ledger(lambda: clickhouse_connect.get_client(interface="chdb", path=path))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(ledger, Settings(_env_file=None)), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (tmp_path / "serve.json").write_text(json.dumps({"url": url}))
    try:
        written = ibflow(
            tmp_path, "statements", "export", "ib-north", "2026-09", "-o", tmp_path / "out.jsonl"
        )
    finally:
        server.should_exit = True
        thread.join(30)
    assert 0 == written.exit_code, written.output
    assert [] == faults(tmp_path / "out.jsonl")
    assert not (tmp_path / "clickhouse").exists()
