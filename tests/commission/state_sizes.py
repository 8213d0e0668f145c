"""Long histories, and how many bytes the books keep of them: `python -m tests.commission.state_sizes`."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from commission.events import Deal, DepositCleared
from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.components import DepositShare, RevenueShare
from commission.terms.rates import Band, Tiers
from schemas import topics
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.store import MemoryStore
from tests.build import (
    SYMBOLS,
    D,
    at,
    cpa,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    plan,
    rates,
    registered,
)

DEPOSITS, EDITS, DAYS = 10_000, 1_000, 7_300
PLAN = plan(
    "p USD",
    per_lot("*=10", entry="out", tiers=Tiers(by="lots", bands=(Band(start=D(5), factor=D("1.5")),))),
    RevenueShare(name="revenue", rates=rates("*=0.3"), terms=("client_result",)),
    DepositShare(name="share", share=D("0.1")),
    cpa("300", min_deposit=D(100), min_lots=D(0)),
)
TERMS: tuple[Record, ...] = (*SYMBOLS, PLAN, partner("ib USD p"))
CLIENT: tuple[Record, ...] = (registered("anna ib"), linked("1 anna"), kyc("anna approved", day=1))
CLOSED = deal("1 sell 1 EURUSD out", day=2, profit=D(-7))


class Size(NamedTuple):
    """What is kept under keys of one kind."""

    keys: int
    bytes: int
    largest: int


Sizes = dict[str, Size]
"""By stage and the letter its keys begin with: `clients m`."""


def deposits(count: int) -> Iterator[DepositCleared]:
    """One an hour."""
    for number in range(count):
        name = f"anna d{number} 100 USD"
        yield replace(deposit(name, day=2), occurred_at=at(2) + timedelta(hours=number))


def edits(count: int) -> Iterator[Deal]:
    """One deal, with another profit each time."""
    for number in range(count):
        yield replace(CLOSED, revision=f"{number:016x}", profit=D(-number))


def calendar(count: int) -> list[PeriodDefined]:
    """A period a day."""
    begins = [at(1) + timedelta(days=number) for number in range(count)]
    return [
        PeriodDefined(period=f"{begin:%Y-%m-%d}", starts_at=begin, ends_at=begin + timedelta(days=1))
        for begin in begins
    ]


def days(count: int) -> Iterator[Record]:
    """A position opened and closed on each day of a daily calendar, and the end of that day."""
    for period in calendar(count):
        noon, name = period.starts_at + timedelta(hours=12), period.period
        opening = deal(f"{name}-1 buy 1 EURUSD in", day=1)
        yield replace(opening, occurred_at=noon, position_id=name)
        yield replace(CLOSED, deal_id=f"{name}-2", occurred_at=noon + timedelta(hours=1), position_id=name)
        yield PeriodEnded(period=name)


def sizes(records: Iterable[Record], periods: list[PeriodDefined]) -> Sizes:
    """What the books keep after a client's records."""
    pipeline = LocalPipeline()
    pipeline.feed_batch(topics.TERMS, [*TERMS, *periods])
    for _ in pipeline.feed((*CLIENT, *records)):
        pass
    assert not pipeline.dead_letters, pipeline.dead_letters[0]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for partition in pipeline._stages.values():
        assert isinstance(partition.store, MemoryStore)
        for key, value in partition.store.values.items():
            name = key.decode().partition("/")[2]
            if name[0] != "@":
                found[f"{partition.stage.name} {name[0]}"].append(len(value))
    return {name: Size(len(found[name]), sum(found[name]), max(found[name])) for name in sorted(found)}


def main() -> None:
    """Print the three tables."""
    for title, records, count in (
        (f"a client with {DEPOSITS:,} deposits", deposits(DEPOSITS), 500),
        (f"a deal with {EDITS:,} edits", edits(EDITS), 30),
        (f"an IB with {DAYS:,} days", days(DAYS), DAYS),
    ):
        sys.stdout.write(f"{title}\n")
        for name, size in sizes(records, calendar(count)).items():
            sys.stdout.write(f"  {name:16} {size.keys:8,} {size.bytes:12,} {size.largest:10,}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
