"""Files that are no whole report, or hostile: one sentence, bounded memory, and nothing else lost."""

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from infra.cli.app import app
from ingest.formats import xlsx
from ingest.formats.grid import PIECE_ROWS
from ingest.formats.xlsx import plain_number, xlsx_rows
from ingest.mt5.report import read
from ingest.readers.detect import detect, read_any
from ingest.sources import UnreadableSource
from schemas.dead_letters import DeadLetter
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, damage, ledger, mt5, sorted_out
from tests.ingest.ingest_reports import csv_file, deal, grid, html_file, xlsx_file, xlsx_parts, zip_file
from tests.ingest.mt5.reports import DEALS, FORMS, ORDERS, POSITIONS, WHOLE

SHEET = "xl/worksheets/sheet1.xml"


def utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def with_part(tmp_path: Path, name: str, content: bytes) -> Path:
    """A good workbook with one part replaced or added."""
    return zip_file(tmp_path / "r.xlsx", xlsx_parts(grid(WHOLE)) | {name: content})


# Workbooks


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """100 MB of spaces in 100 kB are refused by what the archive says of itself, in little memory."""
    path = with_part(tmp_path, "xl/media/image1.png", b" " * 100_000_000)
    tracemalloc.start()
    with pytest.raises(UnreadableSource, match="unpacks to 100,"):
        read(path, mt5(), RECEIVED)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_an_archive_cannot_lie_about_its_size(tmp_path: Path) -> None:
    """A part that says it is small is read no further than that, and is then no whole XML."""
    path = with_part(tmp_path, SHEET, xlsx_parts(grid(WHOLE))[SHEET])
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        size = archive.getinfo(SHEET).file_size
    raw = raw.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(raw)
    with pytest.raises(UnreadableSource, match="not a complete workbook"):
        read(path, mt5(), RECEIVED)


@pytest.mark.parametrize("name", ["xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml"])
def test_macros_and_links_are_refused(tmp_path: Path, name: str) -> None:
    """A report has neither, so a workbook with them is none that a terminal wrote."""
    with pytest.raises(UnreadableSource, match="macros, links or objects"):
        read(with_part(tmp_path, name, b"x"), mt5(), RECEIVED)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    """The number of parts is bounded."""
    parts = xlsx_parts(grid(WHOLE)) | {f"xl/{n}.xml": b"" for n in range(xlsx.MAX_PARTS)}
    with pytest.raises(UnreadableSource, match="in 205 parts"):
        read(zip_file(tmp_path / "r.xlsx", parts), mt5(), RECEIVED)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    """A document type in a part is refused: entities can swell a kilobyte to gigabytes, or name a file."""
    laughs = (
        '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
        "<sst><si><t>&b;</t></si></sst>"
    )
    with pytest.raises(UnreadableSource, match="not a complete workbook"):
        read(with_part(tmp_path, "xl/sharedStrings.xml", utf16(laughs)), mt5(), RECEIVED)


def test_deep_or_long_sheets_take_little_memory(tmp_path: Path) -> None:
    """Elements of no meaning leave nothing behind: 2,000,000 of them in less than 20 MB."""
    rows = "<x/>" * 2_000_000
    path = zip_file(
        tmp_path / "r.xlsx",
        xlsx_parts(grid(WHOLE)) | {SHEET: f"<worksheet>{rows}<sheetData/></worksheet>".encode()},
    )
    # Stored, so that the ratio does not refuse it first.
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "s.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    tracemalloc.start()
    with pytest.raises(UnreadableSource, match="no table has types"):
        read(tmp_path / "s.xlsx", mt5(), RECEIVED)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_second_sheet_is_refused(tmp_path: Path) -> None:
    """What stands on another sheet would be lost without a word."""
    book = xlsx_parts([])["xl/workbook.xml"].decode("utf-16")
    two = book.replace("</sheets>", '<sheet name="Sheet2" sheetId="2" r:id="rId2"/></sheets>')
    with pytest.raises(UnreadableSource, match="has 2 sheets"):
        read(with_part(tmp_path, "xl/workbook.xml", two.encode("utf-16")), mt5(), RECEIVED)


def test_a_formula_is_never_an_amount(tmp_path: Path) -> None:
    """A deal whose profit is computed is a dead letter, whatever value the file says it came to."""
    sheet = xlsx_parts(grid(WHOLE))[SHEET].decode("utf-16")
    assert "<v>60.00</v>" in sheet
    forged = sheet.replace("<v>60.00</v>", "<f>SUM(A1:A9)*1000</f><v>60000.00</v>")
    deals, letters = sorted_out(read(with_part(tmp_path, SHEET, forged.encode("utf-16")), mt5(), RECEIVED))
    assert {"500", "501", "502"} <= {deal.deal_id for deal in deals}
    assert "503" not in {deal.deal_id for deal in deals}
    assert "bad_amount" in {letter.code for letter in letters}


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("1.12895", "1.12895"),
        ("0.00", "0.00"),
        ("1.1289499999999999", "1.12895"),  # as a spreadsheet saves 1.12895 again
        ("-29.460000000000001", "-29.46"),
        ("1E-05", "0.00001"),
        ("3.5324172E7", "35324172"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.2345678901234568E+16", "1.2345678901234568E+16"),  # digits of a ticket are lost: refused later
        ("1E999999999", "1E999999999"),
        ("NaN", "NaN"),
        ("market", "market"),
    ],
)
def test_numbers_without_a_float(written: str, read_as: str) -> None:
    """Numbers of cells keep their digits; a spreadsheet's noise goes, a lost digit is not made up."""
    assert read_as == plain_number(written)


def test_a_workbook_saved_again_tells_the_same_deals(tmp_path: Path) -> None:
    """A spreadsheet leaves out empty rows and cells and writes 17 digits; ids and revisions stay."""
    path = xlsx_file(tmp_path / "r.xlsx", grid(WHOLE))
    sheet = xlsx_parts(grid(WHOLE))[SHEET].decode("utf-16")
    saved = sheet.replace(' s="1"/>', "/>").replace("<v>1.10060</v>", "<v>1.1006000000000001</v>")
    assert saved.count("1.1006000000000001") == 2
    again = zip_file(
        tmp_path / "again.xlsx", xlsx_parts(grid(WHOLE)) | {SHEET: saved.encode("utf-8-sig")[3:]}
    )
    first, _ = sorted_out(read(path, mt5(), RECEIVED))
    second, letters = sorted_out(read(again, mt5(), RECEIVED))
    assert [] == letters
    assert ledger(first, "deal_id", "revision") == ledger(second, "deal_id", "revision")


# HTML and text


def test_a_cut_off_page_is_refused(tmp_path: Path) -> None:
    """A page without its end may lack deals, so it is not half read."""
    path = html_file(tmp_path / "r.html", grid(WHOLE))
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(UnreadableSource, match="it was cut off"):
        read(path, mt5(), RECEIVED)


def test_long_pages_are_read_in_pieces(tmp_path: Path) -> None:
    """A page of several pieces has every deal once, at the row where it stands."""
    count = 2 * PIECE_ROWS + 500
    lines = [
        deal(
            f"{10 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02} {n + 1} EURUSD buy in 0.01 1.10 {n + 9000}",
            balance="0",
        )
        for n in range(count)
    ]
    path = html_file(tmp_path / "r.html", grid({"Deals": lines}))
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert ([str(n) for n in range(1, count + 1)], []) == ([deal.deal_id for deal in deals], letters)
    assert f"mt5-report r.html:{6 + count}" == deals[-1].source


def test_a_row_of_another_width_is_told(tmp_path: Path) -> None:
    """With a cell gone from a row of HTML or text its amounts would be its neighbours'."""
    shifted = [cell for n, cell in enumerate(DEALS[2]) if n != 9]
    rows = grid({"Positions": POSITIONS, "Deals": [*DEALS[:2], shifted, *DEALS[3:]]})
    _, letters = sorted_out(read(html_file(tmp_path / "r.html", rows), mt5(), RECEIVED))
    assert ["wrong_cells"] == [letter.code for letter in letters]
    path = csv_file(tmp_path / "r.csv", grid(WHOLE))
    path.write_bytes(path.read_bytes().replace(b"buy,in, 1.00", b"buy,in; 1.00"))
    _, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert ["wrong_cells"] == [letter.code for letter in letters]


def test_text_that_ends_in_a_deal(tmp_path: Path) -> None:
    """The last amount of a cut-off file may be half a number."""
    path = csv_file(tmp_path / "r.csv", grid(WHOLE))
    cut = path.read_bytes()
    path.write_bytes(cut[: cut.rindex(b"- 5.00") + 4])
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert (["500", "501", "502", "503"], ["truncated_row"]) == (
        [deal.deal_id for deal in deals],
        [letter.code for letter in letters],
    )


def test_decimal_commas_are_not_guessed(tmp_path: Path) -> None:
    """A spreadsheet of a country with decimal commas: every deal says why it is not read."""
    path = csv_file(tmp_path / "r.csv", grid({"Deals": DEALS[1:3]}), delimiter=";")
    path.write_bytes(path.read_bytes().replace(b"1.10", b"1,10"))
    deals, letters = sorted_out(read_any(path, mt5(), RECEIVED))
    assert [] == deals
    assert all("has a comma" in letter.reason for letter in letters)
    assert 2 == len(letters)


def test_signals_are_known_and_refused(tmp_path: Path) -> None:
    """An MQL5 signal's history has no deal numbers; it is refused with the reason."""
    path = tmp_path / "signal.csv"
    path.write_text(
        "Time;Type;Volume;Symbol;Price;S/L;T/P;Time;Price;Commission;Swap;Profit;Comment\n"
        "2026.09.03 10:00:00;Buy;0.10;EURUSD;1.1;;;2026.09.03 11:00:00;1.1;-0.5;0;1.6400000000000001;\n"
    )
    with pytest.raises(UnreadableSource, match="MQL5 signal"):
        detect(path)


def test_an_old_workbook_is_refused(tmp_path: Path) -> None:
    """A workbook of the old kind, or one with a password, says how to save it."""
    path = tmp_path / "r.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(UnreadableSource, match="without a password"):
        detect(path)


@pytest.mark.parametrize("form", FORMS)
def test_damage_stays_in_its_row(tmp_path: Path, form: str) -> None:
    """Whatever stands in a deal's volume, the deals around it are read from every form."""
    damaged = [*DEALS[2][:5], "0.5O", *DEALS[2][6:]]
    path = FORMS[form](
        tmp_path / "r", grid({"Positions": POSITIONS, "Deals": [*DEALS[:2], damaged, *DEALS[3:]]})
    )
    deals, letters = sorted_out(read_any(path, mt5(), RECEIVED))
    assert (["500", "501", "503", "504"], ["bad_volume"]) == (
        [deal.deal_id for deal in deals],
        [letter.code for letter in letters],
    )


def good(form: str) -> bytes:
    """The bytes of a report with every section."""
    buffer = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"ibflow-fuzz-{form}"  # noqa: S108
    try:
        return FORMS[form](
            buffer, grid({"Positions": POSITIONS, "Orders": ORDERS, "Deals": DEALS})
        ).read_bytes()
    finally:
        buffer.unlink(missing_ok=True)


def check_anything(path: Path) -> None:
    """No bytes lead anywhere but to a sentence or to items; no name is in what comes out."""
    told, items = "", []
    try:
        items = list(read_any(path, mt5(margin_mode="hedging"), RECEIVED))
    except UnreadableSource as error:
        told = str(error)
    assert "Ada" not in told
    for item in items:
        if isinstance(item, DeadLetter):
            assert "Ada" not in item.reason
            assert b"Ada" not in item.payload
        else:
            assert "Ada" not in str(item)


FUZZ: dict[str, Any] = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


@pytest.mark.parametrize("form", ["html", "xlsx", "csv"])
@settings(max_examples=tries(37), **FUZZ)
@given(choice=st.data())
def test_damaged_files(tmp_path: Path, form: str, choice: st.DataObject) -> None:
    """Flipped, cut and inserted bytes end in items or a sentence."""
    path = tmp_path / "fuzz"
    path.write_bytes(damage(good(form))(choice.draw))
    check_anything(path)


def test_a_workbook_that_does_not_say_where_its_sheet_is_is_refused(tmp_path: Path) -> None:
    """Its sheet refers to a part that is not listed."""
    parts = xlsx_parts(grid(WHOLE))
    name = "xl/_rels/workbook.xml.rels"
    lost = parts[name].decode("utf-16").replace('Id="', 'Id="other-').encode("utf-16")
    with pytest.raises(UnreadableSource):
        list(read_any(zip_file(tmp_path / "lost.xlsx", parts | {name: lost}), mt5(), RECEIVED))


@settings(max_examples=tries(37), **FUZZ)
@given(choice=st.data())
def test_damaged_sheets(tmp_path: Path, choice: st.DataObject) -> None:
    """Damage inside a workbook's part, where no checksum finds it."""
    parts = xlsx_parts(grid(WHOLE))
    name = choice.draw(st.sampled_from(sorted(parts)))
    text = parts[name].decode("utf-16").encode()
    path = zip_file(tmp_path / "fuzz", parts | {name: damage(text)(choice.draw)})
    check_anything(path)


@settings(max_examples=tries(25), **FUZZ)
@given(
    head=st.sampled_from((b"", b"PK\x03\x04", b"\xff\xfe", b"<html>", b"\xef\xbb\xbf")),
    raw=st.binary(max_size=400),
)
def test_random_bytes(tmp_path: Path, head: bytes, raw: bytes) -> None:
    """Nor do random ones."""
    path = tmp_path / "fuzz"
    path.write_bytes(head + raw)
    check_anything(path)


def test_many_closings_are_matched_in_time(tmp_path: Path) -> None:
    """A position that any of 5,000 closings may belong to is left alone instead of searched for hours."""
    lines = [
        deal(
            f"{10 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02} {n + 1} EURUSD sell out 0.01 1.10 {n + 9000}",
            amounts="0.00 0.00 0.00 1.00",
            balance="0",
        )
        for n in range(5_000)
    ]
    listed = [
        ("2026.09.03 09:00:00", str(n), "EURUSD", "buy", "0.50", "1.1", "", "", "2026.09.03 11:23:19", "1.2",
         "0.00", "0.00", "50.00")
        for n in range(1, 301)
    ]  # fmt: skip
    path = html_file(tmp_path / "r.html", grid({"Positions": listed, "Deals": lines}))
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert ([], {None}, 5_000) == (letters, {deal.position_id for deal in deals}, len(deals))


# On the command line


def test_normalise_reads_a_report(tmp_path: Path) -> None:
    """`ibflow normalise` prints the deals and the check of the balances; another login is exit 2."""
    path = html_file(tmp_path / "r.html", grid(WHOLE))
    options = ["--server", "s", "--platform", "mt5", "--timezone", "UTC", "--group", "demo\\std"]
    told = CliRunner().invoke(app, ["normalise", str(path), *options])
    assert (0, 5) == (told.exit_code, len(told.stdout.splitlines()))
    assert '"group":"demo\\\\std"' in told.stdout
    assert "balances: 4 checked, 0 do not follow" in told.stderr
    wrong = CliRunner().invoke(app, ["normalise", str(path), *options, "--login", "7"])
    assert (2, True) == (wrong.exit_code, "is of account 80000001" in wrong.stderr)


def test_rows_of_a_workbook_keep_their_numbers(tmp_path: Path) -> None:
    """A place is the row a person sees in the spreadsheet."""
    assert "row 12" == xlsx_rows(xlsx_file(tmp_path / "r.xlsx", [[f"x{n}"] for n in range(12)]))[-1].place
