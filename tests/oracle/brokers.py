"""Small random brokers: terms, then everything that happens; each feature can be off."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from commission.terms.calendar import PeriodEnded
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import PlanDefined
from tests.build import DAY_1, at
from tests.oracle.calendars import random_calendar
from tests.oracle.dice import AGREED, RANKS, SYMBOLS, Dice, pick
from tests.oracle.happenings import random_events, random_revisions, random_told_later
from tests.oracle.plans import random_plans


def random_broker(seed: int, features: Iterable[str] = AGREED) -> list[Any]:
    """Terms, then everything that happens in the order of its time, revisions and period ends."""
    dice = Dice(seed, features)
    currencies = ["USD"]
    if "currencies" in dice.features:
        currencies += dice.of("currencies").sample(["EUR", "JPY", "USC"], dice.of("currency n").randint(0, 3))
    ibs = [f"ib-{n}" for n in range(dice.of("ibs").randint(3, 8))]
    clients = [f"c{n}" for n in range(dice.of("clients").randint(2, 5))]
    dice.single_currency = len(currencies) == 1
    plans = random_plans(dice, currencies, clients)
    partners = random_partners(dice, ibs, currencies, plans, clients)
    calendar = random_calendar(dice)
    terms = [
        *random_symbols(dice),
        *random_rates(dice, currencies),
        *calendar,
        *plans,
        *partners,
    ]
    events = random_events(dice, clients, ibs, currencies)
    late = [*random_revisions(dice, events), *random_told_later(dice, events)]
    ends = [(period.ends_at, PeriodEnded(period=period.period)) for period in calendar[:-1]]
    final = (at(400), PeriodEnded(period=calendar[-1].period))
    ordered = in_order(dice, events, [*late, *ends, final])
    return [*terms, *ordered]


def in_order(dice: Dice, events: list[Any], placed: list[tuple[datetime, Any]]) -> list[Any]:
    """By the events' own time; shuffled where the feature is on, a deal's revisions in their order."""
    timed = sorted([*((e.occurred_at, e) for e in events), *placed], key=lambda pair: pair[0])
    ordered = [record for _, record in timed]
    if not dice.on("shuffle", 0.3):
        return ordered
    keys = [getattr(record, "deal_key", None) or record.type + str(n) for n, record in enumerate(ordered)]
    positions = list(range(len(ordered)))
    dice.of("shuffle").shuffle(positions)
    queues = {key: [n for n, other in enumerate(keys) if other == key] for key in keys}
    shuffled = [ordered[queues[keys[n]].pop(0)] for n in positions]
    kept = ("kyc_changed", "client_reassigned", "period_ended", "account_linked")
    moving = [record for record in shuffled if record.type not in kept]
    fixed = [record for record in ordered if record.type in kept and record.type != "period_ended"]
    return [*fixed, *moving, *(record for record in ordered if record.type == "period_ended")]


def random_symbols(dice: Dice) -> list[SymbolDefined]:
    """The symbols; some without a usual spread where that feature is on."""
    symbols = list(SYMBOLS)
    if dice.on("unknown_spread", 0.1):
        symbols = [replace(found, average_pips=None) for found in SYMBOLS]
    if dice.on("dated_symbols", 0.3):
        rng = dice.of("dated symbols")
        symbols += [later_version(rng, found) for found in symbols if rng.random() < 0.5]
    return symbols


def later_version(rng: Random, symbol: SymbolDefined) -> SymbolDefined:
    """From some day on another contract size, or another spread; open positions rescaled, or not."""
    times = Decimal(pick(rng, (2, 10)))
    smaller = replace(symbol, contract_size=symbol.contract_size / times, average_pips=Decimal(2))
    changed = pick(rng, (smaller, replace(symbol, pip=symbol.pip * 2), symbol))
    return replace(changed, since=at(rng.randint(4, 60)), rescale=pick(rng, (None, times)))


def random_rates(dice: Dice, currencies: list[str]) -> list[RatePublished]:
    """Every currency of the broker and of its symbols, at least every 20 days, in either direction."""
    rng, found = dice.of("rates"), []
    worth = {"EUR": Decimal("1.1"), "JPY": Decimal("0.0065")}
    for currency in sorted({*currencies, "EUR", "JPY"} - {"USD"}):
        turned = rng.random() < 0.5
        day = -20
        while day < 140:
            if currency == "USC":
                pair, rate = ("USD", "USC"), Decimal(100)
            elif turned:
                pair, rate = ("USD", currency), Decimal(1) / worth[currency]
            else:
                pair, rate = (currency, "USD"), worth[currency]
            drift = Decimal(1) if currency == "USC" else Decimal(rng.randint(9500, 10500)) / 10_000
            rate = (rate * drift).quantize(Decimal("0.000001"))
            found.append(RatePublished(base=pair[0], quote=pair[1], rate=rate, as_of=at(day)))
            day += rng.randint(5, 20)
    if rng.random() < 0.3:
        crosses = (
            RatePublished(base="EUR", quote="JPY", rate=Decimal(170 + n), as_of=at(-20 + 15 * n))
            for n in range(6)
        )
        found += crosses
    return found


def random_partners(
    dice: Dice, ibs: list[str], currencies: list[str], plans: list[PlanDefined], clients: list[str]
) -> list[PartnerDefined]:
    """A tree in which every parent comes before its children, at any time."""
    return [random_partner(dice, n, ibs, currencies, plans, clients) for n in range(len(ibs))]


def random_partner(
    dice: Dice, n: int, ibs: list[str], currencies: list[str], plans: list[PlanDefined], clients: list[str]
) -> PartnerDefined:
    """One IB and what changes about it."""
    rng, ids = dice.of(f"ib {n}"), sorted({plan.plan_id for plan in plans})

    def parent() -> str | None:
        return None if n == 0 or rng.random() < 0.1 else ibs[rng.randrange(max(0, n - 3), n)]

    def assigned(when: datetime | None) -> PlanAssignment:
        rank = pick(rng, (*RANKS, *RANKS, ""))
        factor = (
            pick(rng, (Decimal(1), Decimal("0.5"), Decimal("1.25"))) if dice.on("factor", 0.2) else Decimal(1)
        )
        plan_id = None if rng.random() < 0.15 and dice.on("planless", 0.15) else pick(rng, ids)
        return PlanAssignment(since=when, plan_id=plan_id, rank=rank, factor=factor)

    parents, schedule, statuses = [ParentLink(ib_id=parent())], [assigned(None)], []
    if dice.on("reparent", 0.5) and rng.random() < 0.4:
        parents.append(ParentLink(since=at(rng.randint(5, 60), 5), ib_id=parent()))
    if dice.on("schedule", 0.4) and rng.random() < 0.4:
        schedule.append(assigned(at(rng.randint(5, 60), 6)))
    for status in ("suspended", "terminated"):
        if dice.on(status, 0.4) and dice.of(f"{status} {n}").random() < 0.3:
            begin = dice.of(f"{status} since {n}").randint(3, 50)
            statuses.append(StatusChange(since=at(begin, 9), status=status))
            if dice.of(f"{status} ends {n}").random() < 0.5:
                statuses.append(StatusChange(since=at(begin + 10, 9), status="active"))
    own = (pick(rng, clients),) if dice.on("self_referral", 0.3) and rng.random() < 0.2 else ()
    return PartnerDefined(
        ib_id=ibs[n],
        name=ibs[n],
        currency=pick(rng, currencies),
        parents=tuple(parents),
        schedule=tuple(schedule),
        statuses=tuple(sorted(statuses, key=lambda change: change.since or DAY_1)),
        identity=f"person-{n}",
        own_clients=own,
    )
