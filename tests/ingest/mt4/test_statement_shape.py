"""MT4 statements of templates that nobody knows: read by their shape if they add up, else refused."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.app import app
from infra.sources.profiles import profile_of, server_of
from ingest.counts import Counts
from ingest.mt4.statement_columns import TEMPLATE, to_columns
from ingest.readers.detect import detect, read_any
from ingest.sources import UnreadableSource
from ingest.terms.folder import load_terms
from schemas.wire import decode
from tests.ingest.ingest_exports import RECEIVED, ledger, mt4, sorted_out, statement, ticket, tr
from tests.ingest.ingest_reports import xlsx_file, xlsx_parts, zip_file
from tests.ingest.mt4.statements import JAPANESE, grid_of, page, trades

SPANISH = (
    "Orden", "Hora de apertura", "Tipo", "Volumen", "Instrumento", "Precio", "S / L", "T / P",
    "Hora de cierre", "Precio ", "Comisión", "Impuestos", "Swap", "Beneficio",
)  # fmt: skip
GOLDEN = [
    ("1", "balance", "None", "None", "", "0", "None", "1000000", "0", "0", "0"),
    ("2:open", "trade", "sell", "in", "usdjpy-x", "30000000", "150.100", "0", "0", "0", "0"),
    ("3:open", "trade", "buy", "in", "eurjpy", "50000000", "163.200", "0", "0", "0", "0"),
    ("3:close", "trade", "sell", "out", "eurjpy", "50000000", "163.000", "-10000", "-300", "-5", "0"),
    ("2:close", "trade", "buy", "out", "usdjpy-x", "30000000", "149.900", "6000", "-180", "0", "-12"),
    ("4:open", "trade", "buy", "in", "usdjpy-x", "10000000", "149.800", "0", "-60", "0", "0"),
]
"""Worked out by hand: 0.20 yen on 30,000 dollars are 6,000 yen, 0.20 on 50,000 euros 10,000."""
FIELDS = (
    "deal_id", "kind", "side", "entry", "symbol", "volume_e8", "price", "profit", "commission", "fee", "swap",
)  # fmt: skip


def read_page(folder: Path, html: str, encoding: str = "utf-8", profile: Any = None) -> Any:
    path, counts = folder / "Statement.htm", Counts()
    path.write_bytes(html.encode(encoding))
    assert detect(path) == "mt4-statement"
    return (*sorted_out(read_any(path, profile or mt4(), RECEIVED, counts)), counts)


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig", "utf-16", "euc_jp"])
def test_another_language_is_read_by_its_shape(tmp_path: Path, encoding: str) -> None:
    """Not one known word, in five encodings: the deals are those worked out by hand; a note says how."""
    deals, letters, counts = read_page(tmp_path, page(JAPANESE, trades()), encoding)
    assert (ledger(deals, *FIELDS), letters) == (GOLDEN, [])
    assert {(deal.login, deal.currency) for deal in deals} == {(5002, "JPY")}
    assert (counts.rows, dict(counts.skipped)) == (5, {"dead_pending": 1})
    note = next(line for line in counts.lines() if "template that is not known" in line)
    assert "the profits of 2 trades follow their prices and the sums are those of the columns" in note
    if encoding != "euc_jp":  # which is not recognised: its numbers are read, its words are not
        assert "size `取引額`" in note
        assert "swap `スワップ`, profit `損益`" in note


def test_other_words_for_the_same_columns(tmp_path: Path) -> None:
    """`Volume` for `Size` is a known word, so even a profit that a dealer corrected does no harm."""
    html = statement(ticket(1, profit="-50.00")).replace("<td nowrap>Size</td>", "<td>Volume</td>")
    deals, letters, counts = read_page(tmp_path, html)
    assert (ledger(deals, "deal_id", "volume_e8", "profit"), letters) == (
        [("1:open", "50000000", "0"), ("1:close", "50000000", "-50.00")],
        [],
    )
    assert any("size `Volume`" in line and "all are known words" in line for line in counts.lines())


def test_a_known_word_moves_an_amount(tmp_path: Path) -> None:
    """Where every amount is called by a known word, the words count and not the usual order."""
    titles = (*SPANISH[:10], "Swap", "Commission", "Taxes", "Profit")
    row = tr("2", "2025.06.02 10:00:00", "buy", "0.50", "eurusd", "1.10000", "0", "0", "2025.06.03 11:00:00",
             "1.10100", "-0.25", "-3.50", "-0.10", "50.00")  # fmt: skip
    deals, _, _ = read_page(tmp_path, page(titles, row).replace("JPY", "USD"))
    closed = next(deal for deal in deals if deal.deal_id == "2:close")
    assert ledger([closed], "swap", "commission", "fee", "profit") == [("-0.25", "-3.50", "-0.10", "50.00")]


def test_a_template_with_other_columns(tmp_path: Path) -> None:
    """A running number before, no taxes, a comment behind: as statements were in 2006."""
    titles = ("No", *SPANISH[:11], "Rollover", "Beneficio", "Comentario")
    rows = "".join(
        tr(str(place), str(7000 + place), "2025.06.02 10:00", "buy", "0.50", "eurusd", "1.10000", "0", "0",
           "2025.06.03 11:00", "1.10100", "-3.50", "-0.25", "50.00", comment)
        for place, comment in ((1, "EA[sl]"), (2, ""))
    )  # fmt: skip
    html = page(titles, rows).replace("JPY", "USD")
    html = html[: html.index("<tr><td colspan=14><b>建玉:")] + "</table></body></html>"
    deals, letters, _ = read_page(tmp_path, html)
    assert letters == []
    assert ledger(deals, "deal_id", "commission", "fee", "swap", "profit", "reason") == [
        ("7001:open", "0", "0", "0", "0", ""),
        ("7002:open", "0", "0", "0", "0", ""),
        ("7001:close", "-3.50", "0", "-0.25", "50.00", "stop_loss"),
        ("7002:close", "-3.50", "0", "-0.25", "50.00", ""),
    ]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (trades(profit="-6 000"), "ticket 2 would have a profit of -6000 where its price went 0.200 its way"),
        (trades(sums="-4 001"), "a row of sums says -480, -5, -12, -4001"),
        (trades().replace("2025.06.03 09", "2025.06.02 19"), "closed on the day it opened"),
        (trades().replace("2025.06.02 12", "2025.06.01 12"), "close before the day it opened"),
        (trades().replace("<td>0.50</td>", "<td>0.505</td>"), "not hundredths of a lot"),
    ],
)
def test_what_does_not_add_up_is_refused(tmp_path: Path, rows: str, why: str) -> None:
    """Each thing that must hold, broken: the refusal says what was tried and how to name the columns."""
    with pytest.raises(UnreadableSource) as refused:
        read_page(tmp_path, page(JAPANESE, rows))
    assert why in str(refused.value)
    assert "tried as ticket, open_time, type, size, item" in str(refused.value)
    assert f"--columns {','.join(TEMPLATE)}" in str(refused.value)
    assert "損益" in str(refused.value)


def test_sizes_in_units_are_no_lots(tmp_path: Path) -> None:
    """30,000 dollars are 0.30 lots; taken for lots they would be paid a hundred thousand times."""
    rows = tr("2", "2025.06.02 10:00:00", "sell", "30000", "usdjpy", "150.100", "0", "0",
              "2025.06.03 09:00:00", "149.900", "-180", "0", "-12", "6 000")  # fmt: skip
    html = page(JAPANESE, rows).replace("<td>0.10</td>", "<td>10000</td>")
    with pytest.raises(UnreadableSource, match="they count units and not lots"):
        read_page(tmp_path, html)


def test_columns_that_a_person_names(tmp_path: Path) -> None:
    """What does not add up is read as --columns says; a column that is left out is 0."""
    said = to_columns(
        "ticket,open_time,type,volume,symbol,open_price,-,-,close_time,close_price,swap,-,-,profit"
    )
    html = page(JAPANESE, trades(profit="-6 000", sums="1"))
    deals, letters, counts = read_page(tmp_path, html, profile=mt4(columns=said))
    closed = next(deal for deal in deals if deal.deal_id == "2:close")
    assert ledger([closed], "profit", "commission", "swap") == [("-6000", "0", "-180")]
    assert letters == []
    assert any("as --columns names them" in line for line in counts.lines())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ticket,lots", "does not know lots"),
        ("ticket,ticket", "has twice ticket"),
        (",".join(TEMPLATE[:-1]), "it lacks profit"),
    ],
)
def test_columns_must_make_sense(text: str, why: str) -> None:
    """A word that is none, one given twice, a column no trade can be without."""
    with pytest.raises(UnreadableSource, match=why):
        to_columns(text)


def test_columns_are_of_statements_only(tmp_path: Path) -> None:
    """Other files know their columns by name; the option would be ignored without a word."""
    path = tmp_path / "trades.csv"
    path.write_text("TICKET,CMD,OPEN_TIME,CLOSE_TIME\n")
    with pytest.raises(UnreadableSource, match="leave --columns out"):
        read_any(path, mt4(columns=TEMPLATE), RECEIVED)


def test_one_damaged_row_of_a_strange_template(tmp_path: Path) -> None:
    """Damage to a row is that row's: the columns are told by the others."""
    rows = trades().partition("<tr><td colspan=10>")[0] + tr("9", "2025.06.02 1x:00:00", "buy", "x", *"????")
    deals, letters, _ = read_page(tmp_path, page(JAPANESE, rows))
    assert ledger(deals, *FIELDS) == GOLDEN
    assert [letter.code for letter in letters] == ["wrong_cells"]
    assert "Account: 7" not in letters[0].payload.decode()


def test_sums_of_archived_trades_are_no_trades(tmp_path: Path) -> None:
    """A `Summary trade result` is skipped and counted; at a price of 0 nothing else is a trade, either."""
    summary = ticket(7, title="Summary trade result Q1 2014", item="profit", price="0.00000", exit="0.00000")
    html = statement(summary + ticket(8, price="0.00000") + ticket(9, exit="0.00") + ticket(10))
    deals, letters, counts = read_page(tmp_path, html)
    assert sorted({deal.position_id for deal in deals}) == ["10"]
    assert [letter.code for letter in letters] == ["bad_price", "bad_price"]
    assert (counts.rows, dict(counts.skipped)) == (4, {"archived_summary": 1})


def test_saved_again_by_excel(tmp_path: Path) -> None:
    """Empty cells behind every row, hidden rows of widths at the end: nothing of it is a ticket."""
    whole = statement(ticket(1), ticket(2, closed=""))
    excel = whole.replace("</tr>", "<td></td></tr>").replace(
        "</table>", "<tr height=0 style='display:none'>" + "<td width=64></td>" * 15 + "</tr></table>"
    )
    assert read_page(tmp_path, excel)[:2] == read_page(tmp_path, whole)[:2]


def test_a_statement_as_a_workbook(tmp_path: Path) -> None:
    """Cells are numbers and texts in their columns; the deals have the revisions of the page."""
    row = [
        "1",
        "2025.06.02 10:00:00",
        "buy",
        "0.5",
        "eurusd",
        "1.1",
        "0",
        "0",
        "2025.06.02 11:00:00",
        "1.101",
    ]
    cash = ["2", "2025.06.01 10:00:00", "balance", "Deposit", *[""] * 9, "250"]
    path = xlsx_file(tmp_path / "statement.xlsx", grid_of([*row, "-3.5", "0", "-0.25", "50"], cash))
    assert detect(path) == "mt4-statement"
    deals, letters = sorted_out(read_any(path, mt4(), RECEIVED))
    cash_html = tr("2", "2025.06.01 10:00:00", "balance", "Deposit", "250.00")
    html, _, _ = read_page(tmp_path, statement(ticket(1) + cash_html))
    assert letters == []
    assert ledger(deals, "deal_id", "revision") == ledger(html, "deal_id", "revision")
    assert [deal.deal_id for deal in deals] == ["2", "1:open", "1:close"]


def test_a_workbook_that_took_times_for_dates(tmp_path: Path) -> None:
    """A spreadsheet keeps days since 1899: 45810 is 2 June 2025, ten hours are 0.41666…; to the second."""
    usual = ["1", "2025.06.02 10:00:00", "buy", "0.50", "btcusd", "45810.50", "0", "0", "2025.06.02 11:00:01"]
    dated = [*usual[:1], "45810.4166666667", *usual[2:8], "45810.458344907"]
    tail = ["45811.50", "-3.5", "0", "0", "0.50"]
    times = []
    for row in (usual, dated):
        path = xlsx_file(tmp_path / "statement.xlsx", grid_of([*row, *tail]))
        deals, letters = sorted_out(read_any(path, mt4(), RECEIVED))
        assert letters == []
        times.append(ledger(deals, "deal_id", "revision", "server_time", "price"))
    assert times[0] == times[1]
    assert [one[2] for one in times[1]] == ["2025.06.02 10:00:00", "2025.06.02 11:00:01"]
    parts = xlsx_parts(grid_of([*dated, *tail]))
    book = parts["xl/workbook.xml"].decode("utf-16").replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    path = zip_file(tmp_path / "mac.xlsx", parts | {"xl/workbook.xml": book.encode("utf-16")})
    deals, _ = sorted_out(read_any(path, mt4(), RECEIVED))
    assert deals[0].server_time == "2029.06.03 10:00:00", "1,462 days later"


def test_the_tester_is_named(tmp_path: Path) -> None:
    """A report of MT4's Strategy Tester is told as what it is, with its trades or without."""
    title = "<html><head><title>Strategy Tester: Moving Average</title></head><body><table>"
    trade = tr("1", "2025.06.02 10:00", "buy", "1", "0.10", "1.1")
    for html in (title + "</table></html>", title + trade + "</table></html>"):
        path = tmp_path / "tester.htm"
        path.write_text(html)
        with pytest.raises(UnreadableSource, match="MT4's Strategy Tester: its trades were only simulated"):
            detect(path)
    path = xlsx_file(tmp_path / "t.xlsx", [["Strategy Tester Report"], ["1", "2025.06.02 10:00", "buy", "1"]])
    with pytest.raises(UnreadableSource, match="MT4's Strategy Tester"):
        detect(path)


def normalised(path: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["normalise", str(path), *options])


def test_all_missing_options_at_once(tmp_path: Path) -> None:
    """A blank account, no currency, no server: one message names every option, by what the file lacks."""
    path = tmp_path / "Statement.htm"
    path.write_text(statement(ticket(1)).replace("Account: 5002", "Account: "))
    told = normalised(path)
    assert told.exit_code == 2
    assert "is an MT4 statement" in told.stderr
    assert [option for option in ("--server", "--timezone", "--login") if option in told.stderr] == [
        "--server", "--timezone", "--login",
    ]  # fmt: skip
    assert "--currency" not in told.stderr
    told = normalised(path, "--server", "Demo", "--timezone", "UTC", "--login", "5002")
    assert (told.exit_code, told.stdout.count('"login":5002')) == (0, 2)
    path.write_text(statement(ticket(1), currency="").replace("Account: 5002", "Account: "))
    with pytest.raises(UnreadableSource, match="--login, --currency"):
        read_any(path, mt4(), RECEIVED)


def test_a_fixed_offset_warns(tmp_path: Path) -> None:
    """`+02:00` never switches, which is said; a zone and UTC are taken at their word."""
    path = tmp_path / "Statement.htm"
    path.write_text(statement(ticket(1)))
    for rule, warns in (("+02:00", True), ("UTC", False), ("America/New_York+7h", False)):
        told = normalised(path, "--server", "Demo", "--timezone", rule)
        assert (told.exit_code, "the same in summer and winter" in told.stderr) == (0, warns)


def test_terms_give_the_revisions_of_ingest(tmp_path: Path) -> None:
    """Symbols and clock are the server's as its terms have them; without, the summary says what differs."""
    terms = Path(__file__).parents[3] / "examples" / "broker" / "terms"
    assert terms.exists()
    path = tmp_path / "Statement.htm"
    path.write_text(statement(ticket(1)))
    told = normalised(path, "--server", "mt4-real", "--terms", str(terms))
    ingested, _ = sorted_out(read_any(path, profile_of(server_of(load_terms(terms), "mt4-real")), RECEIVED))
    assert [decode(line) for line in told.stdout.encode().splitlines()] == ingested
    assert ledger(ingested, "symbol", "server_time") == [
        ("EURUSD", "2025.06.02 10:00:00"),
        ("EURUSD", "2025.06.02 11:00:00"),
    ]
    assert "--terms" not in told.stderr
    plain = normalised(path, "--server", "mt4-real", "--timezone", "Europe/London+2h")
    assert '"symbol":"eurusd"' in plain.stdout
    assert "with --terms they are spelled as the server does" in plain.stderr
    both = normalised(path, "--server", "mt4-real", "--terms", str(terms), "--timezone", "UTC")
    assert (both.exit_code, "--timezone" in both.stderr) == (2, True)
