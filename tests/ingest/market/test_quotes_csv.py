"""Quotes beside deals: the newest one in time, exact, told where it is from, and never one too old."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.events import AccountLinked, ClientRegistered, Deal
from ingest.counts import Counts
from ingest.market import quotes_csv
from ingest.market.quotes_csv import Quotes, quoted, to_tolerance
from ingest.mt4 import statement as mt4_statement
from ingest.server_time import parse_rule
from ingest.sources import UnreadableSource
from schemas.wire import decode, encode
from tests.build import at, partner, plan, run, spread, symbol
from tests.build import deal as build_deal
from tests.effort import tries
from tests.ingest.ingest_exports import NEW_YORK, RECEIVED, damage, ledger, mt4, sorted_out, statement, ticket

GOOD = """\
time,symbol,bid,ask
2025.06.02 10:00:00.000,EURUSD,1.10000,1.10012
2025.06.02 09:59:58.500,EURUSD,1.09990,1.10004
2025.06.02 10:59:57.999,EURUSD,1.10088,1.10100
2025.06.02 11:00:00.001,EURUSD,1.10090,1.10110
2025.06.02 10:00:00.000,XAUUSD,2079.1,2079.5
"""


def load(folder: Path, text: str, *, rule: str = "UTC", tolerance: str = "2s") -> Quotes:
    path = folder / "quotes.csv"
    path.write_bytes(text.encode())
    return quotes_csv.read(path, parse_rule(rule), to_tolerance(tolerance), RECEIVED)


def from_statement(folder: Path, **more: Any) -> list[Deal]:
    path = folder / "Statement.htm"
    path.write_text(statement(ticket(1)), "utf-8")
    return sorted_out(mt4_statement.read(path, mt4(**more), RECEIVED))[0]


def test_golden_join(tmp_path: Path) -> None:
    """The opening has a quote of its own second; the closing's is 2.001 s old, and the next came later."""
    counts = Counts()
    bare = from_statement(tmp_path)
    deals, _ = sorted_out(quoted(bare, load(tmp_path, GOOD), counts))
    assert ledger(deals, "deal_id", "bid", "ask", "source") == [
        ("1:open", "1.10000", "1.10012", "mt4-statement Statement.htm:4; quote quotes.csv:2, 0 s old"),
        ("1:close", "None", "None", "mt4-statement Statement.htm:4"),
    ]
    assert dict(counts.quotes) == {"found": 1, "none in time": 1}
    assert "quotes: 1 found, 1 none in time" in counts.lines()
    assert [deal.revision for deal in deals] == [deal.revision for deal in bare]
    assert [decode(line) for line in encode(deals)] == deals
    wider, _ = sorted_out(quoted(bare, load(tmp_path, GOOD, tolerance="3s"), Counts()))
    assert str(wider[1].bid) == "1.10088"
    assert wider[1].source.endswith("quote quotes.csv:4, 2.001 s old")


def test_a_tolerance_is_a_bound(tmp_path: Path) -> None:
    """A quote exactly as old as allowed counts; a microsecond older does not; a later one never does."""
    opening = from_statement(tmp_path)[:1]
    for time, found in (
        ("09:59:58.000000", True),
        ("09:59:57.999999", False),
        ("10:00:00.000000", True),
        ("10:00:00.000001", False),
    ):
        quotes = load(tmp_path, f"time,symbol,bid,ask\n2025.06.02 {time},EURUSD,1.1,1.2\n")
        (deal,) = quoted(opening, quotes, Counts())
        assert (isinstance(deal, Deal) and deal.bid is not None) == found


def test_what_the_platform_recorded_stays(tmp_path: Path) -> None:
    """A deal with a bid, an ask or both, cash, and other events are passed on untouched."""
    quotes = load(tmp_path, GOOD)
    opening = from_statement(tmp_path)[0]
    told = build_deal("7 buy 1 EURUSD in", occurred_at=opening.occurred_at, bid=Decimal("1.3"))
    cash = build_deal("8 buy 1 EURUSD in", occurred_at=opening.occurred_at, kind="balance")
    registered = ClientRegistered(event_id="r", client_id="anna", occurred_at=at(1))
    assert list(quoted([told, cash, registered], quotes, Counts())) == [told, cash, registered]


def test_quotes_in_utc_or_by_the_servers_clock(tmp_path: Path) -> None:
    """10:00 by a server at New York + 7 h is 07:00 Z; an hour shown twice must be UTC."""
    deals = from_statement(tmp_path, rule=NEW_YORK)
    for time, rule in (("2025.06.02 10:00:00", NEW_YORK), ("2025-06-02T07:00:00Z", NEW_YORK)):
        quotes = load(tmp_path, f"time,symbol,bid,ask\n{time},eurusd,1.1,1.2\n", rule=rule)
        assert [deal.bid for deal in quoted(deals, quotes, Counts()) if isinstance(deal, Deal)] == [
            Decimal("1.1"), None,
        ]  # fmt: skip
    twice = "time,symbol,bid,ask\n2025.11.02 01:30:00,EURUSD,1.1,1.2\n"
    quotes = load(tmp_path, twice, rule="America/New_York")
    assert [letter.code for letter in quotes.buried] == ["repeated_hour"]


def test_symbols_differ_by_suffix_and_not_by_case_alone(tmp_path: Path) -> None:
    """`eurusd` of a statement finds EURUSD, never EURUSD.e; with EurUsd beside it, neither."""
    opening = from_statement(tmp_path)[:1]
    row = "2025.06.02 10:00:00,{},1.1,1.2\n"
    for names, found in (
        (("EURUSD", "EURUSD.e"), True),
        (("EURUSD.e",), False),
        (("EURUSD", "EurUsd"), False),
    ):
        quotes = load(tmp_path, "time,symbol,bid,ask\n" + "".join(map(row.format, names)))
        (deal,) = quoted(opening, quotes, Counts())
        assert (isinstance(deal, Deal) and deal.bid is not None) == found


def test_of_one_moment_the_later_line_counts(tmp_path: Path) -> None:
    """Two quotes of one millisecond: the feed's second is what stood when the deal was made."""
    rows = "2025.06.02 10:00:00,EURUSD,1.1,1.2\n2025.06.02 10:00:00,EURUSD,1.15,1.16\n"
    (deal,) = quoted(from_statement(tmp_path)[:1], load(tmp_path, f"time,symbol,bid,ask\n{rows}"), Counts())
    assert isinstance(deal, Deal)
    assert (str(deal.bid), str(deal.ask)) == ("1.15", "1.16")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2025.06.02 10:00:00,EURUSD,1.2,1.1", "bad_quote"),
        ("2025.06.02 10:00:00,EURUSD,0,1.1", "bad_quote"),
        ("2025.06.02 10:00:00,EURUSD,-1,1.1", "bad_quote"),
        ('2025.06.02 10:00:00,EURUSD,"1,1",1.2', "bad_amount"),
        ("2025.06.02 10:00:00,,1.1,1.2", "bad_symbol"),
        ("yesterday,EURUSD,1.1,1.2", "bad_time"),
        ("1970-01-01T00:00:00Z,EURUSD,1.1,1.2", "bad_time"),
        ("2025.06.02 10:00:00,EURUSD,1.1", "wrong_cells"),
    ],
)
def test_a_bad_row_is_a_dead_letter(tmp_path: Path, row: str, code: str) -> None:
    """What is no quote is buried with its line and comes out before the deals; its neighbours count."""
    quotes = load(tmp_path, f"{GOOD}{row}\n")
    counts = Counts()
    deals, letters = sorted_out(quoted(from_statement(tmp_path), quotes, counts))
    assert [(letter.code, letter.position, letter.source) for letter in letters] == [
        (code, "line 7", "quotes-csv quotes.csv")
    ]
    assert (deals[0].bid, dict(counts.dead_letters)) == (Decimal("1.10000"), {code: 1})


def test_files_that_are_no_quotes(tmp_path: Path) -> None:
    """A missing column, or nothing but bad rows, refuses the file; an empty one has no quotes."""
    with pytest.raises(UnreadableSource, match="column ask is missing"):
        load(tmp_path, "time,symbol,bid\n")
    with pytest.raises(UnreadableSource, match=r"1,000 bad rows, such as line 1002"):
        load(tmp_path, "time,symbol,bid,ask\n" + "x,y,1,2\n" * 1_002)
    assert load(tmp_path, "time,symbol,bid,ask\n").by_symbol == {}
    assert [letter.code for letter in load(tmp_path, GOOD[:-1]).buried] == ["truncated_row"]


def test_tolerances() -> None:
    """Milliseconds, seconds and minutes; nothing else, and no longer than five minutes."""
    texts = ("500ms", "2s", " 5m ")
    assert [to_tolerance(text) for text in texts] == [timedelta(seconds=s) for s in (0.5, 2, 300)]
    for text in ("", "2", "0s", "6m", "-1s", "1h", "2.5s"):
        with pytest.raises(ValueError, match="write one such as 2s"):
            to_tolerance(text)


def test_an_ib_is_paid_its_share_of_the_spread_that_was_quoted(tmp_path: Path) -> None:
    """0.5 lots opened at a spread of 0.00012: 6 dollars of spread, of which 35 % are 2.10."""
    quotes = load(tmp_path, GOOD)
    terms = (
        symbol("EURUSD forex 100000 USD 0.0001", server="Demo-MT4"),
        plan("p USD", spread("*=0.35", entry="in")),
        partner("ib-north USD p"),
    )
    owner = (
        AccountLinked(event_id="l", client_id="anna", server="Demo-MT4", login=5002, occurred_at=at(1)),
        ClientRegistered(event_id="r", client_id="anna", ib_id="ib-north", occurred_at=at(1)),
    )
    bare = from_statement(tmp_path)
    with_quotes = sorted_out(quoted(bare, quotes, Counts()))[0]
    said = run(*owner, *with_quotes, terms=terms)
    assert said.owed == {"ib:ib-north:pending": "2.10 USD"}
    assert run(*owner, *with_quotes, *bare, terms=terms).owed == said.owed
    assert run(*owner, *bare, terms=terms).reasons["1:open"] == "waiting spread_unknown"


QUOTE = st.tuples(st.integers(0, 40), st.sampled_from(("EURUSD", "XAUUSD")), st.integers(1, 9))


@settings(max_examples=tries(20), deadline=None)
@given(st.lists(QUOTE, max_size=30), st.integers(0, 50), st.integers(1, 12))
def test_the_join_is_what_a_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, int]], second: int, seconds: int
) -> None:
    """On random quotes, times and tolerances: the last of those at or before the deal, if young enough."""
    folder = tmp_path_factory.mktemp("quotes")
    text = "".join(f"2025.06.02 10:00:{s:02},{name},{bid},9\n" for s, name, bid in rows)
    quotes = load(folder, f"time,symbol,bid,ask\n{text}", tolerance=f"{seconds}s")
    deal = build_deal(
        "7 buy 1 EURUSD in", occurred_at=at(1).replace(year=2025, month=6, day=2, hour=10, second=second)
    )
    past = [(s, place, bid) for place, (s, name, bid) in enumerate(rows) if name == "EURUSD" and s <= second]
    newest = max(past, default=None)
    expected = Decimal(newest[2]) if newest is not None and second - newest[0] <= seconds else None
    (found,) = quoted([deal], quotes, Counts())
    assert isinstance(found, Deal)
    assert found.bid == expected


@settings(max_examples=tries(25), deadline=None)
@given(raw=st.composite(damage(GOOD.encode()))())
def test_damaged_quotes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """However a file is damaged, every row is a quote or a dead letter, or the file is refused."""
    path = tmp_path_factory.mktemp("quotes") / "quotes.csv"
    path.write_bytes(raw)
    try:
        quotes = quotes_csv.read(path, parse_rule("UTC"), timedelta(seconds=2), RECEIVED)
    except UnreadableSource:
        return
    assert all(0 < Decimal(bid) for series in quotes.by_symbol.values() for bid in series.bid)
