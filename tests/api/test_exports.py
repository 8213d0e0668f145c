"""Long files: the same rows as the lists they are of, for whoever asked, as long as they may see them."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from api.export_desk import Export
from api.ledger import Ledger
from api.queries.commission_sql import ReportFilter
from api.queries.periods import ALWAYS
from api.scope import EVERYTHING
from api.views.exported import Commissions, decode_question, encode_question
from api.views.pseudonyms import Pseudonyms
from infra.exports import desk as desks
from infra.exports.book import ExportBook
from infra.exports.desk import ExportDesk
from ingest.formats.xlsx import xlsx_rows
from schemas.people import Access
from tests.api.conftest import insert, per_lot
from tests.api.export_world import JSON, NOW, Here
from tests.eventually import eventually

QUESTION = Commissions(ReportFilter(EVERYTHING, ALWAYS), ("ib",))


@pytest.fixture
def here(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(ledger, tmp_path / "exports", monkeypatch)


@pytest.mark.parametrize("query", ["", "group_by=ib,component", "group_by=client&currency=USD", "scope=A"])
def test_the_long_csv_is_the_short_one(here: Here, query: str) -> None:
    """Byte for byte, though one is read as a stream and the other at once."""
    mary = here.world.signed_in("mary")
    short = mary.ask("GET", f"/v1/reports/commissions?format=csv&{query}", JSON)
    assert here.file(mary, f"commissions?format=csv&{query}") == short.content


def test_a_workbook_and_parquet_have_the_same_rows(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A: 225.75 accrued, B: 2.005 EUR, M: 3; of chosen columns in their order. Parquet is of two parts."""
    monkeypatch.setattr("infra.exports.files.PART_ROWS", 2)
    mary = here.world.signed_in("mary")
    asked = "commissions?columns=ib_id,accrued&columns=deals&format="
    sheet = here.folder / "taken.xlsx"
    sheet.write_bytes(here.file(mary, f"{asked}xlsx"))
    rows = [[str(cell) for cell in row.cells] for row in xlsx_rows(sheet)]
    assert rows == [["ib_id", "accrued", "deals"], ["A", "225.75", "2"], ["B", "2.005", "1"], ["M", "3", "1"]]
    sheet.unlink()
    table = pl.read_parquet(io.BytesIO(here.file(mary, f"{asked}parquet")))
    assert table.schema == {"ib_id": pl.String, "accrued": pl.Decimal(38, 8), "deals": pl.Int64}
    assert [(ib, str(accrued.normalize()), deals) for ib, accrued, deals in table.rows()] == [
        ("A", "225.75", 2), ("B", "2.005", 1), ("M", "3", 1),
    ]  # fmt: skip
    assert len(list(here.folder.iterdir())) == 2, "the parts are gone"


def test_all_transfers_are_in_their_file(here: Here) -> None:
    """Those of the list, the oldest first; of September alone with its closing, as everywhere."""
    mary = here.world.signed_in("mary")
    listed = mary.ask("GET", "/v1/transfers?limit=1000", JSON).json()["items"]
    lines = here.file(mary, "transfers?columns=transfer_id,amount,ib_id").decode().splitlines()
    assert lines[0] == "transfer_id,amount,ib_id"
    assert lines[1:] == [f"{row['transfer_id']},{row['amount']},{row['ib_id']}" for row in reversed(listed)]
    of_month = here.file(mary, "transfers?period=2026-09&columns=transfer_id").decode().split()[1:]
    assert {"s1", "s2", "r2"} <= set(of_month), "the closing of 1 October is September's"
    table = pl.read_parquet(io.BytesIO(here.file(mary, "transfers?ib=A&format=parquet")))
    assert table["ib_id"].unique().to_list() == ["A"]
    path = {row["transfer_id"]: row["path"] for row in listed}["t1"]
    assert json.loads(table.filter(pl.col("transfer_id") == "t1")["path"][0]) == path


def test_a_formula_is_defused(here: Here, chdb: Client) -> None:
    insert(chdb, "transfers", per_lot("bad", "=A", "live|99", "1", "broker:expense:per_lot > ib:=A:pending"))
    assert b"\r\n'=A," in here.file(here.world.signed_in("mary"), "commissions?format=csv")


def test_an_ib_has_its_own_rows_and_nobody_has_anothers(here: Here) -> None:
    """A sees A alone of A, B and M. To anybody else, an admin too, the file is one that there is not."""
    iris, anna = here.world.signed_in("iris"), here.world.signed_in("anna")
    asked = here.ask(iris, "commissions")
    here.desk.make_next()
    content = iris.ask("GET", f"/v1/exports/{asked['export_id']}/file", JSON).text
    assert [line.split(",")[0] for line in content.splitlines()] == ["ib_id", "A"]
    for path in ("", "/file"):
        assert anna.ask("GET", f"/v1/exports/{asked['export_id']}{path}", JSON).status_code == 404
    assert anna.call(f"/v1/exports/{asked['export_id']}/cancel", {}).status_code == 404
    assert anna.ask("GET", "/v1/exports", JSON).json()["items"] == []
    assert iris.call("/v1/exports/commissions?scope=B", {}).status_code == 404
    assert here.world.signed_in("ned").call("/v1/exports/transfers", {}).status_code == 403


def test_whoever_sees_less_since_does_not_get_the_file(here: Here) -> None:
    """Asked for with the whole broker in view; then mary has the sub-tree of B alone."""
    mary = here.world.signed_in("mary")
    asked = here.ask(mary, "transfers")
    here.desk.make_next()
    file = f"/v1/exports/{asked['export_id']}/file"
    assert mary.ask("GET", file, JSON).status_code == 200
    here.world.desk.change("mary", Access(role="manager", ibs=("B",)), "anna")
    refused = mary.ask("GET", file, JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "export_out_of_scope")
    own = here.file(mary, "transfers?columns=ib_id").decode().split()
    assert set(own) == {"ib_id", "B"}


def test_a_file_without_pseudonyms_is_not_for_who_sees_them() -> None:
    """Though it has no IB that is not seen."""
    plain = Export("x", "csv", "done", QUESTION, is_pseudonymous=False, asked_at=NOW)
    assert plain.is_within(EVERYTHING, shows_pseudonyms=False)
    assert not plain.is_within(EVERYTHING, shows_pseudonyms=True)
    assert plain._replace(is_pseudonymous=True).is_within(EVERYTHING, shows_pseudonyms=True)


def test_clients_have_pseudonyms_where_they_were_asked_for_so(ledger: Ledger, tmp_path: Path) -> None:
    """The thread that makes the file has the key; without it there is no file."""
    names = Pseudonyms("k" * 32)
    question = Commissions(ReportFilter(EVERYTHING, ALWAYS, of={"ib": "A"}), ("client",))
    for key, expected in ((names, "done"), (None, "failed")):
        desk = ExportDesk(ledger, ExportBook(), tmp_path / str(expected), key, now=lambda: NOW)
        desk.take_up()
        asked = desk.ask("iris", question, "csv", is_pseudonymous=True)
        desk.make_next()
        assert desk.one("iris", asked.export_id).state == expected
    text = next((tmp_path / "done").iterdir()).read_text()
    assert {names.of("client", one) for one in ("c1", "c2")} <= set(text.replace("\n", ",").split(","))
    assert ",c1" not in text


def test_a_key_asks_once(here: Here) -> None:
    """The same `Idempotency-Key` is the same export; both the asking and the taking are in the audit log."""
    mary = here.world.signed_in("mary")
    first, again = (here.ask(mary, "commissions", **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first["export_id"] == again["export_id"]
    here.desk.make_next()
    assert not here.desk.make_next()
    mary.ask("GET", f"/v1/exports/{first['export_id']}/file", JSON)
    done = [(what, on) for by, what, on in here.world.done() if by == "mary" and "exports" in on]
    assert done == [
        ("change", "POST /v1/exports/commissions"), ("export", f"/v1/exports/{first['export_id']}/file"),
    ]  # fmt: skip


# Bounds


def test_so_many_wait_at_the_most(here: Here) -> None:
    """Five of one; somebody else may still ask. One that is cancelled makes room and has no file."""
    mary = here.world.signed_in("mary")
    asked = [here.ask(mary, "commissions") for _ in range(desks.MAX_OF_ONE)]
    refused = mary.call("/v1/exports/commissions", {})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_exports")
    here.ask(here.world.signed_in("fred"), "commissions")
    last = asked[-1]["export_id"]
    assert mary.call(f"/v1/exports/{last}/cancel", {}).json()["state"] == "cancelled"
    here.ask(mary, "commissions")
    while here.desk.make_next():
        pass
    refused = mary.ask("GET", f"/v1/exports/{last}/file", JSON)
    assert (refused.status_code, refused.json()["code"]) == (409, "export_not_ready")


@pytest.mark.parametrize(
    ("bound", "value", "why"),
    [
        ("MAX_ROWS", {"csv": 2}, "it has 3 rows, more than 2: ask for a shorter time, or less of it"),
        ("MAX_BYTES", -1, "its file has more than -1 bytes: ask for a shorter time, or less of it"),
        ("MIN_FREE_BYTES", 10**18, "the disk is nearly full"),
    ],
)
def test_what_does_not_fit_says_so(
    here: Here, monkeypatch: pytest.MonkeyPatch, bound: str, value: object, why: str
) -> None:
    """It failed, its reason is told, and nothing of it is left on the disk."""
    monkeypatch.setattr(desks, bound, value)
    asked = here.desk.ask("mary", QUESTION, "csv", is_pseudonymous=False)
    here.desk.make_next()
    found = here.desk.one("mary", asked.export_id)
    assert (found.state, found.why) == ("failed", why)
    assert list(here.folder.iterdir()) == []


def test_the_oldest_files_make_room(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files have some 120 bytes; with room for one and the largest there may be, the first goes."""
    first, second = (made(here) for _ in range(2))
    monkeypatch.setattr(desks, "MAX_BYTES", 1_000)
    monkeypatch.setattr(desks, "MAX_DISK_BYTES", 1_000 + second.size)
    made(here)
    assert [one.state for one in here.desk.listed("mary")] == ["done", "done", "expired"]
    assert here.desk.one("mary", first.export_id).why == "newer files needed its room"
    assert here.desk.path("mary", first.export_id) is None


def made(here: Here) -> Export:
    """One of mary's, a second after the one before."""
    here.now += timedelta(seconds=1)
    asked = here.desk.ask("mary", QUESTION, "csv", is_pseudonymous=False)
    assert here.desk.make_next()
    return here.desk.one("mary", asked.export_id)


def test_a_file_is_kept_for_a_day(here: Here) -> None:
    found = made(here)
    assert found.expires_at is not None
    here.now = found.expires_at - timedelta(seconds=1)
    here.desk.tidy()
    assert here.desk.path("mary", found.export_id) is not None
    here.now = found.expires_at
    assert here.desk.path("mary", found.export_id) is None, "also before anybody tidied"
    here.desk.tidy()
    assert list(here.folder.iterdir()) == []
    assert here.desk.one("mary", found.export_id).state == "expired"
    here.now += timedelta(days=8)
    here.desk.tidy()
    assert here.desk.listed("mary") == []


def test_a_file_is_removed_on_request(here: Here) -> None:
    found = made(here)
    assert here.desk.cancel("mary", found.export_id).state == "expired"
    assert list(here.folder.iterdir()) == []


# Crashes


class Ends(BaseException):
    """The process is killed."""


def interrupt(desk: ExportDesk, what: Callable[[], object]) -> None:
    """Make the next file, with something happening after its first rows."""
    count = desk._book.note

    def note(export_id: str, rows: int, total: int | None) -> bool:
        going_on = count(export_id, rows, total)
        what()
        return going_on

    desk._book.note = note  # type: ignore[method-assign]
    try:
        desk.make_next()
    except Ends:
        pass
    finally:
        desk._book.note = count  # type: ignore[method-assign]


def test_what_a_process_left_is_made_again_and_given_up_after_three(here: Here) -> None:
    """Killed twice while it was made, and done by the third; killed three times, it says so."""
    for kills, state in ((2, "done"), (3, "failed")):
        asked = here.desk.ask("mary", QUESTION, "csv", is_pseudonymous=False)
        for _ in range(kills):
            interrupt(here.desk, killed)
            assert here.desk.one("mary", asked.export_id).state == "running"
            (here.folder / f"{asked.export_id}.partial").write_text("half")
            here.desk = ExportDesk(here.desk._ledger, here.book, here.folder, now=lambda: NOW)
            here.desk.take_up()
            assert not (here.folder / f"{asked.export_id}.partial").exists()
        here.desk.make_next()
        found = here.desk.one("mary", asked.export_id)
        assert found.state == state
    assert found.why == "the process ended 3 times while it was made"


def killed() -> None:
    raise Ends


def test_one_that_is_cancelled_while_it_is_made_has_no_file(here: Here) -> None:
    asked = here.desk.ask("mary", QUESTION, "csv", is_pseudonymous=False)
    interrupt(here.desk, lambda: here.desk.cancel("mary", asked.export_id))
    assert here.desk.one("mary", asked.export_id).state == "cancelled"
    assert list(here.folder.iterdir()) == []


def test_the_thread_makes_what_is_asked_for(here: Here) -> None:
    """Started and stopped as a server does it."""
    desk = ExportDesk(here.desk._ledger, ExportBook(), here.folder)
    asked = desk.ask("mary", QUESTION, "csv", is_pseudonymous=False)
    desk.start()
    eventually(lambda: not desk.one("mary", asked.export_id).is_unfinished, within=20)
    assert desk.one("mary", asked.export_id).state == "done"
    desk.stop()


def test_a_question_is_the_same_after_a_restart() -> None:
    """Its scope, interval and filters too."""
    wanted = ReportFilter(EVERYTHING.narrowed(["A"]), ALWAYS, ("A",), "USD", {"client": "c1"}, NOW)
    question = Commissions(wanted, ("ib", "day"), ("net",))
    assert decode_question(encode_question(question)) == question


def test_the_page_follows_them(here: Here) -> None:
    """While one is made the list comes again by itself, and then has a link to the file."""
    mary = here.world.signed_in("mary")
    asked = here.ask(mary, "commissions?format=xlsx")
    assert 'hx-trigger="every 3s"' in mary.page("/exports")
    here.desk.make_next()
    page = mary.page("/exports")
    assert f"/v1/exports/{asked['export_id']}/file" in page
    assert "every 3s" not in mary.page("/exports?part=list")
    assert "/v1/exports/commissions?format=csv" in mary.page("/reports")
