"""Rules found in the wild, each worked out by hand: what one deal pays, to whom, or why nobody."""

from decimal import Decimal

import pytest

from commission.terms.plans import PlanDefined
from tests.build import (
    ANNA,
    SYMBOLS,
    TERMS,
    D,
    Told,
    deal,
    exchange,
    partner,
    per_lot,
    plan,
    run,
    spread,
    symbol,
)


def paid(text: str, *components: object, currency: str = "USD", **fields: object) -> dict[str, str]:
    """What ib-north alone, with these components, is owed for one deal."""
    own = PlanDefined(plan_id="own", version=1, currency=currency, components=components, kyc_gate=False)  # type: ignore[arg-type]
    terms = (*SYMBOLS, own, partner("ib-north USD own"))
    return run(*ANNA, deal(text, **fields), terms=terms).owed  # type: ignore[arg-type]


def rated(text: str, *components: object, **fields: object) -> Told:
    """All that is told of one deal when ib-north alone has these components."""
    terms = (*SYMBOLS, plan("own USD", *components), partner("ib-north USD own"))  # type: ignore[arg-type]
    return run(*ANNA, deal(text, **fields), terms=terms)  # type: ignore[arg-type]


NORTH = "ib:ib-north:pending"


# Rules in the wild


def test_half_of_the_measured_spread() -> None:
    """XNCE: (4581.39 - 4581.23) x 100 oz x 1 lot x 50 % = 0.16 x 100 x 0.5 = 8."""
    quote = {"bid": D("4581.23"), "ask": D("4581.39")}
    assert paid("1 buy 1 XAUUSD out", spread("*=0.5"), **quote) == {NORTH: "8.00 USD"}


@pytest.mark.parametrize(
    ("share", "ask", "owed"),
    [
        # 10 points are 0.00010; x 100,000 = 10 USD a lot; 37 % = 3.70
        ("0.37", "1.10010", "3.70 USD"),
        # 46 points are 46 USD a lot, but only 35 count; 40 % of 35 = 14
        ("0.40", "1.10046", "14.00 USD"),
        # exactly the cap
        ("0.40", "1.10035", "14.00 USD"),
    ],
)
def test_a_share_of_the_spread_up_to_35_points(share: str, ask: str, owed: str) -> None:
    """IUX: a percentage of the spread in points, capped at 35 points = 3.5 pips."""
    quote = {"bid": D("1.10000"), "ask": D(ask)}
    assert {NORTH: owed} == paid("1 buy 1 EURUSD out", spread(f"*={share}", cap="3.5"), **quote)


@pytest.mark.parametrize(
    ("lots", "owed"),
    [
        # 10 points = 1 pip = 0.0001; x 1,000 units = 0.10
        ("1", "0.10 USD"),
        # a hundredth of it, below a cent, is kept
        ("0.01", "0.001 USD"),
    ],
)
def test_fixed_points_on_a_cent_account(lots: str, owed: str) -> None:
    """Fullerton: lots x points x tick size x contract size; without quotes, from the average."""
    assert {NORTH: owed} == paid(f"1 buy {lots} EURUSDc out", spread("*=1", average="EURUSD=1"))


def test_an_override_is_the_difference() -> None:
    """Track360: 7 above 5 earns 2; the two together are the larger rate."""
    owed = run(*ANNA, deal("1 buy 1 EURUSD out")).owed
    assert owed == {"ib:ib-master:pending": "2.00 USD", NORTH: "5.00 USD"}


def test_an_upline_that_pays_less_earns_nothing() -> None:
    """5 above 7 is no override; the one above both earns what it pays above the best of them."""
    plans = (plan("p7 USD", per_lot("*=7")), plan("p5 USD", per_lot("*=5")), plan("p8 USD", per_lot("*=8")))
    tree = (partner("ib-north USD p7 ib-mid"), partner("ib-mid USD p5 ib-top"), partner("ib-top USD p8"))
    told = run(*ANNA, deal("1 buy 1 EURUSD out"), terms=(*SYMBOLS, *plans, *tree))
    assert told.owed == {NORTH: "7.00 USD", "ib:ib-top:pending": "1.00 USD"}
    assert [(row.ib_id, row.depth) for row in told.transfers] == [("ib-north", 0), ("ib-top", 2)]
    assert {("ib-north", "ib-mid", "ib-top")} == {row.path for row in told.transfers}


@pytest.mark.parametrize(("name", "owed"), [("EURUSD", "6.00 USD"), ("UKOIL", "2.00 USD")])
def test_a_group_of_symbols_has_its_own_rate(name: str, owed: str) -> None:
    """UpTrader: 3 a lot, except energies 1 a lot; 2 lots are 6 and 2."""
    terms = (
        *SYMBOLS,
        symbol("UKOIL energies 1000 USD 0.01"),
        plan("own USD", per_lot("class:energies=1 *=3")),
        partner("ib-north USD own"),
    )
    assert {NORTH: owed} == run(*ANNA, deal(f"1 buy 2 {name} out"), terms=terms).owed


# Lots, entries, contract sizes


@pytest.mark.parametrize(
    ("fields", "owed"),
    [
        # 1 lot of 1,000 is 0.01 standard lots of 100,000; x 7 = 0.07
        ({}, "0.07 USD"),
        # the deal's own contract size counts, not the table's: 10,000 is 0.1 standard lots
        ({"contract_size": D(10_000)}, "0.70 USD"),
    ],
)
def test_a_cent_lot_is_a_hundredth_of_a_standard_lot(fields: dict[str, Decimal], owed: str) -> None:
    """Standardised lots are counted in the canonical symbol's contract size."""
    assert {NORTH: owed} == paid("1 buy 1 EURUSDc out", per_lot("*=7"), **fields)


def test_plain_lots_ignore_the_contract_size() -> None:
    """Without standardisation a cent lot is a lot."""
    assert paid("1 buy 1 EURUSDc out", per_lot("*=7", standardised=False)) == {NORTH: "7.00 USD"}


@pytest.mark.parametrize(
    ("paid_on", "entry", "owed"),
    [
        ("in", "in", "3.00 USD"),
        ("in", "out", None),
        ("in", "out_by", None),
        ("out", "in", None),
        ("out", "out", "3.00 USD"),
        ("out", "out_by", "3.00 USD"),
        ("both", "in", "3.00 USD"),
        ("both", "out", "3.00 USD"),
        # MT5: ALL charges nothing at close-by, both legs were charged when they were opened
        ("both", "out_by", None),
    ],
)
def test_the_entry_chooses_the_volume(paid_on: str, entry: str, owed: str | None) -> None:
    """1.5 lots at 2 = 3 on the side that is paid; the other is rejected with its reason."""
    told = rated(f"1 buy 1.5 EURUSD {entry}", per_lot("*=2", entry=paid_on))
    assert ({NORTH: owed} if owed else {}) == told.owed
    assert ({} if owed else {"1": "rejected entry_not_paid"}) == told.reasons


def test_every_leg_of_a_close_by_pays_on_out() -> None:
    """Two legs of 1 lot at 1: together 2, as MT5 charges in one sum."""
    terms = (*SYMBOLS, plan("own USD", per_lot("*=1")), partner("ib-north USD own"))
    legs = (deal("1 sell 1 EURUSD out_by"), deal("2 buy 1 EURUSD out_by"))
    assert run(*ANNA, *legs, terms=terms).owed == {NORTH: "2.00 USD"}


# Several components


def test_components_of_two_kinds_pay_beside_each_other() -> None:
    """5 a lot and 10 % of a spread of 2 USD: 5 + 0.20; each kind is its own row."""
    quote = {"bid": D("1.10000"), "ask": D("1.10002")}
    told = rated("1 buy 1 EURUSD out", per_lot("*=5"), spread("*=0.1"), **quote)
    assert told.owed == {NORTH: "5.20 USD"}
    assert [row.component for row in told.transfers] == ["per_lot", "spread_share"]


def test_components_of_one_kind_are_one_amount() -> None:
    """3 on opening and 2 on closing are two components of one kind; a closing deal pays the second."""
    both = (
        per_lot("*=3", name="open", entry="in"),
        per_lot("*=2", name="close"),
        per_lot("EURUSD=1", name="more"),
    )
    told = rated("1 buy 1 EURUSD out", *both)
    assert told.owed == {NORTH: "3.00 USD"}
    assert [row.rule for row in told.transfers] == ["close/* + more/EURUSD"]


def test_what_an_upline_lacks_is_no_obstacle() -> None:
    """The direct IB has no plan; the master earns its whole rate."""
    terms = (*SYMBOLS, plan("own USD", per_lot("*=7")), partner("ib-north USD"), partner("ib-top USD own"))
    north = partner("ib-north JPY", parents=partner("x USD none ib-top").parents)
    assert run(*ANNA, deal("1 buy 1 EURUSD out"), terms=(*terms, north)).owed == {
        "ib:ib-top:pending": "7.00 USD"
    }


# Currencies


def test_a_spread_in_yen_is_converted_at_the_rate_of_the_deal() -> None:
    """1 lot USDJPY, spread 0.02 x 100,000 = 2,000 JPY; half is 1,000; at 150 that is 6.66666667 USD."""
    terms = (*SYMBOLS, plan("own USD", spread("*=0.5")), partner("ib-north USD own"))
    rate_after = exchange("USD/JPY 100", day=4)
    quote = {"bid": D("150.00"), "ask": D("150.02")}
    told = run(*ANNA, exchange("USD/JPY 150"), rate_after, deal("1 buy 1 USDJPY out", **quote), terms=terms)
    assert told.owed == {NORTH: "6.66666667 USD"}
    assert told.transfers[0].factors["exchange"] == "1 / USD/JPY 150 (2026-09-01)"


def test_an_ib_is_paid_in_its_own_currency() -> None:
    """7 USD a lot for an IB in yen at 150: 1,050 JPY; its master in dollars earns 8 - 7 = 1."""
    plans = (plan("p7 USD", per_lot("*=7")), plan("p8 USD", per_lot("*=8")))
    terms = (
        *SYMBOLS,
        *plans,
        partner("ib-north JPY p7 ib-top"),
        partner("ib-top USD p8"),
        exchange("USD/JPY 150"),
    )
    owed = run(*ANNA, deal("1 buy 1 EURUSD out"), terms=terms).owed
    # 1050 JPY back at 1/150 is 7 USD again, to 8 decimals
    assert owed == {NORTH: "1050 JPY", "ib:ib-top:pending": "1.00 USD"}


def test_an_old_rate_is_no_rate() -> None:
    """31 days are the limit: on day 32 the rate of day 1 still counts, on day 33 the deal waits."""
    terms = (
        *TERMS,
        plan("silver JPY", per_lot("*=300")),
        plan("gold USD", per_lot("*=7")),
        exchange("USD/JPY 150"),
    )
    told = run(*ANNA, deal("1 buy 1 EURUSD out", day=32), deal("2 buy 1 EURUSD out", day=33), terms=terms)
    assert told.reasons == {"2": "waiting no_rate"}
    # 300 JPY at 150 are 2 USD for the direct IB, 5 of the 7 remain for the master
    assert told.owed == {"ib:ib-master:pending": "5.00 USD", NORTH: "2.00 USD"}


# Nothing to pay


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"volume_e8": 0}, "zero_volume"),
        ({"is_service": True, "reason": "rollover"}, "service_deal"),
        ({"kind": "balance"}, "not_a_trade"),
        ({"kind": "agent"}, "not_a_trade"),
        ({"kind": "cancelled"}, "cancelled"),
        ({"kind": "deleted"}, "deleted"),
        ({"side": None}, "incomplete_deal"),
        ({"entry": None}, "incomplete_deal"),
        ({"entry": "inout"}, "position_unknown"),
        ({"entry": "inout", "volume_closed_e8": 2 * 10**8}, "incomplete_deal"),
        ({"entry": "inout", "volume_closed_e8": -1}, "incomplete_deal"),
    ],
)
def test_what_is_no_client_trade_pays_nothing(fields: dict[str, object], reason: str) -> None:
    """Cash operations, roll-overs, empty legs and impossible volumes are rejected by name."""
    told = run(*ANNA, deal("1 buy 1 EURUSD out", **fields))
    assert {"1": f"rejected {reason}"} == told.reasons
    assert told.transfers == []


def test_a_rate_of_nothing_is_told_as_such() -> None:
    """A rate of 0, or a spread of 0 on a raw account, is not `no plan`."""
    assert rated("1 buy 1 EURUSD out", per_lot("*=0")).reasons == {"1": "rejected nothing_due"}
    quote = {"bid": D("1.1"), "ask": D("1.1")}
    assert rated("1 buy 1 EURUSD out", spread("*=1"), **quote).reasons == {"1": "rejected nothing_due"}


def test_other_reasons_have_their_codes() -> None:
    """A symbol no rate names, an IB without a plan, a client without an IB, a spread nobody knows."""
    assert rated("1 buy 1 EURUSD out", per_lot("XAU*=1")).reasons == {"1": "rejected symbol_not_covered"}
    assert rated("1 buy 1 EURUSD out", spread("*=1")).reasons == {"1": "waiting spread_unknown"}
    idle = run(*ANNA, deal("1 buy 1 EURUSD out"), terms=(*SYMBOLS, partner("ib-north USD")))
    assert idle.reasons == {"1": "rejected no_plan"}
    alone = run(
        ANNA[0],
        ANNA[1].__class__(event_id="r", client_id="anna", occurred_at=ANNA[1].occurred_at),
        deal("1 buy 1 EURUSD out"),
    )
    assert alone.reasons == {"1": "rejected no_ib"}


def test_a_row_says_how_its_amount_was_made() -> None:
    """Lots, sizes, rate, own amount, best below: in the order they were applied."""
    told = run(*ANNA, deal("1 buy 50 EURUSDc out"))
    master = next(row for row in told.transfers if row.ib_id == "ib-master")
    assert {name: D(number) for name, number in master.factors.items()} == {
        "lots": D(50),
        "contract_size": D(1000),
        "standard_contract_size": D(100_000),
        "rate": D(7),
        "own": D("3.5"),
        "below": D("2.5"),
    }
    assert ("gold", 1, "lots/class:forex", "EURUSD", D("0.5")) == (
        master.plan_id,
        master.plan_version,
        master.rule,
        master.symbol,
        master.lots,
    )
