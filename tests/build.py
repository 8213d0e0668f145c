"""Builders that make tests read as ledgers: deals, events and terms from short strings.

Day 1 is 1 September 2026. One server, `live`; login 1 belongs to anna, login 2 to ben.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from commission.events import (
    LOT_E8,
    AccountLinked,
    ChargebackReceived,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
)
from commission.ledger import balances
from commission.money import Money, minor_digits, plain
from commission.outputs import Milestone, Rejection, Statement, StatementWithdrawn, Transfer
from commission.payouts.commands import PayoutAnswer
from commission.revision import revision_of
from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.terms.components import Component, Cpa, CpaAmount, PerLot, SpreadShare
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate
from schemas.dead_letters import DeadLetter
from schemas.wire import Record
from streams.in_memory import LocalPipeline

SERVER = "live"
DAY_1 = datetime(2026, 9, 1, tzinfo=UTC)
D = Decimal


def at(day: int, hour: int = 0) -> datetime:
    """Midnight of a day, or an hour of it; day 31 is the first of October."""
    return DAY_1 + timedelta(days=day - 1, hours=hour)


def usd(amount: str) -> Money:
    """An amount of dollars."""
    return Money(D(amount), "USD")


# Deals and CRM events


def deal(text: str, *, day: int = 3, hour: int = 0, login: int = 1, **fields: Any) -> Deal:
    """`deal("7 buy 1.5 EURUSD in")`: id, side, lots, symbol, entry; a position of its own unless given."""
    deal_id, side, lots, symbol, entry = text.split()
    values: dict[str, Any] = {
        "platform": "mt5",
        "server": SERVER,
        "login": login,
        "deal_id": deal_id,
        "revision": "a",
        "kind": "trade",
        "occurred_at": at(day, hour),
        "side": side,
        "entry": entry,
        "symbol": symbol,
        "volume_e8": int(D(lots) * LOT_E8),
        "position_id": f"of-{deal_id}",
        "price": D("1.1"),
        "currency": "USD",
    }
    return Deal(**(values | fields))


def told_at(of: Deal, position_id: str | None) -> Deal:
    """The deal as a source tells it that knows its position (or not: None), under the revision that has."""
    placed = replace(of, position_id=position_id)
    return replace(placed, revision=revision_of(placed))


def linked(text: str, *, day: int = 1, **fields: Any) -> AccountLinked:
    """`linked("1 anna")`: login and client."""
    login, client_id = text.split()
    values = {"event_id": f"link {text} {day}", "server": SERVER, "occurred_at": at(day)}
    return AccountLinked(login=int(login), client_id=client_id, **(values | fields))


def registered(text: str, *, day: int = 1, **fields: Any) -> ClientRegistered:
    """`registered("anna ib-north")`: client and the IB that referred it, if any."""
    client_id, *ib_id = text.split()
    values: dict[str, Any] = {"event_id": f"registered {text} {day}", "occurred_at": at(day)}
    return ClientRegistered(client_id=client_id, ib_id=ib_id[0] if ib_id else None, **(values | fields))


def reassigned(text: str, *, day: int) -> ClientReassigned:
    """`reassigned("anna ib-south", day=5)`: client and its new IB, if any."""
    client_id, *ib_id = text.split()
    return ClientReassigned(
        event_id=f"reassigned {text} {day}",
        client_id=client_id,
        ib_id=ib_id[0] if ib_id else None,
        occurred_at=at(day),
    )


def deposit(text: str, *, day: int, hour: int = 0) -> DepositCleared:
    """`deposit("anna d1 500 USD", day=2)`: client, deposit, amount, currency."""
    client_id, deposit_id, amount, currency = text.split()
    return DepositCleared(
        event_id=f"deposit {deposit_id}",
        client_id=client_id,
        deposit_id=deposit_id,
        amount=D(amount),
        currency=currency,
        occurred_at=at(day, hour),
    )


def chargeback(text: str, *, day: int) -> ChargebackReceived:
    """`chargeback("anna d1", day=9)`: client and deposit."""
    client_id, deposit_id = text.split()
    return ChargebackReceived(
        event_id=f"chargeback {deposit_id}", client_id=client_id, deposit_id=deposit_id, occurred_at=at(day)
    )


def kyc(text: str, *, day: int) -> KycChanged:
    """`kyc("anna approved", day=2)`: client and status."""
    client_id, status = text.split()
    values: dict[str, Any] = {"status": status}
    return KycChanged(event_id=f"kyc {text} {day}", client_id=client_id, occurred_at=at(day), **values)


# Terms


def rates(text: str) -> tuple[Rate, ...]:
    """`rates("EURUSD=7 *=2")`."""
    pairs = (pair.split("=") for pair in text.split())
    return tuple(Rate(match=match, value=D(value)) for match, value in pairs)


def per_lot(text: str, **fields: Any) -> PerLot:
    """Money per lot by symbol: `per_lot("class:forex=7 *=2", entry="in")`."""
    return PerLot(**({"name": "lots", "rates": rates(text)} | fields))


def spread(text: str, *, average: str = "", cap: str | None = None, **fields: Any) -> SpreadShare:
    """A share of the spread by symbol: `spread("*=0.35", average="EURUSD=1.2", cap="3.5")`."""
    return SpreadShare(
        **({"name": "spread", "rates": rates(text)} | fields),
        average_pips=rates(average),
        cap_pips=None if cap is None else D(cap),
    )


def cpa(amount: str, **fields: Any) -> Cpa:
    """One amount for a client that deposits 500 in a day and trades 3 lots, unless told otherwise."""
    values: dict[str, Any] = {"name": "cpa", "min_deposit": D(500), "min_lots": D(3)} | fields
    amounts = (CpaAmount(amount=D(amount), min_deposit=values.pop("min_deposit")),)
    return Cpa(**({"amounts": amounts} | values))


def plan(text: str, *components: Component, kyc_gate: bool = False, version: int = 1) -> PlanDefined:
    """`plan("gold USD", per_lot("*=7"))`: id and currency; no KYC gate unless asked for."""
    plan_id, currency = text.split()
    return PlanDefined(
        plan_id=plan_id, version=version, currency=currency, components=components, kyc_gate=kyc_gate
    )


def partner(text: str, **fields: Any) -> PartnerDefined:
    """`partner("ib-north USD silver ib-master")`: id, currency, plan and master IB from the beginning."""
    ib_id, currency, *rest = text.split()
    plans = tuple(PlanAssignment(plan_id=plan_id) for plan_id in rest[:1])
    parents = tuple(ParentLink(ib_id=parent) for parent in rest[1:])
    values: dict[str, Any] = {"name": ib_id, "schedule": plans, "parents": parents}
    return PartnerDefined(ib_id=ib_id, currency=currency, **(values | fields))


def symbol(text: str, *, server: str = SERVER, **fields: Any) -> SymbolDefined:
    """`symbol("XAUUSD metals 100 USD 0.01")`: symbol, class, contract size, profit currency, pip."""
    name, asset_class, size, profit_currency, pip = text.split()
    values: dict[str, Any] = {"canonical": name, "standard_contract_size": D(size)}
    return SymbolDefined(
        server=server,
        symbol=name,
        asset_class=asset_class,
        contract_size=D(size),
        profit_currency=profit_currency,
        pip=D(pip),
        **(values | fields),
    )


def exchange(text: str, *, day: int = 1) -> RatePublished:
    """`exchange("USD/JPY 150")`."""
    pair, value = text.split()
    base, quote = pair.split("/")
    return RatePublished(base=base, quote=quote, rate=D(value), as_of=at(day))


def period(name: str) -> PeriodDefined:
    """A calendar month of UTC: `period("2026-09")`."""
    year, month = (int(number) for number in name.split("-"))
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return PeriodDefined(period=name, starts_at=datetime(year, month, 1, tzinfo=UTC), ends_at=following)


def ended(name: str) -> PeriodEnded:
    """The end of a period."""
    return PeriodEnded(period=name)


def reopened(name: str, **fields: Any) -> PeriodReopened:
    """Its end taken back, by two people."""
    values: dict[str, Any] = {
        "period": name,
        "at": at(40),
        "reason": "a bridge was late",
        "proposal_id": "p-1",
        "created_by": "olga",
        "approved_by": "piet",
    }
    return PeriodReopened(**(values | fields))


SYMBOLS = (
    symbol("EURUSD forex 100000 USD 0.0001"),
    symbol("EURUSDc forex 1000 USD 0.0001", canonical="EURUSD", standard_contract_size=D(100_000)),
    symbol("USDJPY forex 100000 JPY 0.01"),
    symbol("XAUUSD metals 100 USD 0.01"),
)
PLANS = (
    plan("gold USD", per_lot("class:forex=7 XAU*=10 *=2"), cpa("400")),
    plan("silver USD", per_lot("class:forex=5 XAU*=7 *=1"), cpa("300")),
)
PARTNERS = (partner("ib-master USD gold"), partner("ib-north USD silver ib-master"))
TERMS = (*SYMBOLS, *PLANS, *PARTNERS)
"""Gold pays the master 7 a lot of forex and silver ib-north 5: of one lot, 5 and an override of 2."""

ANNA = (linked("1 anna"), registered("anna ib-north"))
"""Anna, of ib-north, owns login 1 from day 1 on."""


# What comes out


@dataclass(slots=True)
class Told:
    """What the pipeline said, by kind."""

    transfers: list[Transfer] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    withdrawn: list[StatementWithdrawn] = field(default_factory=list)
    answers: list[PayoutAnswer] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    @property
    def balances(self) -> dict[str, str]:
        """Account → balance, without the accounts at zero: `{"ib:ib-north:pending": "12.50 USD"}`."""
        found = sorted(balances(self.transfers).items())
        return {account: written(amount, currency) for (account, currency), amount in found if amount}

    @property
    def owed(self) -> dict[str, str]:
        """The balances of the IBs and of rounding, without the broker's expense opposite them."""
        return {account: text for account, text in self.balances.items() if not account.startswith("broker:")}

    @property
    def reasons(self) -> dict[str, str]:
        """Deal id → its newest rejection: `{"7": "waiting no_rate"}`; a deal rated since keeps it."""
        return {r.deal_key.split("|")[1]: f"{r.status} {r.code}" for r in self.rejections}

    @property
    def happened(self) -> list[str]:
        """Milestones in the order they were told."""
        return [milestone.kind for milestone in self.milestones]


def written(amount: Decimal, currency: str) -> str:
    """`12.50 USD`: the currency's digits at least, more where the amount has them."""
    digits = max(minor_digits(currency), -int(amount.normalize().as_tuple().exponent))
    return f"{plain(amount) if not digits else format(amount, f'.{digits}f')} {currency}"


def told(outputs: Iterable[Record]) -> Told:
    """Sort outputs by kind."""
    kinds = Told()
    for output in outputs:
        match output:
            case Transfer():
                kinds.transfers.append(output)
            case Rejection():
                kinds.rejections.append(output)
            case Milestone():
                kinds.milestones.append(output)
            case Statement():
                kinds.statements.append(output)
            case StatementWithdrawn():
                kinds.withdrawn.append(output)
            case PayoutAnswer():
                kinds.answers.append(output)
            case _:
                raise AssertionError(f"{output.type} does not leave the pipeline")
    return kinds


def run(*records: Record, terms: Iterable[Record] = TERMS) -> Told:
    """Feed terms, then records, one a message; tell everything that came out."""
    pipeline = LocalPipeline()
    said = told([*pipeline.feed(terms), *pipeline.feed(records)])
    said.dead_letters = pipeline.dead_letters
    return said
