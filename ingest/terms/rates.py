"""rates.yaml: reference rates of exchange."""

from collections.abc import Iterator
from datetime import datetime

from commission.terms.market import RatePublished
from commission.terms.rates import ONE
from ingest.terms.located import LocatedRecord
from ingest.terms.yaml_page import DECIMAL_HINT, MOMENT_HINT, Fields, Page, line_of, to_decimal, to_moment

RATES_NEEDED, RATES_OPTIONAL = ("as_of", "rates"), ("source",)


def read_rates(page: Page, top: Fields) -> list[LocatedRecord]:
    """The rates of a file, of each of its times."""
    found: list[LocatedRecord] = []
    for item in page.items(top, "rates"):
        line = line_of(item, top.line_at("rates"))
        keys = page.mapping(
            item, "an entry of rates", line=line, required=RATES_NEEDED, optional=RATES_OPTIONAL
        )
        as_of = page.parsed(
            keys, "as_of", "rates", lambda text: to_moment(text, page.zone), MOMENT_HINT, None
        )
        source = page.parsed(keys, "source", "rates", str, "", "")
        if "rates" in keys:
            pairs = page.mapping(keys["rates"], "rates", line=keys.line_at("rates"), optional=None)
            found += _read_pairs(page, pairs, as_of, source)
    return found


def _read_pairs(page: Page, pairs: Fields, as_of: datetime | None, source: str) -> Iterator[LocatedRecord]:
    for pair in pairs:
        base, slash, quote = pair.partition("/")
        if not slash:
            page.fail(pairs.line_at(pair), f"{pair} names no two currencies; write EUR/USD")
        elif as_of is not None:
            rate = page.parsed(pairs, pair, "rates", to_decimal, DECIMAL_HINT, ONE)
            record = RatePublished(base=base, quote=quote, rate=rate, as_of=as_of, source=source)
            yield LocatedRecord(record, page.file, Fields(pairs.line_at(pair)))
