"""Shares of what a client was charged: on openings too, and less what was refunded."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal
from commission.terms.components import CommissionShare, Component, Rebate, RevenueShare
from commission.terms.plans import Budget, PlanDefined
from commission.terms.rates import Band, Caps, Override, Tiers, When
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    deal,
    ended,
    kyc,
    partner,
    per_lot,
    period,
    plan,
    rates,
    run,
    symbol,
)
from tests.commission.explanations import why

NORTH, MASTER = "ib:ib-north:pending", "ib:ib-master:pending"
HALF = CommissionShare(name="c", rates=rates("*=0.5"))
CHARGED = deal("1 buy 1 EURUSD in", day=3, commission=D(-20))
REFUNDED = deal("2 sell 1 EURUSD out", day=4, commission=D(20))
MONTHS = (period("2026-09"), period("2026-10"))


def owed(*records: object, component: Component = HALF, own: PlanDefined | None = None) -> dict[str, str]:
    """What is owed of ib-north alone by one component."""
    return said(*records, component=component, own=own).owed


def said(*records: object, component: Component = HALF, own: PlanDefined | None = None) -> Told:
    """All that is said."""
    terms = (*SYMBOLS, *MONTHS, own or plan("own USD", component), partner("ib-north USD own"))
    return run(*ANNA, *records, terms=terms)  # type: ignore[arg-type] # records of any kind


# What counts


def test_what_is_charged_on_an_opening_is_shared() -> None:
    """7 on the opening, 5 on the closing: half of 12 is 6; with `entry: out` half of 5."""
    deals = (replace(CHARGED, commission=D(-7)), replace(REFUNDED, commission=D(-5)))
    assert {NORTH: "6.00 USD"} == owed(*deals)
    assert {NORTH: "2.50 USD"} == owed(*deals, component=replace(HALF, entry="out"))


def test_what_is_charged_on_the_legs_of_a_close_by_is_shared() -> None:
    """MT5 writes the commission of both legs on the first: half of 4."""
    legs = (
        deal("3 sell 1 EURUSD out_by", day=5, commission=D(-4), position_id="a"),
        deal("4 buy 1 EURUSD out_by", day=5, position_id="b"),
    )
    assert {NORTH: "2.00 USD"} == owed(*legs)


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, "5.00 USD"),  # (7 + 3) / 2
        ({"commission_entry": "as_entry"}, "1.50 USD"),  # 3 / 2
        ({"terms": ("commission", "client_result")}, "10.00 USD"),  # (7 + 3 + 10 lost at the closing) / 2
        ({"terms": ("client_result",)}, "5.00 USD"),  # 10 / 2
    ],
)
def test_a_share_of_revenue_counts_the_commission_of_openings(fields: dict[str, object], due: str) -> None:
    """The other terms of revenue count where `entry` says, so that a spread counts once a round turn."""
    component = replace(RevenueShare(name="r", rates=rates("*=0.5"), terms=("commission",)), **fields)
    deals = (
        replace(CHARGED, commission=D(-7), profit=D(-1000)),
        replace(REFUNDED, commission=D(-3), profit=D(-10)),
    )
    assert {"ib:ib-north:payable": due} == owed(*deals, ended("2026-09"), component=component)


def test_an_opening_without_commission_is_no_revenue() -> None:
    """It is turned down as before: the component pays on closings."""
    component = RevenueShare(name="r", rates=rates("*=0.5"), terms=("commission",))
    found = said(replace(CHARGED, commission=D(0)), component=component)
    assert {"1": "rejected entry_not_paid"} == found.reasons


# Refunds


def test_a_refunded_commission_leaves_nothing() -> None:
    """20 charged and 20 refunded on another deal: half of 0, whichever is told first."""
    for deals in ((CHARGED, REFUNDED), (REFUNDED, CHARGED)):
        assert {} == owed(*deals)
    assert {NORTH: "7.50 USD"} == owed(CHARGED, replace(REFUNDED, commission=D(5)))


def test_a_refund_says_what_it_takes_back() -> None:
    """The 10 of the charge, though the refund is on another position."""
    found = said(CHARGED, REFUNDED)
    back = found.transfers[-1]
    assert ("reversal", NORTH, "broker:expense:commission_share") == (back.code, back.debit, back.credit)
    assert (D(10), "10.00000000") == (back.amount, str(back.factors["refunded"]))
    told = why(found, "reversal", *ANNA, CHARGED, REFUNDED, plan("own USD", HALF))
    assert "10.00 USD was taken back from ib-north" == told.headline


def charge(text: str, amount: str, day: int) -> Deal:
    """A daily commission deal: below 0 charged, above 0 refunded."""
    return deal(
        f"{text} buy 0 - in",
        day=day,
        kind="commission",
        side=None,
        entry=None,
        symbol="",
        profit=D(amount),
        position_id="",
    )


def test_a_refunded_daily_charge_leaves_nothing() -> None:
    """20 of a day's charge, shared by gold and euros, refunded by the same volumes although new ones came.

    1 lot of each was traded: 10 x 0.5 + 10 x 0.1 = 6; the refund of 20 is -6. Then 2 lots of gold alone are
    charged with 8: 8 x 0.1 = 0.80.
    """
    component = CommissionShare(name="c", rates=rates("EURUSD=0.5 XAUUSD=0.1"), charges=True)
    first = (deal("1 sell 1 EURUSD out"), deal("2 sell 1 XAUUSD out"), charge("8", "-20", 4))
    assert {NORTH: "6.00 USD"} == owed(*first, component=component)
    later = (*first, deal("3 sell 2 XAUUSD out", day=5), charge("9", "20", 6))
    assert {} == owed(*later, component=component)
    assert {NORTH: "0.80 USD"} == owed(*later, charge("10", "-8", 7), component=component)


def test_a_refund_is_cancelled_like_any_deal() -> None:
    """Without it half of 20 stands again: the refund's own 10 come back, once."""
    gone = replace(REFUNDED, kind="cancelled", revision="b")
    assert {NORTH: "10.00 USD"} == owed(CHARGED, REFUNDED, gone, gone)
    edited = replace(REFUNDED, commission=D(8), revision="b")
    assert {NORTH: "6.00 USD"} == owed(CHARGED, REFUNDED, edited)  # (20 - 8) / 2


def test_a_refund_within_a_cap_takes_back_what_was_paid() -> None:
    """Half of 20 is capped at 4: the refund of all of it takes back 4."""
    component = replace(HALF, caps=Caps(per_deal=D(4)))
    assert {NORTH: "4.00 USD"} == owed(CHARGED, component=component)
    assert {} == owed(CHARGED, REFUNDED, component=component)


def test_a_condition_on_charged_deals_holds_for_refunds() -> None:
    """What was paid as charged is taken back as such."""
    assert {} == owed(CHARGED, REFUNDED, component=replace(HALF, when=When(charged=True)))


@pytest.mark.parametrize(
    "override",
    [
        Override(),
        Override(mode="absolute", levels=(rates("*=0.1"),)),
        Override(mode="cascade", pass_up=(D("0.3"),)),
        Override(mode="cascade", pass_up=(D("0.1"),), pass_unit="rate"),  # noqa: S106 — no password
        Override(mode="split", shares=(D("0.7"), D("0.3"))),
    ],
)
def test_a_refund_is_shared_as_its_charge_was(override: Override) -> None:
    """Whatever the mode, nobody keeps or owes anything once all is refunded."""
    component = replace(HALF, override=override)
    terms = (
        *SYMBOLS,
        plan("own USD", component),
        plan("more USD", replace(component, rates=rates("*=0.6"))),
        partner("ib-master USD more"),
        partner("ib-north USD own ib-master"),
    )
    before, after = run(*ANNA, CHARGED, terms=terms), run(*ANNA, CHARGED, REFUNDED, terms=terms)
    assert {NORTH, MASTER} == before.owed.keys()
    assert {} == after.owed


def test_a_refund_takes_its_share_of_a_rebate_back() -> None:
    """Half of 20 is 10, a fifth of it the client's, paid by the IB: after the refund all are at 0."""
    back = Rebate(name="b", unit="share", rates=rates("*=0.2"), funded_by="ib", entry="both")
    own = plan("own USD", HALF, back)
    assert {NORTH: "8.00 USD", "client:anna:rebate": "2.00 USD"} == owed(CHARGED, own=own)
    assert {} == owed(CHARGED, REFUNDED, own=own)


def test_a_refund_within_a_budget_takes_back_what_was_paid() -> None:
    """Half of 20 within a quarter of it: 5 are paid, and 5 taken back. Beside other pay nothing is cut up."""
    limited = replace(plan("own USD", HALF), budget=Budget(share=D("0.25"), revenue=("commission",)))
    assert {NORTH: "5.00 USD"} == owed(CHARGED, own=limited)
    assert {} == owed(CHARGED, REFUNDED, own=limited)
    ample = replace(limited, budget=Budget(share=D("0.75"), revenue=("commission",)))
    assert {} == owed(CHARGED, REFUNDED, own=ample)


def test_a_held_refund_waits_with_its_charge() -> None:
    """Behind a KYC gate 10 - 10 are held, and nothing is left to approve; a refund alone takes nothing."""
    gated = plan("own USD", HALF, kyc_gate=True)
    assert {} == owed(CHARGED, REFUNDED, own=gated)
    assert {} == owed(CHARGED, REFUNDED, kyc("anna approved", day=9), own=gated)
    assert {} == owed(REFUNDED, kyc("anna approved", day=9), own=gated)


# A refund on a closing is of what was charged on the openings it closes

PAID_BACK = deal("2 sell 1 EURUSD out", day=4, position_id="of-1", commission=D(20))


@pytest.mark.parametrize("payer", ["ib", "broker"])
@pytest.mark.parametrize("rebate", ["in", "out", "both"])
@pytest.mark.parametrize("share", ["in", "out", "both"])
def test_a_refund_on_the_closing_takes_back_what_its_opening_was_paid(
    share: Any, rebate: Any, payer: Any
) -> None:
    """20 charged on the opening, 20 refunded on its closing, in either order: 0 is left, whatever paid it.

    Half of 12 is 6 where the opening pays it, a fifth of that the client's: 8 of 20 are refunded.
    """
    back = Rebate(name="b", unit="share", rates=rates("*=0.2"), funded_by=payer, entry=rebate)
    own = plan("own USD", replace(HALF, entry=share), back)
    for deals in ((CHARGED, PAID_BACK), (PAID_BACK, CHARGED)):
        assert {} == owed(*deals, own=own)
    ib, client = (D(0) if share == "out" else D(6)), D("1.2") * (share != "out" and rebate != "out")
    wanted = {NORTH: ib - client * (payer == "ib"), "client:anna:rebate": client}
    found = owed(CHARGED, replace(PAID_BACK, commission=D(8)), own=own)
    assert found == {account: f"{amount:.2f} USD" for account, amount in wanted.items() if amount}


def test_each_closing_refunds_its_part_of_the_charge() -> None:
    """Of 20 for 2 lots, 10 a closing: 10 - 5 after the first; also of an opening told late or edited."""
    component = replace(HALF, entry="in")
    opened = replace(CHARGED, volume_e8=2 * CHARGED.volume_e8)
    closed = replace(PAID_BACK, commission=D(10))
    rest = replace(closed, deal_id="3", occurred_at=at(5))
    assert {NORTH: "5.00 USD"} == owed(opened, closed, component=component)
    for deals in permutations((opened, closed, rest)):
        assert {} == owed(*deals, component=component)
    less = replace(
        opened, commission=D(-16), revision="b"
    )  # 8 - 4 - 4; 2 + 2 of the refunds are of no opening
    assert {} == owed(opened, closed, rest, less, component=component)


def test_what_exceeds_the_charge_takes_nothing() -> None:
    """20 charged, 30 refunded: 10 are of no charge, whichever side is shared."""
    more = replace(PAID_BACK, commission=D(30))
    for entry in ("in", "out"):
        found = said(CHARGED, more, component=replace(HALF, entry=entry))
        assert ({}, "rejected refund_unknown") == (found.owed, found.reasons["2"])


def test_a_refund_beside_other_pay_takes_only_its_own() -> None:
    """5 a lot closed beside a share of openings: 10 + 5 - 10; the rebate, a fifth, 2 - 2 and of the 5: 1."""
    back = Rebate(name="b", unit="share", rates=rates("*=0.2"), entry="both")
    own = plan("own USD", replace(HALF, entry="in"), per_lot("*=5"), back)
    assert {NORTH: "5.00 USD", "client:anna:rebate": "1.00 USD"} == owed(CHARGED, PAID_BACK, own=own)


def test_a_refund_waits_for_a_rate_as_its_charge_does() -> None:
    """The IB is settled in yen: no rate of exchange is known, nothing is paid or taken in part."""
    own = plan("own USD", replace(HALF, entry="in"), per_lot("*=5"))
    terms = (*SYMBOLS, own, partner("ib-north JPY own"))
    said = run(*ANNA, CHARGED, PAID_BACK, terms=terms)
    assert {"1": "waiting no_rate", "2": "waiting no_rate"} == said.reasons


def test_a_position_that_was_rescaled_keeps_what_it_was_charged() -> None:
    """1 lot for 20 is 10 lots after a split in ten: 5 of them closed with 10 refunded leave half."""
    split = symbol("EURUSD forex 10000 USD 0.0001", since=at(4), rescale=D(10))
    component = replace(HALF, entry="in")
    terms = (*SYMBOLS, split, plan("own USD", component), partner("ib-north USD own"))
    closed = replace(PAID_BACK, occurred_at=at(5), volume_e8=5 * CHARGED.volume_e8, commission=D(10))
    assert {NORTH: "5.00 USD"} == run(*ANNA, CHARGED, closed, terms=terms).owed


@pytest.mark.parametrize(
    ("by", "share", "due"),
    [
        ("lots", "both", "12.00 USD"),  # 1 lot opened and 1 closed reach the band: 10 - 4, twice
        ("lots", "in", "6.00 USD"),  # 1 lot opened
        ("count", "in", "6.00 USD"),  # and one deal: the refund is not another
    ],
)
def test_a_refund_of_an_opening_counts_for_a_tier_as_money_alone(by: Any, share: Any, due: str) -> None:
    """Twice from two lots or deals on; 20 charged, 8 refunded."""
    double = Tiers(by=by, mode="slab", bands=(Band(start=D(2), factor=D(2)),))
    back = Rebate(name="b", unit="share", rates=rates("*=0.2"))
    own = plan("own USD", replace(HALF, entry=share, tiers=double), back)
    deals = (CHARGED, replace(PAID_BACK, commission=D(8)))
    assert {"ib:ib-north:payable": due} == owed(*deals, ended("2026-09"), own=own)
