"""A synthetic broker of any size: a three-level tree, per-lot plans, and deals from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission.events import LOT_E8, AccountLinked, ClientRegistered, Deal, KycChanged, Side
from commission.terms.calendar import PeriodDefined
from commission.terms.components import Component, PerLot, SpreadShare
from commission.terms.market import SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Caps, Rate, When
from commission.terms.records import TermsRecord
from schemas.wire import Record

START = datetime(2026, 9, 1, tzinfo=UTC)
SERVER = "mt5-live"
IBS = ["ib-master", "ib-region", "ib-desk"]
RATES = {"gold": 7, "silver": 5, "bronze": 4}
"""USD per lot of the three levels: together every lot costs 7."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Terms, CRM events and deals; the same numbers give the same broker."""

    clients: int
    deals: int
    seed: int = 7
    is_hybrid: bool = False
    """Plans of lots and spread, with conditions on holding and movement and a cap for each deal."""
    depth: int = 3
    """IBs above each client, by rates that rise from level to level; 3 is bronze, silver, gold."""
    rules: int = 1
    """Rates in each plan; all but one are for symbols that are not traded."""

    def terms(self) -> list[TermsRecord]:
        """IBs above each other, one symbol, one month."""
        names = list(RATES) if self.depth == len(RATES) else [f"level-{n}" for n in range(self.depth)]
        plans = [self._plan(name, RATES.get(name, 100 - n)) for n, name in enumerate(names)]
        ibs = IBS if self.depth == len(RATES) else [f"ib-{n}" for n in range(self.depth - 1)] + ["ib-desk"]
        ladder = list(zip(ibs, [None, *ibs[:-1]], names, strict=True))
        partners = [
            PartnerDefined(
                ib_id=ib_id,
                name=ib_id,
                currency="USD",
                parents=(ParentLink(ib_id=parent),),
                schedule=(PlanAssignment(plan_id=plan),),
                kyc_approved=True,
            )
            for ib_id, parent, plan in ladder
        ]
        symbol = SymbolDefined(
            server=SERVER,
            symbol="EURUSD",
            canonical="EURUSD",
            asset_class="forex",
            contract_size=Decimal(100_000),
            standard_contract_size=Decimal(100_000),
            pip=Decimal("0.0001"),
            average_pips=Decimal("1.1"),
            profit_currency="USD",
        )
        month = PeriodDefined(period="2026-09", starts_at=START, ends_at=datetime(2026, 10, 1, tzinfo=UTC))
        return [*plans, *partners, symbol, month]

    def _plan(self, name: str, rate: int) -> PlanDefined:
        others = tuple(Rate(match=f"SYMBOL{n}", value=Decimal(n + 1)) for n in range(self.rules - 1))
        lots = PerLot(name="lots", rates=(*others, Rate(match="*", value=Decimal(rate))))
        components: tuple[Component, ...] = (lots,)
        when = When()
        if self.is_hybrid:
            shares = (Rate(match="*", value=Decimal(rate).scaleb(-2)),)
            spread = SpreadShare(name="spread", rates=shares, cap_pips=Decimal(3), at_most_average=True)
            components = (replace(lots, caps=Caps(per_deal=Decimal(500))), spread)
            when = When(min_holding_s=1, min_pips=Decimal("0.1"), same_price=False)
        return PlanDefined(plan_id=name, version=1, currency="USD", components=components, when=when)

    def crm(self) -> list[Record]:
        """Every client registered under the desk, KYC approved, with one account."""
        events: list[Record] = []
        for number in range(self.clients):
            client = f"c-{number:06}"
            events += [
                ClientRegistered(event_id=f"r{number}", client_id=client, occurred_at=START, ib_id="ib-desk"),
                KycChanged(event_id=f"k{number}", client_id=client, occurred_at=START, status="approved"),
                AccountLinked(
                    event_id=f"a{number}", client_id=client, server=SERVER, login=number, occurred_at=START
                ),
            ]
        return events

    def trades(self) -> list[Deal]:
        """All of `each_trade`."""
        return list(self.each_trade())

    def each_trade(self) -> Iterator[Deal]:
        """Positions of random clients and volumes, one deal a second: each is opened and then closed."""
        chance = random.Random(self.seed)
        for position in range((self.deals + 1) // 2):
            login = chance.randrange(self.clients)
            sides: tuple[Side, Side] = ("sell", "buy") if position % 2 else ("buy", "sell")
            lots_e8 = chance.randrange(1, 500) * (LOT_E8 // 100)
            for is_close, side in enumerate(sides):
                number = 2 * position + is_close
                mid = Decimal("1.0850") + Decimal(chance.randrange(100)).scaleb(-5)
                if number == self.deals:
                    return
                yield Deal(
                    platform="mt5",
                    server=SERVER,
                    login=login,
                    deal_id=str(number),
                    revision="1",
                    kind="trade",
                    occurred_at=START + timedelta(seconds=number % 2_500_000),
                    side=side,
                    entry="out" if is_close else "in",
                    symbol="EURUSD",
                    volume_e8=lots_e8,
                    position_id=str(position),
                    price=mid,
                    bid=mid,
                    ask=mid + Decimal("0.00012"),
                    currency="USD",
                )
