"""Reference rates from CSV: exact, in order, all or nothing, and harmless to publish again."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.terms.market import RatePublished
from ingest.market import rates_csv
from ingest.sources import UnreadableSource
from ingest.terms.folder import InvalidTerms
from schemas.wire import decode, encode
from streams.in_memory import LocalPipeline
from tests.build import ANNA, PARTNERS, SYMBOLS, at, deal, partner, per_lot, plan, told
from tests.effort import tries
from tests.ingest.ingest_exports import damage

GOOD = """\
as_of,base,quote,rate,source
2026-09-02T12:00:00Z,USD,JPY,150.10,ECB
2026-09-01,EUR,USD,1.1702,ECB
2026-09-01,EUR,USD,1.17020,ECB
2026-09-02,EUR,USD,1.1689,
"""


def read(folder: Path, text: str, zone: str = "UTC") -> tuple[RatePublished, ...]:
    (folder / "rates.csv").write_bytes(text.encode())
    return rates_csv.read([folder / "rates.csv"], zone)


def problems_of(folder: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidTerms) as caught:
        read(folder, text)
    return [(problem.line, problem.text) for problem in caught.value.problems]


def test_golden_rates(tmp_path: Path) -> None:
    """Rates keep their digits and come by time; a line that says the same again is one rate."""
    rates = read(tmp_path, GOOD)
    assert [(f"{r.as_of:%d %H}", r.base, r.quote, str(r.rate), r.source) for r in rates] == [
        ("01 00", "EUR", "USD", "1.1702", "ECB"),
        ("02 00", "EUR", "USD", "1.1689", "rates.csv:5"),
        ("02 12", "USD", "JPY", "150.10", "ECB"),
    ]
    assert [decode(line) for line in encode(rates)] == list(rates)
    assert list(rates_csv.lines(rates)) == [
        "EUR/USD: 2 rates, 2026-09-01 00:00 to 2026-09-02 00:00 UTC",
        "USD/JPY: 1 rates, 2026-09-02 12:00 to 2026-09-02 12:00 UTC",
    ]


def test_a_date_is_midnight_of_the_zone(tmp_path: Path) -> None:
    """Athens is three hours ahead in September; an offset in the cell beats the zone."""
    text = "date,base,quote,rate\n2026-09-01,EUR,USD,1.1\n2026-09-01T00:00:00+02:00,USD,JPY,150\n"
    assert [rate.as_of for rate in read(tmp_path, text, "Europe/Athens")] == [
        datetime(2026, 8, 31, 21, tzinfo=UTC),
        datetime(2026, 8, 31, 22, tzinfo=UTC),
    ]
    with pytest.raises(UnreadableSource, match="no zone"):
        read(tmp_path, text, "Mars/Olympus")


def test_one_bad_line_refuses_the_file(tmp_path: Path) -> None:
    """Every bad line is told with its number and what to write; none of the good ones is published."""
    bad = (
        "2026-09-01,EUR,USD,\"1,17\"", "01.09.2026,EUR,USD,1.17", "2026-09-01,eur,USD,1.17",
        "2026-09-01,USD,USD,1", "2026-09-01,EUR,USD,0", "2026-09-01,EUR,USD,-1", "2026-09-01,EUR,USD",
        "2026-09-01,EUR,USD,=1+1", "1970-01-01,EUR,USD,1.17", "2026-09-01,EUR,USD,1e3",
    )  # fmt: skip
    found = problems_of(tmp_path, "\n".join(("as_of,base,quote,rate", "2026-09-01,EUR,USD,1.1", *bad, "")))
    assert [line for line, _ in found] == list(range(3, 13))
    (line, text), *_ = problems_of(tmp_path, GOOD + "2026-09-02,EUR,USD,1.1688,ECB\n")
    assert (line, text) == (6, "EUR/USD of 2026-09-02 00:00:00 is 1.1689 above and 1.1688 here; keep one")


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    """1.1702 without its end may have been 1.17025: half a rate is none."""
    ((line, text),) = problems_of(tmp_path, "as_of,base,quote,rate\n2026-09-01,EUR,USD,1.17")
    assert (line, "end it with a line break" in text) == (2, True)


@pytest.mark.parametrize(
    "header",
    [
        "as_of,base,quote",
        "base,quote,rate",
        "as_of,date,base,quote,rate",
        "as_of,base,quote,rate,password",
        "x",
    ],
)
def test_other_files_are_refused(tmp_path: Path, header: str) -> None:
    """A column that is missing, unknown or there twice over is told with those needed."""
    with pytest.raises(UnreadableSource, match="needed are as_of"):
        read(tmp_path, f"{header}\n")


def test_several_files_are_one(tmp_path: Path) -> None:
    """Files overlap by days: what both say is one rate, what they say differently is a problem."""
    (tmp_path / "a.csv").write_text("date,base,quote,rate\n2026-09-02,EUR,USD,1.2\n")
    (tmp_path / "b.csv").write_text("date,base,quote,rate\n2026-09-01,EUR,USD,1.1\n2026-09-02,EUR,USD,1.20\n")
    both = [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert [rate.rate for rate in rates_csv.read(both)] == [Decimal("1.1"), Decimal("1.2")]
    (tmp_path / "b.csv").write_text("date,base,quote,rate\n2026-09-02,EUR,USD,1.21\n")
    with pytest.raises(InvalidTerms, match=r"b\.csv:2"):
        rates_csv.read(both)


def test_a_deal_that_waited_for_a_rate_is_paid_once(tmp_path: Path) -> None:
    """A plan in EUR, an IB in USD: 7 EUR a lot at 1.1702 is 8.1914 USD; the same file again adds nothing."""
    terms = (*SYMBOLS, plan("gold EUR", per_lot("*=7")), partner("ib-north USD gold"), PARTNERS[0])
    pipeline = LocalPipeline()
    said = told([*pipeline.feed(terms[:-1]), *pipeline.feed((*ANNA, deal("7 sell 1 EURUSD out", day=1)))])
    assert (said.owed, said.reasons) == ({}, {"7": "waiting no_rate"})
    rates = read(tmp_path, GOOD)
    after = told(pipeline.feed(rates))
    assert after.owed == {"ib:ib-north:pending": "8.1914 USD"}
    assert told(pipeline.feed(rates)).transfers == []
    later = told(pipeline.feed([deal("8 sell 1 EURUSD out", day=2, hour=13)]))
    assert later.owed == {"ib:ib-north:pending": "8.1823 USD"}
    assert at(2) == rates[1].as_of


@settings(max_examples=tries(25), deadline=None)
@given(raw=st.composite(damage(GOOD.encode()))())
def test_damaged_rates(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """However a file is damaged, it is read whole or refused with a reason."""
    path = tmp_path_factory.mktemp("rates") / "rates.csv"
    path.write_bytes(raw)
    try:
        records = rates_csv.read([path])
    except (UnreadableSource, InvalidTerms):
        return
    assert len(encode(records)) == len(records)
    assert all(record.rate > 0 for record in records)
