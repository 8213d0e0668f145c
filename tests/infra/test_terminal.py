"""What a terminal of 80 columns shows: words break nowhere, so an id can be copied."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console, RenderableType
from rich.table import Table

from infra.commands.book import PartitionStatus, status_table
from infra.commands.evidence import terms_renderables
from infra.payouts.report import list_table
from infra.proposals.report import lines_table
from infra.reconcile.report import counts_table, days_table
from infra.replay.compare import Compared, Replay
from infra.replay.table import replay_table
from infra.terminal import money, show
from infra.verify.invariants import Finding, Report, findings_table
from schemas.proposals import Line
from schemas.reconciliations import DayVolume, Reconciliation

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
ID = "partner-of-the-north-and-the-south-with-a-long-name"
HASH = "0123456789abcdef" * 4


def printed(*shown: RenderableType, width: int = 80) -> str:
    file = io.StringIO()
    show(*shown, console=Console(file=file, width=width))
    return file.getvalue()


def table(*rows: tuple[str, ...], whole: bool = False) -> Table:
    made = Table("id", "what")
    made.add_column("place", no_wrap=whole)
    for row in rows:
        made.add_row(*row)
    return made


def test_a_table_that_fits_is_as_wide_as_its_words() -> None:
    """Nothing is stretched, nothing broken."""
    assert max(map(len, printed(table(("a", "b c", "d"))).splitlines())) < 30


def test_text_gives_way_to_ids() -> None:
    """A long text wraps between words; an id beside it and a place that is not to wrap stay whole."""
    lines = printed(table((HASH[:32], "some words " * 20, "line 12,345 of it"), whole=True)).splitlines()
    assert 80 >= max(map(len, lines))
    assert any(HASH[:32] in line and "line 12,345 of it" in line for line in lines)
    assert 40 == sum(line.count("some") + line.count("words") for line in lines)


def test_a_table_of_long_words_is_wider_than_the_terminal() -> None:
    """Rather than lose a part of one."""
    lines = printed(table((HASH, HASH, "x")), width=40).splitlines()
    assert any(2 == line.count(HASH) for line in lines)
    assert HASH in printed(HASH, width=40).splitlines()


def long_reconciliation() -> Reconciliation:
    day = DayVolume(day=NOON.date(), theirs=123_456, ours=123_455, theirs_e8=10**15 + 1, ours_e8=10**15)
    return Reconciliation(
        reconciliation_id="r-1",
        server=ID,
        source=f"mt5-deals-csv {ID}.deals.csv",
        starts_at=NOON,
        ends_at=NOON,
        started_at=NOON,
        finished_at=NOON,
        **dict.fromkeys(("theirs", "ours", "missing", "different", "extra", "disputed"), 123_456),
        **dict.fromkeys(("unreadable", "ingested", "deleted"), 0),
        days=(day,),
    )


def long_replay() -> Replay:
    parts = [
        Compared(f"{book}/{number}", 1_234_567, 2_345_678, HASH, 2_345_670, HASH[1:], 8, ID, same=False)
        for book in ("client-book", "partner-book")
        for number in (7, 12)
    ]
    return Replay(tuple(parts), 3, 1.5, HASH, HASH[1:], "the archive")


def tables() -> list[tuple[RenderableType, tuple[str, ...]]]:
    """Every table of a command with long ids in it, and what must be whole."""
    line = Line(
        ib_id=ID, currency="USD", reversals=1, accruals=1, true_ups=0, taken_back=Decimal("12345.67"),
        given=Decimal("23456.78"), delta=Decimal("11111.11"), of_closed=Decimal("5000"), clients=Decimal(0),
    )  # fmt: skip
    known = {"offset": 12_345, "stored_at": "2026-09-01T12:00:00Z"}
    rate = {"base": "EUR", "quote": "USD", "rate": "1.08", "as_of": "2026-09-01T12:00:00Z", "source": ID}
    plan = {
        "plan_id": ID, "version": 12, "in_force": True, "since": None, "currency": "USD",
        "components": [{"name": ID, "kind": "per_lot"}], "known": known,
    }  # fmt: skip
    shown = {
        "as_of": "2026-09-01T12:00:00Z", "known_at": known, "partners": [], "plans": [plan],
        "rates": [{**rate, "known": known}], "symbols": [], "periods": [],
    }  # fmt: skip
    report = Report(
        (Finding("statements chained", f"1 does not prove itself: {ID} 2026-09", holds=False),), HASH
    )
    sweep = long_reconciliation()
    return [
        (replay_table(long_replay()), ("client-book/12", HASH[:12], ID, "1,234,567")),
        (findings_table(report), (ID, "2026-09")),
        (lines_table((line,)), (ID, "+11,111.11", "-12,345.67")),
        (counts_table(sweep, dry_run=False), (f"{ID}.deals.csv", "123,456")),
        (days_table(sweep), ("2026-09-01", "10,000,000.00000001")),
        (terms_renderables(shown)[1], (ID, "terms/0/12345", "v12")),
        (terms_renderables(shown)[2], (ID, "terms/0/12345", "EUR/USD")),
        (status_table([PartitionStatus("account-book", 123, 7, 9)]), ("account-book/123",)),
    ]


def test_a_list_of_batches_fits_and_keeps_counts_by_their_words() -> None:
    """In 80 columns; each state of its lines has a row of its own, and so has what its file pays."""
    batch = {
        "batch_id": "b-1a2b3c4d5e6f7a8b", "period": "2026-09", "state": "exported", "currency": "USD",
        "total": "1234567.89", "lines": {"excluded": 40, "settled": 1_058, "rejected": 2},
        "pays": "EUR", "pays_total": "987654.32",
    }  # fmt: skip
    as_owed = {"pays": batch["currency"], "pays_total": batch["total"]}
    one = {**batch, "state": "submitted", "lines": {"proposed": 1_100}, **as_owed}
    lines = printed(list_table([batch, one])).splitlines()
    assert 80 >= max(map(len, lines))
    rows = [" ".join(line.split()) for line in lines if line.strip()]
    assert rows[2:] == [
        "b-1a2b3c4d5e6f7a8b 2026-09 exported 40 excluded, 1,234,567.89 USD,",
        "2 rejected, pays 987,654.32 EUR",
        "1,058 settled",
        "b-1a2b3c4d5e6f7a8b 2026-09 submitted 1,100 proposed 1,234,567.89 USD",
    ]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("width", [60, 80])
def test_no_table_cuts_an_id_or_a_place(number: int, width: int) -> None:
    """Each is in one piece on one line, and nothing was shortened with an ellipsis."""
    shown, wholes = tables()[number]
    text = printed(shown, width=width)
    assert [] == [whole for whole in wholes if not any(whole in line for line in text.splitlines())]
    assert "…" not in text


@pytest.mark.parametrize(
    ("amount", "currency", "signed", "plain"),
    [
        ("429.4", "USD", "+429.40", "429.40"),
        ("-1234567.895", "USD", "-1,234,567.90", "-1,234,567.90"),
        ("109863", "JPY", "+109,863", "109,863"),
        ("8.61", "KWD", "+8.610", "8.610"),
        ("-0.00449889", "USD", "0.00", "0.00"),
        ("0", "JPY", "0", "0"),
    ],
)
def test_money_has_the_digits_of_its_currency(amount: str, currency: str, signed: str, plain: str) -> None:
    """Half to even, as statements round; what is less than a unit has no sign."""
    assert (money(amount, currency, signed=True), money(amount, currency)) == (signed, plain)
