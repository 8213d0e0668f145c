"""What a period brings beyond its accruals: each a small ledger worked out by hand.

Anna and others are clients of ib-north, and one lot of EURUSD pays 5 unless a test says otherwise.
Day 3 is 3 September 2026, a Thursday; day 31 is the first of October, day 62 that of November.
"""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import WithdrawalPaid
from commission.outputs import Tally
from commission.partner.buckets import ComponentPeriods, with_tally
from commission.partner.settlement import Version, due
from commission.sums import Sums, total
from commission.terms.catalog import Terms
from commission.terms.components import CohortBonus, CpaAmount, Cpl, DepositShare, Pips, RevenueShare
from commission.terms.rates import Band, Caps, Tiers
from schemas.wire import Record
from tests.build import (
    D,
    at,
    chargeback,
    deal,
    deposit,
    exchange,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
)
from tests.commission.worlds import NORTH, tiers, world

LATER = (period("2026-11"), period("2026-12"))
CLIENTS = ("anna", "ben", "carl", "dora", "emil")
PEOPLE = tuple(
    record
    for login, client in enumerate(CLIENTS, 1)
    for record in (linked(f"{login} {client}"), registered(f"{client} ib-north"))
)


def lots(number: str, *, day: int, login: int = 1, **fields: Any) -> Record:
    """A deal that closes lots of EURUSD."""
    return deal(f"{number}-{day}-{login} buy {number} EURUSD out", day=day, login=login, **fields)


def paid(*records: Record, terms: tuple[Record, ...]) -> str:
    """What ib-north is owed for the records, in whatever order they come."""
    (owed,) = {
        run(*PEOPLE, *order, terms=terms).owed.get(NORTH, "0.00 USD") for order in (records, records[::-1])
    }
    return owed


# Conditions over many clients


@pytest.mark.parametrize(
    ("clients", "deposits", "owed"),
    [
        (1, 0, None),
        (1, 1, "10.00 USD"),
        (2, 0, None),
        (2, 1, "20.00 USD"),  # exactly half of them
        (3, 1, None),
        (3, 2, "30.00 USD"),
    ],
)
def test_leads_are_paid_from_a_rate_of_deposits_on(clients: int, deposits: int, owed: str | None) -> None:
    """10 for each registration, if half of the clients have deposited; taken back, none has."""
    cpl = Cpl(name="leads", amounts=(CpaAmount(amount=D(10)),), kyc=False, min_ftd_rate=D("0.5"))
    people = PEOPLE[: 2 * clients]
    paid_in = [deposit(f"{client} {client} 10 USD", day=2) for client in CLIENTS[:deposits]]
    expected = {} if owed is None else {NORTH: owed}
    assert expected == run(*people, *paid_in, terms=world(cpl)).owed
    back = [chargeback(f"{client} {client}", day=4) for client in CLIENTS[:deposits]]
    assert {} == run(*people, *paid_in, *back, terms=world(cpl)).owed


@pytest.mark.parametrize(
    ("volumes", "owed"),
    [
        (("2",), None),
        (("2", "1.99"), None),
        (("2", "2"), "100.00 USD"),  # exactly two clients of exactly two lots
        (("2", "2", "2"), "100.00 USD"),
        (("2", "2", "2", "2"), "200.00 USD"),
    ],
)
def test_a_cohort_is_paid_whole(volumes: tuple[str, ...], owed: str | None) -> None:
    """100 for every two clients who close two lots each; in yen 15,000 at 150."""
    bonus = CohortBonus(name="cohort", amount=D(100), clients=2, min_lots=D(2))
    deals = [lots(volume, day=3, login=login) for login, volume in enumerate(volumes, 1)]
    assert run(*PEOPLE, *deals, terms=world(bonus)).owed == ({} if owed is None else {NORTH: owed})
    yen = (*world(bonus), partner("ib-north JPY own"))
    assert {} == run(*PEOPLE, *deals, terms=yen).owed
    amount = None if owed is None else f"{int(D(owed.split()[0])) * 150} JPY"
    found = run(*PEOPLE, *deals, exchange("USD/JPY 150", day=2), terms=yen)
    assert found.owed == ({} if amount is None else {NORTH: amount})


def test_a_cohort_counts_a_period() -> None:
    """One lot in September and one in October are not two of either."""
    bonus = CohortBonus(name="cohort", amount=D(100), clients=1, min_lots=D(2))
    assert paid(lots("1", day=3), lots("1", day=33), terms=world(bonus)) == "0.00 USD"
    assert paid(lots("1", day=3), lots("1", day=4), terms=world(bonus)) == "100.00 USD"


# Caps


@pytest.mark.parametrize(
    ("caps", "owed"),
    [
        # Thursday 3: 10, Friday 4: 20, Monday 7: 30; 60 in all
        ({"per_day": D(15)}, "40.00 USD"),  # 10 + 15 + 15
        ({"per_week": D(25)}, "50.00 USD"),  # 30 is 25, and 30 is 25
        ({"per_period": D(55)}, "55.00 USD"),
        ({"per_day": D(15), "per_week": D(20)}, "35.00 USD"),  # 25 is 20, and 15
        ({"per_day": D(15), "per_week": D(20), "per_period": D(33)}, "33.00 USD"),
        ({"per_day": D(30), "per_week": D(30), "per_period": D(60)}, "60.00 USD"),
    ],
)
def test_caps_by_day_week_and_period(caps: dict[str, Any], owed: str) -> None:
    """Each bounds what the one before leaves."""
    deals = (lots("2", day=3), lots("4", day=4), lots("6", day=7))
    assert paid(*deals, terms=world(per_lot("*=5", caps=Caps(**caps)))) == owed


def test_a_cap_of_a_period_is_one_of_each() -> None:
    """At most 15 in September and in October."""
    terms = world(per_lot("*=5", caps=Caps(per_period=D(15))))
    assert paid(lots("4", day=3), lots("4", day=33), terms=terms) == "30.00 USD"
    assert paid(lots("4", day=3), lots("2", day=33), terms=terms) == "25.00 USD"


def test_a_capped_row_tells_what_was_cut() -> None:
    """20 cut to 15, and no word of caps where nothing is cut."""
    terms = world(per_lot("*=5", caps=Caps(per_day=D(15))))
    rows = [row for row in run(*PEOPLE, lots("4", day=3), terms=terms).transfers if row.code == "true_up"]
    assert [(D(row.factors["before_caps"]), D(row.factors["capped"])) for row in rows] == [(20, 15)]
    tiered = world(per_lot("*=5", tiers=tiers(("4", "2")), caps=Caps(per_day=D(40))))
    (row,) = [row for row in run(*PEOPLE, lots("4", day=3), terms=tiered).transfers if row.code == "true_up"]
    assert "capped" not in row.factors
    assert row.factors["band"] == "1"


# Bands


@pytest.mark.parametrize(
    ("volume", "owed"),
    [
        ("1", "5.00 USD"),
        ("2", "10.00 USD"),  # all of it below the first band
        ("3", "20.00 USD"),  # 2 x 5 + 1 x 10
        ("4", "30.00 USD"),  # 2 x 5 + 2 x 10
        ("6", "60.00 USD"),  # 2 x 5 + 2 x 10 + 2 x 15
    ],
)
def test_graduated_bands(volume: str, owed: str) -> None:
    """Twice as much from 2 lots on, three times from 4 on, for what is above."""
    terms = world(per_lot("*=5", tiers=tiers(("2", "2"), ("4", "3"), mode="graduated")))
    assert paid(lots(volume, day=3), terms=terms) == owed
    (*_, row) = run(*PEOPLE, lots("6", day=3), terms=terms).transfers
    told = [D(row.factors[name]) for name in ("measure", "band_0", "band_1", "band_2")]
    assert told == [6, 2, 2, 2]


MIXED = per_lot(
    "EURUSD=5 XAUUSD=10",
    tiers=Tiers(by="lots", mode="graduated", bands=(Band(start=D(50), rates=rates("EURUSD=6 XAUUSD=14")),)),
)
"""From 50 lots on a dollar more for EURUSD, four for gold."""


@pytest.mark.parametrize(
    ("euros", "gold", "owed"),
    [
        (3, 9, "950.00 USD"),  # 50 x 5, then 50 x 14
        (9, 3, "800.00 USD"),  # 50 x 10, then 50 x 6
        (3, 3, "875.00 USD"),  # half of each: 25 x (5 + 6 + 10 + 14)
    ],
)
def test_graduated_bands_are_filled_day_by_day(euros: int, gold: int, owed: str) -> None:
    """50 lots of each; whichever is told first."""
    deals = deal("1 buy 50 EURUSD out", day=euros), deal("2 buy 50 XAUUSD out", day=gold)
    for order in permutations(deals):
        assert paid(*order, terms=world(MIXED)) == owed


def test_a_day_may_cross_a_graduated_band() -> None:
    """40 EURUSD; 20 gold, half of them below 50; 10 EURUSD: 200 + 100 + 140 + 60. Without them 200 + 50."""
    first, gold = deal("1 buy 40 EURUSD out", day=3), deal("2 buy 20 XAUUSD out", day=4)
    deals = (first, gold, deal("3 buy 10 EURUSD out", day=5))
    assert paid(*deals, terms=world(MIXED)) == "500.00 USD"
    gone = replace(first, revision="b", kind="cancelled")
    assert paid(*deals, gone, terms=world(MIXED)) == "250.00 USD"


def test_active_clients_are_counted_once() -> None:
    """Twice as much from two clients with a lot each: two halves of a lot are one, in both periods too."""
    active = tiers(("2", "2"), by="active_clients", active_min_lots=D(1))
    terms = world(per_lot("*=5", tiers=active))
    anna = (lots("0.5", day=3), lots("0.5", day=4))
    assert paid(*anna, lots("1", day=5, login=2), terms=terms) == "20.00 USD"
    assert paid(*anna, lots("0.9", day=5, login=2), terms=terms) == "9.50 USD"
    assert paid(*anna, lots("1", day=33, login=2), terms=terms) == "10.00 USD"


# Levels


def level(*bands: tuple[str, str], **fields: Any) -> Any:
    """5 a lot at a level."""
    return per_lot("*=5", tiers=tiers(*bands, mode="level", **fields))


def test_a_level_counts_from_the_next_day() -> None:
    """2 lots on day 3 reach it: 10; day 4 pays twice: 10, also the deal of its midnight."""
    terms = world(level(("2", "2")))
    assert paid(lots("2", day=3), terms=terms) == "10.00 USD"
    assert paid(lots("2", day=3), lots("1", day=4), terms=terms) == "20.00 USD"
    assert paid(lots("2", day=3), lots("1", day=3, hour=23), terms=terms) == "15.00 USD"
    assert paid(lots("1.9", day=3), lots("1", day=4), lots("1", day=5), terms=terms) == "24.50 USD"


def test_a_level_counts_from_the_next_period() -> None:
    """2 lots of September reach it for October: 20 and 10; it is lost for November."""
    terms = world(level(("2", "2"), promote="next_period", lookback_periods=1), extra=LATER)
    september = (lots("2", day=3), lots("2", day=4))
    assert paid(*september, terms=terms) == "20.00 USD"
    assert paid(*september, lots("1", day=33), terms=terms) == "30.00 USD"
    assert paid(*september, lots("1", day=33), lots("1", day=63), terms=terms) == "35.00 USD"
    assert paid(*september, lots("1", day=93), terms=terms) == "25.00 USD"


@pytest.mark.parametrize(
    ("lookback", "october", "november", "december"),
    [
        (0, "5", "5", "5"),  # every period begins at nothing
        (1, "10", "5", "5"),  # 3 lots of September; 1 of October, 1 of November
        (2, "10", "10", "5"),  # 3 and 1 of the last two; then 1 and 1 are 2
        (3, "10", "10", "10"),
    ],
)
def test_a_level_looks_back(lookback: int, october: str, november: str, december: str) -> None:
    """3 lots in September on one day, 1 in each month after it; twice as much from 3 lots on."""
    terms = world(level(("3", "2"), lookback_periods=lookback), extra=LATER)
    months = [lots("1", day=day) for day in (33, 63, 93)]
    amounts = [D(15), D(october), D(november), D(december)]
    assert paid(lots("3", day=3), *months, terms=terms) == f"{sum(amounts)}.00 USD"


@pytest.mark.parametrize(
    ("grace", "owed"),
    [
        (0, "50.00 USD"),  # 20 in September, 20 in October at the level, then 5 and 5
        (1, "55.00 USD"),  # one month below is forgiven
        (2, "60.00 USD"),
    ],
)
def test_a_level_is_kept_for_a_while(grace: int, owed: str) -> None:
    """4 lots in September reach the level for October; 2 then are too few for it to last."""
    terms = world(level(("4", "2"), lookback_periods=1, grace_periods=grace), extra=LATER)
    deals = (lots("4", day=3), lots("2", day=33), lots("1", day=63), lots("1", day=93))
    assert paid(*deals, terms=terms) == owed


def test_grace_begins_anew() -> None:
    """Below in November, forgiven; up again in December's window, and below once more in January."""
    terms = world(
        level(("4", "2"), lookback_periods=1, grace_periods=1),
        extra=(*LATER, period("2027-01"), period("2027-02")),
    )
    deals = [
        lots("4", day=3),  # level 0: 20
        lots("1", day=33),  # level 1: 10
        lots("4", day=63),  # below for the first time, forgiven: 40
        lots("1", day=93),  # 4 in November keep it: 10
        lots("1", day=124),  # below, the first time again: 10
        lots("1", day=155),  # below for the second time: 5
    ]
    assert paid(*deals, terms=terms) == "95.00 USD"


def test_a_level_rises_and_falls_by_steps() -> None:
    """3 bands at once: one step for the rest of September, from the first day of October the second."""
    bands = (("2", "2"), ("4", "3"), ("6", "4"))
    terms = world(level(*bands, lookback_periods=1, step=1), extra=(*LATER, period("2027-01")))
    deals = [
        lots("6", day=3),  # level 0: 30
        lots("1", day=4),  # one step: 10
        lots("1", day=33),  # 7 in September: the second step: 15
        lots("1", day=63),  # 1 in October: one step down to 1: 10
        lots("1", day=93),  # to 0: 5
    ]
    assert paid(*deals, terms=terms) == "70.00 USD"
    free = world(level(*bands, lookback_periods=1), extra=LATER)
    # 30, then at 3 at once: 20, 20 in October; 5 and 5 after it
    assert paid(*deals, terms=free) == "80.00 USD"


# Results with carry-over


def net(**fields: Any) -> RevenueShare:
    """Half of what the clients lose, net of what they win."""
    return RevenueShare(name="net", rates=rates("*=0.5"), terms=("client_result",), **fields)


def result(profit: int, *, day: int, login: int = 1) -> Record:
    """A deal by which the client wins; with a minus it loses."""
    return deal(f"{profit}-{day}-{login} buy 1 EURUSD out", day=day, login=login, profit=D(profit))


@pytest.mark.parametrize(
    ("fields", "owed"),
    [
        # Half of anna's -100, +80, -20 and of ben's +60, -10, -10 in September, October, November
        ({}, "20.00 USD"),  # 50 - 30; then -35; then 15 - 35 is below 0
        ({"carry_over": False}, "35.00 USD"),  # 20, 0, 15
        # anna 50, -40, 10 - 40; ben -30, 5 - 30, 5 - 25
        ({"scope": "client"}, "50.00 USD"),
        ({"scope": "client", "carry_over": False}, "70.00 USD"),  # 50, 10 and 5, 5
        ({"quarantine_below": D(100)}, "20.00 USD"),  # nobody is below that
        ({"quarantine_below": D(40)}, "20.00 USD"),  # -40 is not below it
        # anna apart from October on: 20; then ben's 5; then anna's 10 - 40, ben's 5
        ({"quarantine_below": D("39.99")}, "30.00 USD"),
        # ben apart from September on: 50, then anna's -40 and ben's 5 - 30, then both are below 0;
        # anna apart from October on
        ({"quarantine_below": D("29.99")}, "50.00 USD"),
        # who is apart carries in any case: 50; anna apart in October; then 10 - 40 and 5 - 25
        ({"quarantine_below": D("29.99"), "carry_over": False}, "50.00 USD"),
    ],
)
def test_a_result_is_carried(fields: dict[str, Any], owed: str) -> None:
    """For the IB as a whole, client by client, or for those whose loss is kept apart."""
    deals = (
        *(result(profit, day=day) for profit, day in ((-100, 3), (80, 33), (-20, 63))),
        *(result(profit, day=day, login=2) for profit, day in ((60, 4), (-10, 34), (-10, 64))),
    )
    assert paid(*deals, terms=world(net(**fields), extra=LATER)) == owed


def test_a_quarantine_in_another_currency_waits_for_its_rate() -> None:
    """40 USD are 6,000 yen at 150. Anna wins 80: half of it, 6,000 yen, is not below that; 81 are."""
    for profit, owed in ((80, "9000 JPY"), (82, "15000 JPY")):
        deals = (result(profit, day=3), result(-200, day=4, login=2))
        terms = (*world(net(quarantine_below=D(40))), partner("ib-north JPY own"), exchange("USD/JPY 150"))
        # half of 200 are 15,000 yen, less the 6,000 unless anna is apart
        assert run(*PEOPLE, *deals, terms=terms).owed == {NORTH: owed}


@pytest.mark.parametrize(
    ("by", "start", "too_high"),
    [("lots", "2", "2.1"), ("count", "2", "3"), ("amount", "10", "10.01"), ("notional", "220000", "220001")],
)
def test_a_level_by_each_measure(by: Any, start: str, too_high: str) -> None:
    """A lot on day 3, one on day 4, both at 5 and 1.1; reached by them, day 5 pays twice: 10."""
    deals = [lots("1", day=day) for day in (3, 4, 5)]
    assert paid(*deals, terms=world(level((start, "2"), by=by))) == "20.00 USD"
    assert paid(*deals[:2], deals[2], terms=world(level((too_high, "2"), by=by))) == (
        "15.00 USD"  # by the end of day 5 it may be reached, for nobody
    )


def test_net_deposits_are_carried() -> None:
    """3 % of 100 - 300 in September is -6; of 400 in October 12 - 6; of 100 in November 3."""
    share = DepositShare(name="d", share=D("0.03"), of="net")
    out = WithdrawalPaid(event_id="w", client_id="anna", amount=D(300), currency="USD", occurred_at=at(4))
    sums = [deposit(f"anna d{day} {amount} USD", day=day) for day, amount in ((3, 100), (33, 400), (63, 100))]
    terms = world(share, extra=LATER)
    assert paid(sums[0], out, terms=terms) == "0.00 USD"
    assert paid(*sums[:2], out, terms=terms) == "6.00 USD"
    assert paid(*sums, out, terms=terms) == "9.00 USD"


def test_a_row_tells_what_it_was_made_of() -> None:
    """The level of the period, the result and what was carried, the clients of a cohort, and leads."""
    (row,) = true_ups(lots("2", day=3), lots("1", day=4), terms=world(level(("2", "2"))))
    assert row.factors["level"] == "1"
    rows = true_ups(result(80, day=3), result(-100, day=33), terms=world(net()))
    assert [(D(row.factors["result"]), D(row.factors["carried"])) for row in rows] == [(50, -40)]
    bonus = CohortBonus(name="cohort", amount=D(100), clients=1, min_lots=D(2))
    (row,) = true_ups(lots("2", day=3), lots("1", day=3, login=2), terms=world(bonus))
    assert row.factors["clients"] == "1"
    cpl = Cpl(name="leads", amounts=(CpaAmount(amount=D(10)),), kyc=False, min_ftd_rate=D("0.2"))
    (row,) = true_ups(deposit("anna d 10 USD", day=2), terms=world(cpl))
    assert (row.factors["registered"], row.factors["deposited"]) == ("5", "1")


def true_ups(*records: Record, terms: tuple[Record, ...]) -> list[Any]:
    """The rows of the partner book."""
    return [row for row in run(*PEOPLE, *records, terms=terms).transfers if row.code == "true_up"]


def test_each_version_counts_by_itself() -> None:
    """Whatever order the tallies come in; the newest is the period's, and what they measure is one sum."""
    component, settling = per_lot("*=5"), ComponentPeriods(currency="USD")
    for version in (1, 3, 2, 1):
        settling = with_tally(settling, component, "p", at(0), "", replace(tally("5"), plan_version=version))
    bucket = settling.buckets["p"]
    assert (bucket.version, bucket.sums.count) == (3, 4)
    assert {number: one.sums.at(0) for number, one in bucket.versions.items()} == {1: 10, 2: 5, 3: 5}


def tally(*amounts: str) -> Tally:
    """What a deal of ib-north adds."""
    return Tally(
        ib_id="ib-north",
        plan_id="own",
        plan_version=1,
        component="lots",
        client_id="anna",
        caused_by="live|1",
        occurred_at=at(3),
        currency="USD",
        amounts=tuple(D(amount) for amount in amounts),
        lots=D(1),
        count=1,
    )


def test_fewer_bands_count_their_last() -> None:
    """Sums of one, three and no amounts, band by band."""
    sums = total(one.sums for one in (tally("5"), tally("1", "2", "3"), tally()))
    assert sums.amounts == (6, 7, 8)
    assert [sums.at(band) for band in (0, 1, 2, 3)] == [6, 7, 8, 8]
    assert Sums().at(1) == 0
    assert (sums.lots, sums.count) == (3, 3)


@pytest.mark.parametrize("by", ["lots", "amount"])
def test_a_period_of_nothing_has_no_bands(by: Any) -> None:
    """Graduated, and the only deal is cancelled."""
    terms = world(per_lot("*=5", tiers=tiers(("2", "2"), mode="graduated", by=by)))
    traded = lots("3", day=3)
    gone = replace(traded, revision="b", kind="cancelled")  # type: ignore[arg-type] # a deal
    assert {} == run(*PEOPLE, traded, gone, terms=terms).owed


def test_a_level_by_active_clients_counts_from_the_next_day() -> None:
    """Two clients of a lot each reach it by the end of day 4: day 5 pays twice, 5 + 5 + 10.

    Anna's lot may be of two days, and with September looked back on of two periods; Ben's is of day 3.
    """
    component = level(("2", "2"), by="active_clients", active_min_lots=D(1), lookback_periods=1)
    terms, ben = world(component), lots("1", day=3, login=2)
    after = lots("1", day=5)
    assert paid(ben, lots("1", day=4), after, terms=terms) == "20.00 USD"
    assert paid(ben, lots("0.5", day=3), lots("0.5", day=4), after, terms=terms) == "20.00 USD"
    assert paid(ben, lots("0.9", day=4), after, terms=terms) == "14.50 USD"
    october = (lots("1", day=33, login=2), lots("0.5", day=34), lots("1", day=35))
    assert paid(lots("0.5", day=3), *october, terms=terms) == "20.00 USD"


def test_a_cap_waits_for_its_rate() -> None:
    """10 lots at 10 pips of 1,000 yen are an IB's in yen; the cap of 30 USD is 4,500 of them, once at 150."""
    for field in ("per_day", "per_week", "per_period"):
        component = Pips(name="pips", rates=rates("*=10"), caps=Caps(**{field: D(30)}))
        terms = (*world(component), partner("ib-north JPY own"))
        traded = deal("1 buy 10 USDJPY out")
        unknown = run(*PEOPLE, traded, terms=terms)
        assert (unknown.owed, unknown.dead_letters) == ({NORTH: "100000 JPY"}, [])
        assert {NORTH: "4500 JPY"} == run(*PEOPLE, traded, exchange("USD/JPY 150"), terms=terms).owed


def test_a_cap_outside_all_periods_has_no_rate() -> None:
    """The pay of a deal for which no period is defined stays as it was accrued."""
    component = Pips(name="pips", rates=rates("*=10"), caps=Caps(per_day=D(30)))
    terms = (*world(component), partner("ib-north JPY own"), exchange("USD/JPY 150", day=60))
    said = run(*PEOPLE, deal("1 buy 10 USDJPY out", day=63), terms=terms)
    assert (said.owed, said.dead_letters) == ({NORTH: "100000 JPY"}, [])


@pytest.mark.parametrize(("measured", "amount"), [("0", "5"), ("0.5", "5"), ("1", "7.5")])
def test_what_has_no_measure_counts_at_the_own_rates(measured: str, amount: str) -> None:
    """5, and 10 from half a lot on: of no lots 5, of one lot half at each."""
    component = per_lot("*=5", tiers=tiers(("0.5", "2"), mode="graduated"))
    settling = ComponentPeriods(currency="USD")
    settling = with_tally(settling, component, "p", at(0), "", replace(tally("5", "10"), lots=D(measured)))
    found = due(settling, {1: Version(plan("own USD", component), component)}, Terms())["p"]
    assert found is not None
    assert found.amount == D(amount)
    bands = {"0": set(), "0.5": {"band_0"}, "1": {"band_0", "band_1"}}[measured]
    assert {name for name in found.factors if name.startswith("band_")} == bands


def test_a_result_waits_for_the_rate_of_its_quarantine() -> None:
    """Half of 8,000 yen lost, of a deal in yen: nothing is said before 40 USD are known in yen."""
    terms = (*world(net(quarantine_below=D(40))), partner("ib-north JPY own"))
    lost = replace(result(-8000, day=3), currency="JPY")  # type: ignore[call-arg] # a deal
    unknown = run(*PEOPLE, lost, terms=terms)
    assert (unknown.owed, unknown.dead_letters) == ({}, [])
    assert {NORTH: "4000 JPY"} == run(*PEOPLE, lost, exchange("USD/JPY 150"), terms=terms).owed


def test_each_step_down_has_its_grace() -> None:
    """Up in September and October; then below: a month is forgiven before each step down."""
    bands = (("2", "2"), ("4", "3"))
    months = (*LATER, period("2027-01"), period("2027-02"))
    terms = world(level(*bands, lookback_periods=1, grace_periods=1, step=1), extra=months)
    deals = [
        lots("4", day=3),  # level 0: 20
        lots("1", day=4),  # level 1: 10
        lots("1", day=33),  # level 2, of 5 lots in September: 15
        lots("1", day=63),  # below, forgiven: 15
        lots("1", day=93),  # a step down: 10
        lots("1", day=124),  # below, forgiven: 10
        lots("1", day=155),  # a step down: 5
    ]
    assert paid(*deals, terms=terms) == "85.00 USD"
