"""Plans of every form and random facts for them."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import ChargebackReceived
from commission.terms.components import (
    CohortBonus,
    Component,
    Cpa,
    CpaAmount,
    Cpl,
    DepositShare,
    Rebate,
    RevenueShare,
)
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Band, Caps, Tiers
from schemas.wire import Record
from tests.build import (
    SYMBOLS,
    D,
    chargeback,
    deal,
    deposit,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    rates,
    registered,
    spread,
)
from tests.effort import tries

LAW = settings(deadline=None, max_examples=tries(5))

CLIENTS = ("anna", "ben", "carl")


Components = tuple[Component, ...]


def tiers(mode: Any, by: Any = "lots", **fields: Any) -> Tiers:
    """Half as much again from 3 on, twice as much from 8 on."""
    bands = (Band(start=D(3), factor=D("1.5")), Band(start=D(8), factor=D(2)))
    return Tiers(by=by, mode=mode, bands=bands, **fields)


def deal_share(of: Any) -> DepositShare:
    return DepositShare(name=of, share=D("0.03"), of=of, max_amount=D(20) if of == "each" else None)


def stage(name: str, lots: str, amount: str) -> Cpa:
    amounts = (CpaAmount(amount=D(amount), min_deposit=D(200)),)
    return Cpa(name=name, amounts=amounts, min_lots=D(lots))


PLANS: dict[str, Components] = {
    "slab": (per_lot("*=4", tiers=tiers("slab")),),
    "graduated": (per_lot("*=4", tiers=tiers("graduated")),),
    "level": (per_lot("*=4", tiers=tiers("level", lookback_periods=1, step=1, grace_periods=1)),),
    "level of the next period": (
        per_lot("*=4", tiers=tiers("level", lookback_periods=1, promote="next_period")),
    ),
    "active clients": (per_lot("*=4", tiers=tiers("slab", by="active_clients", active_min_lots=D("0.5"))),),
    "revenue share": (
        RevenueShare(name="net", rates=rates("*=0.3"), entry="both", terms=("commission", "client_result")),
    ),
    "revenue share by client": (
        RevenueShare(
            name="net",
            rates=rates("*=0.3"),
            terms=("spread", "client_result"),
            scope="client",
            quarantine_below=D(40),
        ),
    ),
    "caps": (per_lot("*=4", caps=Caps(per_deal=D(9), per_day=D(12), per_week=D(30), per_period=D(50))),),
    "hedged": (per_lot("*=4", entry="in", hedged=True),),
    "cpa in stages": (stage("first", "0", "100"), stage("second", "3", "250")),
    "cpl behind a rate": (
        Cpl(name="lead", amounts=(CpaAmount(amount=D(20)),), min_ftd_rate=D("0.5"), kyc=False),
    ),
    "deposit shares": (deal_share("each"), deal_share("net")),
    "cohort": (per_lot("*=1"), CohortBonus(name="three", amount=D(90), clients=2, min_lots=D(1))),
    "rebates": (
        per_lot("*=4"),
        Rebate(name="lot", rates=rates("*=1")),
        Rebate(name="part", rates=rates("*=0.25"), unit="share", funded_by="ib"),
    ),
    "first leg": (per_lot("*=4", close_by="first_leg"),),
    "clawback of activity": (per_lot("*=4"), spread("*=0.2", average="*=1.5")),
}  # fmt: skip
"""What an IB's plan is made of; the IBs above have the same with better factors."""


BY_NAME = pytest.mark.parametrize("name", PLANS)


def terms_of(name: str, *, gated: bool = False) -> list[Record]:
    """Two months, and three IBs on one plan: 1 time, 1.5 times and twice; the middle one in yen."""
    own = PlanDefined(
        plan_id="own",
        version=1,
        currency="USD",
        components=PLANS[name],
        kyc_gate=gated,
        clawback=Clawback(chargeback="activity" if name == "clawback of activity" else "cpa"),
    )
    factors = {"ib-north": "1", "ib-mid": "1.5", "ib-top": "2"}
    above = {"ib-north": ("USD", " ib-mid"), "ib-mid": ("JPY", " ib-top"), "ib-top": ("USD", "")}
    partners = [partner(f"{ib_id} {currency} own{master}") for ib_id, (currency, master) in above.items()]
    # A CPA stands at the rate of the time it was first known to be due: its rate is left alone here.
    later = [] if name == "cpa in stages" else [exchange("USD/JPY 160", day=25)]
    return [
        *SYMBOLS, period("2026-09"), period("2026-10"), exchange("USD/JPY 150", day=0),
        exchange("USD/JPY 150", day=30), *later, own,
        *(replace(p, schedule=(replace(p.schedule[0], factor=D(factors[p.ib_id])),)) for p in partners),
    ]  # fmt: skip


@st.composite
def facts(draw: st.DrawFn) -> list[list[Record]]:
    """Clients, deposits some of which are taken back in part, deals with revisions; by thread."""
    threads: list[list[Record]] = []
    for login, client in enumerate(CLIENTS, 1):
        ib_id = draw(st.sampled_from(("ib-north", "ib-north", "ib-mid")))
        threads += [[linked(f"{login} {client}")], [registered(f"{client} {ib_id}", day=1)]]
        if draw(st.booleans()):
            threads.append([kyc(f"{client} approved", day=draw(st.integers(1, 40)))])
        for number in range(draw(st.integers(0, 2))):
            money = f"{client} {client}-{number} {draw(st.sampled_from((50, 150, 300)))} USD"
            day = draw(st.integers(1, 20))
            threads.append([deposit(money, day=day, hour=draw(st.integers(0, 23)))])
            for part in range(draw(st.integers(0, 2))):
                amount = draw(st.sampled_from(("20", "33.33", None)))
                threads.append([taken(f"{client} {client}-{number}", part, amount, day=day + 5 + part)])
    for number in range(draw(st.integers(1, 7))):
        threads.append(draw(revisions(number)))
    return threads


def taken(text: str, part: int, amount: str | None, *, day: int) -> ChargebackReceived:
    """A part of a deposit taken back, or all of it."""
    whole = chargeback(text, day=day)
    return replace(whole, event_id=f"{whole.event_id} {part}", amount=D(amount) if amount else None)


@st.composite
def revisions(draw: st.DrawFn, number: int) -> list[Record]:
    """A deal, and perhaps a change of it or its end."""
    lots = draw(st.integers(1, 60))
    entry = draw(st.sampled_from(("in", "out", "out", "out_by")))
    name = draw(st.sampled_from(("EURUSD", "EURUSD", "XAUUSD")))
    first = deal(
        f"{number} {draw(st.sampled_from(('buy', 'sell')))} {D(lots) / 10} {name} {entry}",
        day=draw(st.integers(1, 55)),
        login=draw(st.integers(1, 3)),
        commission=D(draw(st.integers(-30, 0))),
        profit=D(draw(st.integers(-300, 300))),
        bid=D("1.1"),
        ask=D("1.1001"),
    )
    newer = draw(st.sampled_from(("none", "none", "none", "changed", "cancelled")))
    if newer == "changed":
        return [first, replace(first, revision="b", volume_e8=first.volume_e8 * 2)]
    if newer == "cancelled":
        return [first, replace(first, revision="b", kind="cancelled")]
    return [first]


def in_order(threads: list[list[Record]]) -> list[Record]:
    return [record for thread in threads for record in thread]
