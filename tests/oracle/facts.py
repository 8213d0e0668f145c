"""The final facts of a broker, asked as of a time: no state between questions, every answer a loop."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from commission.events import (
    AccountLinked,
    ChargebackReceived,
    ChargebackWon,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from commission.terms.calendar import PeriodDefined
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined, PlanAssignment
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Rate

E8 = 100_000_000
RATE_AGE_MAX = timedelta(days=31)
PIVOTS = ("USD", "EUR")
CENTS = {"USC": "USD", "EUC": "EUR", "GBC": "GBP"}
"""Currencies of cent accounts: a hundredth of the named one, always."""


class Waits(Exception):
    """Something about a deal is not known: it earns nothing, for nobody, until it is."""


class NoRate(Waits):
    """What a rate of exchange is missing for."""


def rounded(amount: Fraction) -> Fraction:
    """Eight decimals, half to even: Python rounds a fraction so."""
    return Fraction(round(amount * E8), E8)


def fraction(number: Decimal | int | None) -> Fraction:
    """A decimal as it is; nothing is 0."""
    return Fraction(number or 0)


@dataclass(frozen=True)
class Link:
    """One IB of an upline, as of a time."""

    partner: PartnerDefined
    assignment: PlanAssignment
    plan: PlanDefined | None
    suspended: bool

    @property
    def ib(self) -> str:
        """The IB's id."""
        return self.partner.ib_id

    def is_client(self, client: ClientRegistered) -> bool:
        """Whether the client is the IB itself and its plan does not pay for that."""
        itself = client.client_id in self.partner.own_clients or (
            client.identity != "" and client.identity == self.partner.identity
        )
        return itself and not (self.plan is not None and self.plan.self_referral)


def since(entries: Iterable[Any], time: datetime) -> Any:
    """The last entry of a schedule that has begun."""
    begun = [entry for entry in entries if entry.since is None or entry.since <= time]
    return begun[-1] if begun else None


def without_repeats(events: Iterable[Any]) -> list[Any]:
    """Each deposit, withdrawal, chargeback and win once, however often it was sent."""
    found: dict[Any, Any] = {}
    for event in events:
        match event:
            case DepositCleared():
                name: Any = ("deposit", event.client_id, event.deposit_id)
            case WithdrawalPaid() if event.withdrawal_id:
                name = ("withdrawal", event.client_id, event.withdrawal_id)
            case ChargebackReceived() if event.chargeback_id:
                name = ("chargeback", event.client_id, event.chargeback_id)
            case ChargebackWon():
                name = (event.deposit_id, event.occurred_at, event.amount, event.chargeback_id)
            case _:
                name = event.event_id
        found.setdefault(name, event)
    return list(found.values())


def disputed(
    deposit: DepositCleared, events: list[ChargebackReceived | ChargebackWon]
) -> list[ChargebackReceived]:
    """What chargebacks of a deposit took and no dispute brought back: walk through both in time.

    One that takes all takes what is there at its time. A win gives back to the chargeback it names, or to the
    earliest before it.
    """
    taken: dict[str, ChargebackReceived] = {}
    left: dict[str, Decimal] = {}
    for event in sorted(events, key=lambda event: event.occurred_at):
        if isinstance(event, ChargebackReceived):
            there = max(Decimal(0), deposit.amount - sum(left.values()))
            taken[event.event_id] = event
            left[event.event_id] = there if event.amount is None else event.amount
            continue
        rest = sum(left.values()) if event.amount is None else event.amount
        for name, back in taken.items():
            if event.chargeback_id in ("", back.event_id, back.chargeback_id):
                won = min(rest, left[name])
                left[name], rest = left[name] - won, rest - won
    return [replace(back, amount=left[name]) for name, back in taken.items() if left[name]]


class Facts:
    """Everything that is true of a broker in the end."""

    def __init__(self, records: Iterable[Any]) -> None:  # noqa: C901 — one branch a kind of record
        """Sort the records by kind; the last revision of a deal is the deal."""
        self.plans: dict[tuple[str, int], PlanDefined] = {}
        self.partners: dict[str, PartnerDefined] = {}
        self.symbols: dict[tuple[str, str, datetime | None], SymbolDefined] = {}
        self.periods: dict[str, PeriodDefined] = {}
        self.rates: list[RatePublished] = []
        self.deals: dict[str, Deal] = {}
        self.links: list[AccountLinked] = []
        self.taken: dict[str, list[ChargebackReceived]] = {}
        self.asked: dict[tuple[type[Any], str], list[Any]] = {}
        self.clients: dict[str, ClientRegistered] = {}
        self.refunded: dict[str, Fraction] | None = None
        """By deal, what was refunded of its charge, once that was asked."""
        events: dict[str, Any] = {}
        for record in records:
            match record:
                case PlanDefined():
                    self.plans[record.plan_id, record.version] = record
                case PartnerDefined():
                    self.partners[record.ib_id] = record
                case SymbolDefined():
                    self.symbols[record.server, record.symbol, record.since] = record
                case PeriodDefined():
                    self.periods[record.period] = record
                case RatePublished():
                    self.rates.append(record)
                case Deal():
                    self.deals[record.deal_key] = record
                case AccountLinked():
                    self.links.append(record)
                case ClientRegistered():
                    if record.identity or record.client_id not in self.clients:
                        self.clients[record.client_id] = record
                case _ if hasattr(record, "event_id"):
                    events[record.event_id] = record
        self.events = sorted(without_repeats(events.values()), key=lambda event: event.occurred_at)
        erased = [key for key, deal in self.deals.items() if deal.kind in ("cancelled", "deleted")]
        for key in erased:
            del self.deals[key]
        self.in_time = sorted(self.deals.values(), key=lambda d: (d.occurred_at, len(d.deal_id), d.deal_id))

    # The client

    def owner(self, deal: Deal) -> ClientRegistered:
        """The registered client whose account it was."""
        client_id = self.client_id(deal)
        if client_id not in self.clients:
            raise Waits("unregistered client")
        return self.clients[client_id]

    def client_id(self, deal: Deal) -> str:
        """Whose account it was; the first link covers what came before it."""
        links = [link for link in self.links if link.account_key == deal.account_key]
        links.sort(key=lambda link: link.occurred_at)
        if not links:
            raise Waits("unlinked account")
        link = [links[0], *(later for later in links if later.occurred_at <= deal.occurred_at)][-1]
        owner: str = link.client_id
        return owner

    def of_client(self, kind: type[Any], client_id: str) -> list[Any]:
        """Events of one kind of one client, oldest first: asked so often that the answer is kept."""
        if (kind, client_id) not in self.asked:
            found = [e for e in self.events if isinstance(e, kind) and e.client_id == client_id]
            self.asked[kind, client_id] = found
        return self.asked[kind, client_id]

    def introducer(self, client: ClientRegistered, time: datetime) -> str | None:
        """The client's IB; before the registration there is none."""
        if time < client.occurred_at:
            return None
        ib_id = client.ib_id
        for change in self.of_client(ClientReassigned, client.client_id):
            if change.occurred_at <= time:
                ib_id = change.ib_id
        return ib_id

    def deposits(self, client_id: str) -> list[DepositCleared]:
        """Oldest first."""
        return self.of_client(DepositCleared, client_id)

    def chargebacks(self, client_id: str) -> list[ChargebackReceived]:
        """Oldest first, as if what was won again had never been taken."""
        if client_id not in self.taken:
            disputes = self.of_client(ChargebackReceived, client_id) + self.of_client(
                ChargebackWon, client_id
            )
            found = [
                back
                for deposit in self.deposits(client_id)
                for back in disputed(deposit, [e for e in disputes if e.deposit_id == deposit.deposit_id])
            ]
            self.taken[client_id] = sorted(found, key=lambda back: back.occurred_at)
        return self.taken[client_id]

    def withdrawals(self, client_id: str) -> list[WithdrawalPaid]:
        """Oldest first."""
        return self.of_client(WithdrawalPaid, client_id)

    def flags(self, client_id: str) -> list[ClientFlagged]:
        """Oldest first."""
        return self.of_client(ClientFlagged, client_id)

    def kyc(self, client_id: str) -> list[KycChanged]:
        """Oldest first."""
        return self.of_client(KycChanged, client_id)

    def is_released(self, plan: PlanDefined, client_id: str, time: datetime) -> bool:
        """Whether the plan's KYC gate lets through what a client did: at once, or by a later approval."""
        changes = self.kyc(client_id)
        before = [change.status for change in changes if change.occurred_at <= time]
        later = any(change.status == "approved" for change in changes if change.occurred_at > time)
        return not plan.kyc_gate or before[-1:] == ["approved"] or later

    def left(self, deposit: DepositCleared, time: datetime, clawback: Clawback | None = None) -> Fraction:
        """What of a deposit has not been taken back by then, for reasons that a clawback knows."""
        rest = fraction(deposit.amount)
        for back in self.chargebacks(deposit.client_id):
            ignored = clawback is not None and getattr(clawback, back.reason) == "none"
            if back.deposit_id == deposit.deposit_id and back.occurred_at <= time and not ignored:
                rest -= fraction(deposit.amount if back.amount is None else back.amount)
        return max(Fraction(0), rest)

    # The terms

    def plan(self, plan_id: str | None, time: datetime) -> PlanDefined | None:
        """The highest version that has begun; a plan nobody published is waited for."""
        if plan_id is not None and all(found != plan_id for found, _ in self.plans):
            raise Waits(f"unknown plan {plan_id}")
        begun = [
            plan
            for (found, _), plan in self.plans.items()
            if found == plan_id and (plan.since is None or plan.since <= time)
        ]
        return max(begun, key=lambda plan: plan.version, default=None)

    def chain(self, client: ClientRegistered, time: datetime) -> list[Link]:
        """The upline, direct IB first, without those terminated."""
        chain: list[Link] = []
        ib_id = self.introducer(client, time)
        while ib_id is not None:
            partner = self.partners.get(ib_id)
            if partner is None:
                raise Waits(f"unknown IB {ib_id}")
            change = since(partner.statuses, time)
            status = change.status if change else "active"
            assignment = since(partner.schedule, time) or PlanAssignment()
            plan = self.plan(assignment.plan_id, time)
            if status != "terminated":
                chain.append(Link(partner, assignment, plan, status == "suspended"))
            parent = since(partner.parents, time)
            ib_id = parent.ib_id if parent else None
        return chain

    def symbol(self, deal: Deal) -> SymbolDefined:
        """What the server's symbol meant at the deal."""
        begun = [
            known for known in self.meanings(deal) if known.since is None or known.since <= deal.occurred_at
        ]
        if not begun:
            raise Waits(f"unknown symbol {deal.symbol}")
        return begun[-1]

    def meanings(self, deal: Deal) -> list[SymbolDefined]:
        """Everything the symbol ever meant, oldest first."""
        known = [s for s in self.symbols.values() if (s.server, s.symbol) == (deal.server, deal.symbol)]
        return sorted(known, key=lambda s: (s.since is not None, s.since))

    def period(self, time: datetime) -> PeriodDefined:
        """The statement period of a time."""
        for period in self.periods.values():
            if period.starts_at <= time < period.ends_at:
                return period
        raise Waits("no period")

    # Conversion

    def _published(self, base: str, quote: str, time: datetime) -> Fraction | None:
        newest = None
        for rate in self.rates:
            if (rate.base, rate.quote) == (base, quote) and time - RATE_AGE_MAX <= rate.as_of <= time:
                newest = rate if newest is None or rate.as_of >= newest.as_of else newest
        return fraction(newest.rate) if newest else None

    def _either_way(self, base: str, quote: str, time: datetime) -> Fraction | None:
        direct = self._published(base, quote, time)
        if direct is not None:
            return direct
        inverse = self._published(quote, base, time)
        return 1 / inverse if inverse else None

    def convert(self, amount: Fraction, base: str, quote: str, time: datetime) -> Fraction:
        """Direct, else inverted, else through USD, else through EUR; not rounded."""
        if base in CENTS:
            amount, base = amount / 100, CENTS[base]
        if quote in CENTS:
            amount, quote = amount * 100, CENTS[quote]
        if base == quote or not amount:
            return amount
        rate = self._either_way(base, quote, time)
        for pivot in PIVOTS:
            if rate is None and pivot not in (base, quote):
                first, second = self._either_way(base, pivot, time), self._either_way(pivot, quote, time)
                rate = None if first is None or second is None else first * second
        if rate is None:
            raise NoRate(f"no rate {base}/{quote}")
        return amount * rate


# The most specific rate


@dataclass(frozen=True)
class Subject:
    """What a rate is matched against."""

    client: str
    login: str
    group: str
    canonical: str
    asset_class: str
    country: str
    time: datetime


def group_fits(mask: str, group: str) -> bool:
    """Some part of the mask fits, and none that begins with `!`."""
    parts = [part.strip().lower() for part in mask.split(",")]
    if any(part[0] == "!" and part_fits(part[1:], group.lower()) for part in parts):
        return False
    return any(part_fits(part, group.lower()) for part in parts)


def part_fits(part: str, group: str) -> bool:
    """Letter by letter; `*` is any number of letters, `?` is one."""
    if not part:
        return not group
    if part[0] == "*":
        return any(part_fits(part[1:], group[n:]) for n in range(len(group) + 1))
    return bool(group) and part[0] in ("?", group[0]) and part_fits(part[1:], group[1:])


def group_closeness(mask: str, group: str) -> tuple[int, int, int]:
    """Of the parts that fit the closest: in full, then by letters, then by `?`."""
    fitting = [p.strip() for p in mask.split(",") if part_fits(p.strip().lower(), group.lower())]
    return max(
        (int(not set(p) & set("*?")), len(p) - p.count("*") - p.count("?"), p.count("?")) for p in fitting
    )


def symbol_fits(match: str, subject: Subject) -> bool:
    """A canonical symbol, a prefix, a class or everything."""
    if match.startswith("class:"):
        return match == f"class:{subject.asset_class}"
    return subject.canonical.startswith(match[:-1]) if match.endswith("*") else subject.canonical == match


def length(pattern: str) -> tuple[int, int]:
    """Longer patterns first, an exact one before a prefix of the same length."""
    return len(pattern.rstrip("*")), int(not pattern.endswith("*"))


def symbol_specificity(match: str) -> tuple[int, tuple[int, int]]:
    """Symbol before prefix before class before everything."""
    if match == "*":
        return 0, (0, 0)
    if match.startswith("class:"):
        return 1, (0, 0)
    return (2 if match.endswith("*") else 3), length(match)


def rate_fits(rate: Rate, subject: Subject) -> bool:
    """Everything the rate names is the subject's."""
    return (
        symbol_fits(rate.match, subject)
        and rate.client in ("", subject.client)
        and rate.login in ("", subject.login)
        and (rate.group == "" or group_fits(rate.group, subject.group))
        and rate.country in ("", subject.country)
        and (rate.since is None or rate.since <= subject.time)
        and (rate.until is None or subject.time < rate.until)
    )


def best(rates: Iterable[Rate], subject: Subject) -> Fraction | None:
    """The value of the most specific rate that fits."""
    fitting = [rate for rate in rates if rate_fits(rate, subject)]

    def specificity(rate: Rate) -> tuple[Any, ...]:
        dated = rate.since is not None or rate.until is not None
        group = (0, (0, 0, 0)) if rate.group == "" else (1, group_closeness(rate.group, subject.group))
        return (
            rate.client != "",
            rate.login != "",
            group,
            symbol_specificity(rate.match),
            (rate.country != "") + dated,
        )

    return fraction(max(fitting, key=specificity).value) if fitting else None
