"""`ibflow what-if`: the real history under other terms, and what that would have cost.

Every client book is folded twice over the same messages: with the terms as they became known, and
with those of a folder known from the beginning in place of the logged plans, partners and symbols.
Rates of exchange and periods are facts and stay; the folder's rates count for pairs the log has
none of. What each fold tells the partner book goes into files, and both partner books are folded
from them, period by period as the terms were logged. Nothing is posted.
"""

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from commission.events import ClientRegistered, DealMoved, RoutedDeal
from commission.outputs import Rejection, Tally, Transfer
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord
from infra.archive.log import Log, LogAt, Logged
from infra.replay.fold import PartitionFold
from infra.replay.pool import Bar, Pool, no_bar, report
from infra.what_if.income import ZERO, DealIncomes, Income, convert
from infra.what_if.result import Line, Move, WhatIf, Window
from schemas import topics
from schemas.errors import Unusable
from schemas.stops import Operations
from schemas.wire import MAX_BATCH_RECORDS, batches, decode_batch, decode_lines, encode
from streams.partition import Message
from streams.stages import CLIENTS, PARTNERS

VARIANTS = ("before", "after")
DIMENSIONS = ("ib", "country", "symbol", "plan")
REPLACED = (PlanDefined, PartnerDefined, SymbolDefined)
EXAMPLES = 5
"""Deals named for each way in which their fate would change."""
REPORT_MESSAGES = 20
BOUNDARY = b"#\n"
"""Line of a file of tallies: here the next message of terms was read."""


# What is added up


@dataclass(slots=True)
class Costs:
    """What the broker spent, by dimension, name and currency, and in all in one currency."""

    lines: dict[tuple[str, str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    total: Decimal = ZERO
    unconverted: int = 0

    def add(self, names: Mapping[str, str], amount: Decimal, currency: str) -> None:
        """One amount under each of its names."""
        for dimension in DIMENSIONS:
            self.lines[dimension, names.get(dimension, ""), currency] += amount

    def join(self, other: "Costs") -> None:
        """Take in another's."""
        for key, amount in other.lines.items():
            self.lines[key] += amount
        self.total += other.total
        self.unconverted += other.unconverted


class Origin(NamedTuple):
    """Of an accrual, what its reversal does not repeat."""

    plan_id: str
    symbol: str
    at: datetime


class Task(NamedTuple):
    """What every partition is folded with."""

    number: int
    counts: Mapping[str, int]
    change: tuple[TermsRecord, ...]
    window: Window
    currency: str
    folder: Path


class ClientsResult(NamedTuple):
    """What one client book gives."""

    costs: dict[str, Costs]
    income: Income
    fates: dict[str, Counter[str]]
    moves: dict[tuple[str, str], tuple[int, tuple[str, ...]]]
    messages: int


def what_if(
    where: LogAt,
    change: Sequence[TermsRecord],
    *,
    window: Window | None = None,
    currency: str = "USD",
    workers: int | None = None,
    bar: Bar = no_bar,
) -> WhatIf:
    """Fold the whole history under both sets of terms; report the deals of `window`."""
    started, window = time.monotonic(), window or Window()
    with where.open() as log, tempfile.TemporaryDirectory(prefix="ibflow-what-if-") as folder:
        counts = log.counts()
        clients, partners = (counts.get(stage.topic, 0) for stage in (CLIENTS, PARTNERS))
        if not clients:
            raise Unusable("there is no history yet: no client book has been written")
        wanted = _wanted(log, change)
        tasks = [Task(n, counts, wanted, window, currency, Path(folder)) for n in range(clients)]
        bar(0, sum(log.end(CLIENTS.topic, n) for n in range(clients)))
        with Pool(where, workers, max(clients, partners)) as pool:
            found = [result for _, result in pool.each(fold_clients, tasks, bar)]
            settle = [task._replace(number=n) for n in range(partners) for task in tasks[:1]]
            settled = [result for _, result in pool.each(fold_partners, settle)]
    return _told(found, settled, window, currency, time.monotonic() - started)


def _wanted(log: Log, change: Sequence[TermsRecord]) -> tuple[TermsRecord, ...]:
    """The folder's plans, partners and symbols; its rates and periods only where the log has none."""
    pairs: set[tuple[str, str]] = set()
    has_periods = False
    for message in log.messages(topics.TERMS, 0):
        for record in decode_lines(message.value)[0]:
            if isinstance(record, RatePublished):
                pairs |= {(record.base, record.quote), (record.quote, record.base)}
            has_periods = has_periods or isinstance(record, PeriodDefined)
    kept: list[TermsRecord] = []
    for record in change:
        if isinstance(record, RatePublished):
            is_wanted = (record.base, record.quote) not in pairs
        elif isinstance(record, PeriodDefined):
            is_wanted = not has_periods
        else:
            is_wanted = isinstance(record, REPLACED)
        if is_wanted:
            kept.append(record)
    return tuple(kept)


def without_replaced(value: bytes) -> bytes:
    """A message of terms without what the folder replaces."""
    return b"\n".join(encode(record for record in decode_lines(value)[0] if not isinstance(record, REPLACED)))


# The client book, twice


def fold_clients(log: Log, task: Task) -> ClientsResult:
    """Fold one client book as it was and as it might have been, message by message side by side."""
    fold = _ClientFold(task, log.operations())
    with ExitStack() as files:
        fold.open_files(files)
        for count, message in enumerate(log.messages(CLIENTS.topic, task.number), 1):
            fold.step(message)
            if count % REPORT_MESSAGES == 0:
                report(REPORT_MESSAGES)
    return fold.result()


class _ClientFold:
    """Both folds of a partition, and what is kept of its deals until its end."""

    def __init__(self, task: Task, operations: Operations) -> None:
        self.task = task
        self.folds = {name: PartitionFold(CLIENTS, task.number, task.counts, operations) for name in VARIANTS}
        changed = self.folds["after"].partition
        changed.terms = changed.terms.learn(task.change)
        self.costs = {name: Costs() for name in VARIANTS}
        self.origins: dict[str, dict[str, Origin]] = {name: {} for name in VARIANTS}
        self.fates: dict[str, dict[str, str]] = {name: {} for name in VARIANTS}
        self.deals = DealIncomes(task.currency)
        self.countries: dict[str, str] = {}
        self.files: dict[tuple[str, int], BinaryIO] = {}
        self.terms_seen = -1
        self.messages = 0

    def open_files(self, stack: ExitStack) -> None:
        """A file of tallies for each fold and partner book."""
        for name in VARIANTS:
            for number in range(self.task.counts.get(PARTNERS.topic, 0)):
                path = _tallies_path(self.task.folder, name, self.task.number, number)
                self.files[name, number] = stack.enter_context(path.open("wb"))

    def step(self, message: Logged) -> None:
        """Fold one message under both sets of terms."""
        self.messages += 1
        changed = message
        if message.source.startswith(f"{topics.TERMS}/"):
            changed = message._replace(value=without_replaced(message.value))
            self._mark(int(message.source.split("/")[2]))
        else:
            self._look(message.value)
        for name, one in zip(VARIANTS, (message, changed), strict=True):
            fold = self.folds[name]
            for sent in fold.step(one):
                self._take(name, sent, fold.partition.terms)

    def _mark(self, terms_offset: int) -> None:
        """The tallies after this are told after the same message of terms in the partner book."""
        for _ in range(terms_offset - self.terms_seen):
            for file in self.files.values():
                file.write(BOUNDARY)
        self.terms_seen = max(self.terms_seen, terms_offset)

    def _look(self, value: bytes) -> None:
        terms = self.folds["after"].partition.terms
        for record in decode_lines(value)[0]:
            if isinstance(record, RoutedDeal | DealMoved):
                self.deals.see(record, terms)
            elif isinstance(record, ClientRegistered):
                self.countries.setdefault(record.client_id, record.country)

    def _take(self, name: str, sent: Message, terms: Terms) -> None:
        if sent.topic not in (topics.PARTNER_BOOK, topics.REJECTIONS):
            return
        tallies: list[Tally] = []
        for output in decode_batch(sent.value):
            match output:
                case Transfer():
                    self._spend(name, output, terms)
                case Tally():
                    tallies.append(output)
                case Rejection():
                    self.fates[name][output.deal_key] = f"{output.status}: {output.code}"
                case _:
                    pass  # terms are broadcast by the router, not by this book
        if tallies:
            self.files[name, sent.partition].writelines(line + b"\n" for line in encode(tallies))

    def _spend(self, name: str, row: Transfer, terms: Terms) -> None:
        origin = Origin(row.plan_id, row.symbol, row.occurred_at)
        if row.code == "accrual":
            self.origins[name][row.transfer_id] = origin
            if row.account_key:
                self.fates[name][row.caused_by] = "rated"
        elif row.reverses is not None:
            origin = self.origins[name].get(row.reverses, origin)
        names = {
            "ib": row.ib_id,
            "country": self.countries.get(row.client_id, ""),
            "symbol": origin.symbol,
            "plan": origin.plan_id,
        }
        _spend(self.costs[name], row, names, origin.at, self.task, terms)

    def result(self) -> ClientsResult:
        """What is told of the deals in the window."""
        within = {key: at for key, at in self.deals.times() if at in self.task.window}
        fates = {name: Counter(self.fates[name].get(key, "") for key in within) for name in VARIANTS}
        moves: dict[tuple[str, str], list[str]] = defaultdict(list)
        counts: Counter[tuple[str, str]] = Counter()
        for key in within:
            fate = self.fates["before"].get(key, ""), self.fates["after"].get(key, "")
            if fate[0] != fate[1]:
                counts[fate] += 1
                if len(moves[fate]) < EXAMPLES:
                    moves[fate].append(key)
        told = {fate: (counts[fate], tuple(keys)) for fate, keys in moves.items()}
        return ClientsResult(self.costs, self.deals.income(within), fates, told, self.messages)


def _spend(
    costs: Costs, row: Transfer, names: Mapping[str, str], at: datetime, task: Task, terms: Terms
) -> None:
    """Count a row if it moves the broker's money for a deal of the window."""
    if at not in task.window:
        return
    if row.debit.startswith("broker:"):
        amount = row.amount
    elif row.credit.startswith("broker:"):
        amount = -row.amount
    else:
        return
    costs.add(names, amount, row.currency)
    converted = convert(amount, row.currency, task.currency, at, terms)
    if converted is None:
        costs.unconverted += 1
    else:
        costs.total += converted


# The partner book, twice


def fold_partners(log: Log, task: Task) -> dict[str, Costs]:
    """Fold one partner book from the tallies of all client books; what it adds or takes back.

    Transfers only move its balances between statements, which cost the broker nothing: they are left out.
    """
    terms = [message.value for message in log.messages(topics.TERMS, 0)]
    return {name: _settle(task, name, terms) for name in VARIANTS}


def _settle(task: Task, name: str, terms: Sequence[bytes]) -> Costs:
    fold, costs, offset = PartitionFold(PARTNERS, task.number, task.counts), Costs(), 0
    if name == "after":
        fold.partition.terms = fold.partition.terms.learn(task.change)
    with ExitStack() as files:
        clients = range(task.counts[CLIENTS.topic])
        paths = [_tallies_path(task.folder, name, client, task.number) for client in clients]
        opened = [files.enter_context(path.open("rb")) for path in paths]
        for value in (*terms, None):
            for told in chain.from_iterable(_until_boundary(file) for file in opened):
                offset = _feed(fold, offset, told, task, costs)
            if value is not None:
                known = value if name == "before" else without_replaced(value)
                offset = _feed(fold, offset, known, task, costs)
    return costs


def _until_boundary(file: BinaryIO) -> Iterator[bytes]:
    """The tallies up to the next message of terms, in batches."""
    lines = (line.rstrip(b"\n") for line in takewhile(lambda line: line != BOUNDARY, file))
    while some := list(islice(lines, MAX_BATCH_RECORDS)):
        yield from batches(some)


def _feed(fold: PartitionFold, offset: int, value: bytes, task: Task, costs: Costs) -> int:
    """Fold a message and count what it settles; the next offset."""
    for sent in fold.step(Logged(offset, "", value)):
        if sent.topic == topics.SETTLEMENTS:
            for row in decode_batch(sent.value):
                if isinstance(row, Transfer):
                    names = {"ib": row.ib_id, "plan": row.plan_id}
                    _spend(costs, row, names, row.occurred_at, task, fold.partition.terms)
    return offset + 1


def _tallies_path(folder: Path, name: str, client: int, partner: int) -> Path:
    return folder / f"{name}-{client}-{partner}.jsonl"


# Together


def _told(
    found: Sequence[ClientsResult],
    settled: Sequence[Mapping[str, Costs]],
    window: Window,
    currency: str,
    seconds: float,
) -> WhatIf:
    costs = {name: Costs() for name in VARIANTS}
    fates: dict[str, Counter[str]] = {name: Counter() for name in VARIANTS}
    moves: dict[tuple[str, str], Move] = {}
    income = Income()
    for name in VARIANTS:
        for part in (*(one.costs for one in found), *settled):
            costs[name].join(part[name])
        for one in found:
            fates[name].update(one.fates[name])
    for one in found:
        _add_income(income, one.income)
        for fate, (deals, examples) in one.moves.items():
            known = moves.get(fate, Move(*fate, 0, ()))
            shown = (*known.examples, *examples)[:EXAMPLES]
            moves[fate] = Move(*fate, known.deals + deals, shown)
    return WhatIf(
        currency=currency,
        since=window.since,
        until=window.until,
        deals=income.deals,
        messages=sum(one.messages for one in found),
        by={dimension: _lines(dimension, costs) for dimension in DIMENSIONS},
        charged=income.charged,
        spread=income.spread,
        spread_unknown=income.spread_unknown,
        cost_before=costs["before"].total,
        cost_after=costs["after"].total,
        unconverted=income.unconverted + sum(one.unconverted for one in costs.values()),
        fates={name: dict(sorted(counts.items())) for name, counts in fates.items()},
        moves=tuple(sorted(moves.values(), key=lambda move: (-move.deals, move.before, move.after))),
        seconds=seconds,
    )


def _add_income(total: Income, part: Income) -> None:
    total.deals += part.deals
    total.charged += part.charged
    total.spread += part.spread
    total.spread_unknown += part.spread_unknown
    total.unconverted += part.unconverted


def _lines(dimension: str, costs: Mapping[str, Costs]) -> tuple[Line, ...]:
    places = {(name, currency) for one in costs.values() for d, name, currency in one.lines if d == dimension}
    lines = [
        Line(name, currency, *(costs[v].lines.get((dimension, name, currency), ZERO) for v in VARIANTS))
        for name, currency in places
    ]
    kept = [line for line in lines if line.before or line.after]
    return tuple(sorted(kept, key=lambda line: (-max(abs(line.before), abs(line.after)), line.name)))
