"""MT4 statements: tickets to deals, cash, and everything in between that is neither."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.counts import Counts
from ingest.mt4 import statement as mt4_statement
from ingest.mt4.statement import read, split_title
from ingest.sources import UnreadableSource
from schemas.wire import decode, encode
from tests.effort import tries
from tests.ingest.ingest_exports import (
    NEW_YORK,
    RECEIVED,
    TITLES,
    damage,
    ledger,
    mt4,
    mt5,
    sorted_out,
    statement,
    ticket,
    tr,
)

SAMPLE = Path(__file__).parents[4] / "shared" / "samples" / "mt4-statement.htm"


def read_html(folder: Path, html: str, profile: Any = None, encoding: str = "cp1252", **more: Any) -> Any:
    path = folder / "Statement.htm"
    path.write_bytes(html.encode(encoding))
    return sorted_out(read(path, profile or mt4(), RECEIVED, **more))


def test_golden_statement(tmp_path: Path) -> None:
    """A closed trade is two deals, an open one is one, and cash is as it is."""
    closed = ticket(
        2001,
        type="sell",
        size="1.25",
        item="xauusd@",
        price="2 079.79",
        exit="2 074.93",
        commission="-14.77",
        taxes="-0.10",
        swap="-1.50",
        profit="1 434.86",
        title="#8015 EA[tp]",
    ) + tr("1999", "2025.06.01 08:00:00", "balance", "Deposit", "10 000.00", title="Deposit")
    opened = ticket(2002, closed="", opened="2025.06.02 12:00:00", commission="-3.00", profit="202.95")
    deals, letters = read_html(tmp_path, statement(closed, opened), mt4(NEW_YORK, group="std"))
    assert letters == []
    assert ledger(
        deals, "deal_id", "kind", "side", "entry", "symbol", "volume_e8", "price", "position_id"
    ) == [
        ("1999", "balance", "None", "None", "", "0", "None", ""),
        ("2001:open", "trade", "sell", "in", "xauusd@", "125000000", "2079.79", "2001"),
        ("2001:close", "trade", "buy", "out", "xauusd@", "125000000", "2074.93", "2001"),
        ("2002:open", "trade", "buy", "in", "eurusd", "50000000", "1.10000", "2002"),
    ]
    assert ledger(deals, "profit", "commission", "fee", "swap", "reason", "comment") == [
        ("10000.00", "0", "0", "0", "", "Deposit"),
        ("0", "0", "0", "0", "", "EA[tp]"),
        ("1434.86", "-14.77", "-0.10", "-1.50", "take_profit", "EA[tp]"),
        ("0", "-3.00", "0", "0", "", ""),
    ]
    assert {(deal.account_key, deal.currency, deal.is_service, deal.group) for deal in deals} == {
        ("Demo-MT4/5002", "USD", False, "std")
    }
    assert [f"{deal.occurred_at:%d %H:%M}" for deal in deals] == [
        "01 05:00",
        "02 07:00",
        "02 08:00",
        "02 09:00",
    ]
    assert [decode(line) for line in encode(deals)] == deals


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("#21000 ", (21000, "")),
        ("#8015 The_EA_8[tp]", (8015, "The_EA_8[tp]")),
        ("from #24334215", (0, "from #24334215")),
        ("to #24392449", (0, "to #24392449")),
        ("#7 from #24334215[sl]", (7, "from #24334215[sl]")),
        ("", (0, "")),
    ],
)
def test_magic_number_is_no_ticket_link(title: str, expected: tuple[int, str]) -> None:
    """A title's `#21000` is the EA's magic number; `from #…` and `to #…` link tickets."""
    assert split_title(title) == expected


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("#1 [sl]", "stop_loss"),
        ("from #5[tp]", "take_profit"),
        ("so: 49.8%/1.2", "stop_out"),
        ("also", ""),
        ("", ""),
    ],
)
def test_close_reason(tmp_path: Path, title: str, reason: str) -> None:
    """The comment's mark gives the closing deal its reason, and the opening deal none."""
    deals, _ = read_html(tmp_path, statement(ticket(1, title=title)))
    assert ledger(deals, "entry", "reason") == [("in", ""), ("out", reason)]


def test_partial_close_sums_to_the_original(tmp_path: Path) -> None:
    """Parent and child of a partial close open and close what was opened once."""
    html = ticket(10, size="0.30", title="to #11") + ticket(
        11, closed="2025.06.03 11:00:00", size="0.20", title="from #10"
    )
    deals, _ = read_html(tmp_path, statement(html))
    for entry in ("in", "out"):
        assert sum(deal.volume_e8 for deal in deals if deal.entry == entry) == 50_000_000


def test_close_by_leaves_a_zero_volume_ticket(tmp_path: Path) -> None:
    """The zero-volume record of a close-by is passed on; what it is worth is the fold's word."""
    deals, letters = read_html(tmp_path, statement(ticket(3, size="0.00", title="close hedge by #2")))
    assert (ledger(deals, "volume_e8"), letters) == ([("0",), ("0",)], [])


def test_what_is_skipped_is_counted(tmp_path: Path) -> None:
    """Dead pendings and working orders are no deals and no dead letters; furniture is not even a row."""
    pending = tr(
        "7",
        "2025.06.02 10:00:00",
        "buy limit",
        "3.75",
        "eurusd",
        "1.1",
        "1.0",
        "1.2",
        "2025.06.02 11:00:00",
        "1.105",
        "cancelled",
    )
    working = tr("8", "2025.06.02 10:00:00", "sell stop", "1.00", "eurusd", "1.1", "1.0", "1.2", "1.105", "")
    magic = "<tr><td colspan=9>&nbsp;</td><td>8015</td><td colspan=4>EA</td></tr>"
    path, counts = tmp_path / "s.htm", Counts()
    path.write_text(statement(pending + ticket(9) + magic, working=working), "utf-8")
    deals, letters = sorted_out(read(path, mt4(), RECEIVED, counts))
    assert (len(deals), letters, counts.rows) == (2, [], 3)
    assert dict(counts.skipped) == {"dead_pending": 1, "working_order": 1}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (tr("5", "2025.06.02 10:00:00", "buy", "1.00"), "wrong_cells"),
        (ticket(5, size="-1.00"), "bad_volume"),
        (ticket(5, type="buy limit"), "unknown_type"),
        (ticket(5, opened="1970.01.01 00:00:00"), "bad_time"),
        (ticket(5, closed=""), "bad_time"),
        (ticket(5, closed="2025.06.01 11:00:00"), "bad_time"),
        (ticket(5, profit="1,5"), "bad_amount"),
        (ticket(5, item="&nbsp;"), "bad_symbol"),
        (ticket(5).replace(">5<", ">x<"), "bad_number"),
        (tr("5", "2025.06.02 10:00:00", "buy", "Deposit", "1.00"), "wrong_cells"),
        (tr("5", "2025.06.02 10:00:00", "gift", "Deposit", "1.00"), "unknown_type"),
    ],
)
def test_one_bad_row_is_one_dead_letter(tmp_path: Path, bad: str, code: str) -> None:
    """A bad row is buried with its place, and its neighbours are deals."""
    deals, letters = read_html(tmp_path, statement(ticket(1) + bad + ticket(2)))
    assert sorted({deal.position_id for deal in deals}) == ["1", "2"]
    assert [(letter.code, letter.position, letter.source) for letter in letters] == [
        (code, "row 5", "mt4-statement Statement.htm")
    ]


def test_the_name_is_never_kept(tmp_path: Path) -> None:
    """The header's client name is in no deal and no dead letter."""
    deals, letters = read_html(tmp_path, statement(ticket(1) + tr("x")))
    assert (len(deals), len(letters)) == (2, 1)
    assert "Ada" not in str(deals) + letters[0].payload.decode()


def test_code_pages(tmp_path: Path) -> None:
    """cp1252 is found alone; another code page is named by the caller."""
    deals, _ = read_html(tmp_path, statement(ticket(1, title="café")))
    assert deals[0].comment == "café"
    deals, _ = read_html(tmp_path, statement(ticket(1, title="买入")), encoding="gbk")
    assert deals[0].comment != "买入"
    (tmp_path / "Statement.htm").write_bytes(statement(ticket(1, title="买入")).encode("gbk"))
    deals, _ = sorted_out(read(tmp_path / "Statement.htm", mt4(), RECEIVED, encoding="gbk"))
    assert deals[0].comment == "买入"
    for encoding in ("utf-8", "klingon"):
        with pytest.raises(UnreadableSource):
            read(tmp_path / "Statement.htm", mt4(), RECEIVED, encoding=encoding)


def test_symbols_are_spelled_as_the_server_does(tmp_path: Path) -> None:
    """A statement's `eurusd.e` is the terms' `EURUSD.e`, with the revision that another source gives it."""
    profile = mt4(symbols=frozenset({"EURUSD.e", "EURUSD", "XAUUSD"}))
    html = statement(ticket(1, item="eurusd.e") + ticket(2, item="gbpjpy") + ticket(3, item="eurusd."))
    lost, _ = read_html(tmp_path, html, profile)
    assert [deal.symbol for deal in lost[:3]] == ["EURUSD.e", "gbpjpy", "eurusd."]
    kept, _ = read_html(tmp_path, statement(ticket(1, item="EURUSD.e")))
    assert [deal.revision for deal in kept] == [lost[0].revision, lost[3].revision]


def test_two_symbols_that_differ_by_case_are_not_guessed(tmp_path: Path) -> None:
    """`EURUSDc` and `EURUSDC` are both `eurusdc` in a statement: the row is told, its neighbours are read."""
    profile = mt4(symbols=frozenset({"EURUSDc", "EURUSDC", "XAUUSD"}))
    html = statement(ticket(1, item="eurusdc") + ticket(2, item="xauusd"))
    deals, letters = read_html(tmp_path, html, profile)
    assert ([deal.symbol for deal in deals], [letter.code for letter in letters]) == (
        ["XAUUSD", "XAUUSD"],
        ["ambiguous_symbol"],
    )
    assert "EURUSDC or EURUSDc" in letters[0].reason


def test_spaces_in_numbers_are_of_any_kind(tmp_path: Path) -> None:
    """Thousands are set apart by a space, a no-break space, its entity, or a narrow one."""
    for space in (" ", "\u00a0", "&nbsp;", "\u202f"):
        html = statement(ticket(1, profit=f"-1{space}452{space}000.18"))
        deals, letters = read_html(tmp_path, html, encoding="utf-8")
        assert (letters, str(deals[1].profit)) == ([], "-1452000.18")


def test_detailed_rows(tmp_path: Path) -> None:
    """A magic number's own row, an unreplaced leverage and a pending's 11 cells are no tickets."""
    magic = "<tr><td colspan=9>&nbsp;</td><td>21000</td><td colspan=4>from #12</td></tr>"
    order = ("7", "2025.06.02 10:00:00", "sell stop", "3.75", "eurusd", "1.1", "0", "0")
    pending = tr(*order, "2025.06.02 11:00:00", "1.1", "deleted [no money]")
    html = statement(ticket(1, title="#21000 from #12") + magic + pending)
    assert "<!--LEVERAGE-->" in html
    counts = Counts()
    deals, letters = read_html(tmp_path, html, counts=counts)
    assert (letters, ledger(deals, "position_id", "comment")) == ([], [("1", "from #12")] * 2)
    assert (counts.rows, dict(counts.skipped)) == (2, {"dead_pending": 1})


def test_headings_and_rows_must_fit(tmp_path: Path) -> None:
    """Fifteen headings over fourteen columns: told with the headings found, before any row."""
    titles = ("N", *TITLES[:11], "Swap", "Profit", "Comment")
    old = "<tr>" + "".join(f"<td>{title}</td>" for title in titles) + "</tr>"
    new = "<tr>" + "".join(f"<td nowrap>{title}</td>" for title in TITLES) + "</tr>"
    html = statement(ticket(1)).replace(new, old)
    assert old in html
    with pytest.raises(UnreadableSource, match=r"headings: N, Ticket.*its headings 15"):
        read_html(tmp_path, html)


def test_a_name_is_no_account(tmp_path: Path) -> None:
    """A client's name that looks like the header's own words changes nothing."""
    html = statement(ticket(1)).replace("Name: Ada Example", "Name: Account: 1 Currency: JPY")
    deals, _ = read_html(tmp_path, html)
    assert {(deal.login, deal.currency) for deal in deals} == {(5002, "USD")}


def test_profile_must_fit(tmp_path: Path) -> None:
    """Another login, another platform or a missing currency is told, not guessed."""
    path = tmp_path / "s.htm"
    path.write_text(statement(ticket(1)), "utf-8")
    for profile, words in ((mt4(login=6), "5002"), (mt5(), "MT5")):
        with pytest.raises(UnreadableSource, match=words):
            read(path, profile, RECEIVED)
    path.write_text(statement(ticket(1), currency=""), "utf-8")
    with pytest.raises(UnreadableSource, match="currency"):
        read(path, mt4(), RECEIVED)
    assert {deal.currency for deal in sorted_out(read(path, mt4(currency="USC"), RECEIVED))[0]} == {"USC"}


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<html></html>",
        statement(ticket(1)).replace("Account:", ""),
        statement(ticket(1)).replace("<td nowrap>Taxes</td>", ""),
    ],
)
def test_other_html_is_refused_at_once(tmp_path: Path, html: str) -> None:
    """HTML that is no statement, or of another layout, fails at the call."""
    path = tmp_path / "s.htm"
    path.write_text(html, "utf-8")
    with pytest.raises(UnreadableSource):
        read(path, mt4(), RECEIVED)


def test_a_cut_off_statement_is_refused(tmp_path: Path) -> None:
    """Cut in a ticket's last cell, 50.00 would be a profit of 5, and the tickets behind it nothing."""
    whole = statement(ticket(1) + ticket(2))
    for place in (whole.index("50.00") + 1, whole.index("</tr>", whole.index("50.00")) + 5):
        path = tmp_path / "s.htm"
        path.write_text(whole[:place])
        with pytest.raises(UnreadableSource, match="cut off, and deals may be missing"):
            read(path, mt4(), RECEIVED)


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused before it is read."""
    path = tmp_path / "s.htm"
    path.write_text(statement(), "utf-8")
    monkeypatch.setattr(mt4_statement, "MAX_HTML_BYTES", 100)
    with pytest.raises(UnreadableSource, match="limit is 100"):
        read(path, mt4(), RECEIVED)


def test_close_in_the_repeated_hour_follows_its_opening(tmp_path: Path) -> None:
    """A ticket opened and closed around the jump back closes after it opens."""
    deals, _ = read_html(
        tmp_path,
        statement(ticket(1, opened="2025.11.02 08:50:00", closed="2025.11.02 08:10:00")),
        mt4(NEW_YORK),
    )
    assert [f"{deal.occurred_at:%H:%M}" for deal in deals] == ["05:50", "06:10"]


def test_an_open_trade_that_closes_is_a_new_revision(tmp_path: Path) -> None:
    """Commission moves from the opening to the closing deal, so the opening deal is revised."""
    (before,), _ = read_html(tmp_path, statement(opened=ticket(1, closed="")))
    (after, _closing), _ = read_html(tmp_path, statement(ticket(1)))
    assert before.deal_key == after.deal_key
    assert before.revision != after.revision


def check_any(raw: bytes) -> None:
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fuzz.htm")
        path.write_bytes(raw)
        try:
            items = list(read(path, mt4(currency="USD", login=5002), RECEIVED, counts))
        except UnreadableSource:
            return
    deals, letters = sorted_out(items)
    rows = {deal.source for deal in deals}
    assert len(rows) + len(letters) + counts.skipped.total() == counts.rows
    encode(deals)


VALID = statement(
    ticket(1) + ticket(2, title="#5 x") + tr("3", "2025.06.01 08:00:00", "balance", "Deposit", "10 000.00"),
    ticket(4, closed=""),
).encode()


@settings(max_examples=tries(37), deadline=None)
@given(raw=st.composite(damage(VALID))())
def test_damaged_statements(raw: bytes) -> None:
    """However a statement is damaged, every row is a ticket, cash, skipped or one dead letter."""
    check_any(raw)


@settings(max_examples=tries(20), deadline=None)
@given(raw=st.binary(max_size=400))
def test_random_bytes(raw: bytes) -> None:
    """Random bytes are refused; nothing else is raised."""
    check_any(raw)


def test_real_statement() -> None:
    """A real statement reads whole, and sums to the totals it prints itself."""
    if not SAMPLE.exists():
        assert not SAMPLE.parent.exists(), "the samples are there, but not this one"
        return
    counts = Counts()
    deals, letters = sorted_out(read(SAMPLE, mt4(NEW_YORK), RECEIVED, counts))
    assert (counts.rows, len(deals), letters) == (129, 250, [])
    assert (dict(counts.deals), dict(counts.skipped)) == ({"trade": 249, "balance": 1}, {"dead_pending": 3})
    sums = counts.trades["USD"]
    assert (str(sums.profit), str(sums.commission), str(sums.swap)) == ("10780.02", "-2282.07", "-308.60")
