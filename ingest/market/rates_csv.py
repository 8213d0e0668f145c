"""Reference rates of exchange as CSV: one rate a line, all of a file or none of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from commission.terms.checks.published import CURRENCY
from commission.terms.market import RatePublished
from ingest.formats.cells import shown
from ingest.formats.csv_rows import Header, Row, cells_of, check_row, read_header, rows
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import RowRejected, UnreadableSource, check_size
from ingest.terms.folder import InvalidTerms
from ingest.terms.yaml_page import Problem, to_decimal, to_moment

KIND = "rates-csv"
MAX_BYTES = 16_000_000
MAX_RATES = 100_000
"""Forty pairs a day for seven years; every fold keeps all rates it knows."""
MAX_SOURCE_CHARS = 64
TIMES = ("as_of", "date", "time")
COLUMNS = ("base", "quote", "rate")
COLUMNS_HINT = "as_of (or date, or time), base, quote, rate and, if you like, source"


def read(paths: Sequence[Path], zone: str = "UTC") -> tuple[RatePublished, ...]:
    """Read the rates of files in order of time, without repetitions; a time without an offset is of `zone`.

    Rates change what every later deal is worth, so with one bad line all is refused: `InvalidTerms`
    tells each line. `UnreadableSource` is raised for what is no such file.
    """
    try:
        local = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UnreadableSource(
            f"there is no zone `{shown(zone)}`; write one such as Europe/Nicosia"
        ) from None
    found: dict[tuple[str, str, datetime], RatePublished] = {}
    problems: list[Problem] = []
    for path in paths:
        _read_file(path, local, found, problems)
    if problems:
        raise InvalidTerms(problems)
    return tuple(sorted(found.values(), key=lambda rate: (rate.as_of, rate.base, rate.quote)))


def _read_file(
    path: Path,
    zone: tzinfo,
    found: dict[tuple[str, str, datetime], RatePublished],
    problems: list[Problem],
) -> None:
    check_size(path, MAX_BYTES)
    header = read_header(path)
    at = check_header(header, path)
    for row in rows(path, header.offset):
        if not row.raw.strip():
            continue
        try:
            _add(found, _to_rate(row, header, at, zone, path))
        except RowRejected as bad:
            problems.append(Problem(path.name, row.line, bad.reason))
        if len(found) + len(problems) > MAX_RATES:
            raise UnreadableSource(f"{path.name} has more than {MAX_RATES:,} rates; publish a shorter period")


def check_header(header: Header, path: Path) -> str:
    """Return the name of the column of times; raise `UnreadableSource` if a column is missing or unknown."""
    times = [name for name in TIMES if name in header.columns]
    missing = [name for name in COLUMNS if name not in header.columns]
    unknown = set(header.columns) - {*TIMES, *COLUMNS, "source"}
    if len(times) != 1 or missing or unknown:
        told = f"the columns are {', '.join(header.cells)[:200]}; needed are {COLUMNS_HINT}"
        raise UnreadableSource(f"{path.name} is not a CSV of rates: {told}")
    return times[0]


def _to_rate(row: Row, header: Header, at: str, zone: tzinfo, path: Path) -> RatePublished:
    cells = cells_of(row.raw, header.delimiter)
    check_row(row, len(cells), header)
    if not row.is_ended and header.columns["rate"] == header.width - 1:
        raise RowRejected(
            "truncated_row",
            "the file ends inside this line, perhaps inside the rate; end it with a line break",
        )
    named = {name: cells[index].strip() for name, index in header.columns.items()}
    as_of = to_moment(named[at], zone)
    if as_of is None or not MIN_YEAR <= as_of.year <= MAX_YEAR:
        raise RowRejected(
            "bad_time", f"{at} `{shown(named[at])}` is not a time: write 2026-09-01 or 2026-09-01T12:00:00Z"
        )
    for name in ("base", "quote"):
        if not CURRENCY.fullmatch(named[name]):
            raise RowRejected(
                "bad_currency", f"{name} `{shown(named[name])}` is not a currency; write USD or USDT"
            )
    if named["base"] == named["quote"]:
        raise RowRejected("bad_rate", f"{named['base']} against itself has no rate")
    rate = to_decimal(named["rate"])
    if rate is None or rate <= 0:
        raise RowRejected(
            "bad_rate",
            f"rate `{shown(named['rate'])}` is not a number above 0, with a point and plain digits",
        )
    source = named.get("source", "")[:MAX_SOURCE_CHARS] or f"{path.name}:{row.line}"[-MAX_SOURCE_CHARS:]
    return RatePublished(base=named["base"], quote=named["quote"], rate=rate, as_of=as_of, source=source)


def _add(found: dict[tuple[str, str, datetime], RatePublished], record: RatePublished) -> None:
    """Add a rate; raise `RowRejected` where the file says two things of one pair and time."""
    key = (record.base, record.quote, record.as_of)
    known = found.setdefault(key, record)
    if known.rate != record.rate:
        raise RowRejected(
            "two_rates",
            f"{record.base}/{record.quote} of {record.as_of:%Y-%m-%d %H:%M:%S} is {known.rate} above and"
            f" {record.rate} here; keep one",
        )


def lines(records: tuple[RatePublished, ...]) -> Iterator[str]:
    """Say what a file held: each pair with its number of rates, first and last time."""
    pairs: dict[str, list[datetime]] = {}
    for record in records:
        pairs.setdefault(f"{record.base}/{record.quote}", []).append(record.as_of)
    for pair, times in sorted(pairs.items()):
        yield f"{pair}: {len(times):,} rates, {times[0]:%Y-%m-%d %H:%M} to {times[-1]:%Y-%m-%d %H:%M} UTC"
