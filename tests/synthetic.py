"""A synthetic broker of any size: a three-level tree, per-lot plans, and deals from a seed."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from commission.events import LOT_E8, AccountLinked, ClientRegistered, Deal, KycChanged
from commission.terms import (
    ParentLink,
    PartnerDefined,
    PeriodDefined,
    PerLot,
    PlanAssignment,
    PlanDefined,
    Rate,
    SymbolDefined,
    TermsRecord,
)
from schemas.wire import Record

START = datetime(2026, 9, 1, tzinfo=UTC)
SERVER = "mt5-live"
RATES = {"gold": 7, "silver": 5, "bronze": 4}
"""USD per lot of the three levels: together every lot costs 7."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Terms, CRM events and deals; the same numbers give the same broker."""

    clients: int
    deals: int
    seed: int = 7

    def terms(self) -> list[TermsRecord]:
        """Three IBs above each other, one symbol, one month."""
        plans = [
            PlanDefined(
                plan_id=name,
                version=1,
                currency="USD",
                components=(PerLot(name="lots", rates=(Rate(match="*", value=Decimal(rate)),)),),
            )
            for name, rate in RATES.items()
        ]
        ladder = [
            ("ib-master", None, "gold"),
            ("ib-region", "ib-master", "silver"),
            ("ib-desk", "ib-region", "bronze"),
        ]
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
            profit_currency="USD",
        )
        month = PeriodDefined(period="2026-09", starts_at=START, ends_at=datetime(2026, 10, 1, tzinfo=UTC))
        return [*plans, *partners, symbol, month]

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
        """Closing deals of random clients and volumes, one a second."""
        chance = random.Random(self.seed)
        return [
            Deal(
                platform="mt5",
                server=SERVER,
                login=chance.randrange(self.clients),
                deal_id=str(number),
                revision="1",
                kind="trade",
                occurred_at=START + timedelta(seconds=number % 2_500_000),
                side="sell" if number % 2 else "buy",
                entry="out",
                symbol="EURUSD",
                volume_e8=chance.randrange(1, 500) * (LOT_E8 // 100),
                position_id=str(number // 2),
                price=Decimal("1.0850"),
                currency="USD",
            )
            for number in range(self.deals)
        ]
