"""Checks of terms: sound terms have no problem, each mistake has its code at its subject."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.catalog import MAX_UPLINE_DEPTH, Terms
from commission.terms.checks.check import check_terms
from commission.terms.checks.published import TermsProblem, named
from commission.terms.components import Cpa, CpaAmount, PerLot, SpreadShare
from commission.terms.events_wanted import EventsWanted
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate
from commission.terms.records import TermsRecord

Finding = tuple[tuple[str, ...], str, str]
"""Subject, code and a part of the text."""


def test_sound_terms_have_no_problem() -> None:
    """A tree of two, a plan with every component and a rate path pass in silence."""
    assert check_terms(SOUND) == ()


def test_no_records_have_no_problem() -> None:
    """Nothing published is nothing wrong."""
    assert check_terms(()) == ()


def test_the_second_record_of_an_id_is_a_problem_at_the_second() -> None:
    """Each kind of record is known by its own id; a repeated one is told where it repeats."""
    for record in SOUND:
        *path, last = named([record])[0][0]
        assert ((*path, f"{last}#2"), "duplicate_id") in [
            (problem.subject, problem.code) for problem in check_terms((*SOUND, record))
        ]


def test_what_endpoints_want_is_said_in_one_place() -> None:
    """It has no id: the newest record counts."""
    assert named([EventsWanted(kinds=("trade.closed",))])[0][0] == ("events",)


def test_two_versions_of_a_plan_are_no_duplicate() -> None:
    """A plan is known by its id and version; each version begins after the one before."""
    later = replace(SILVER, version=2, since=utc(2026, 10, 1))
    assert check_terms((*SOUND, later)) == ()
    for since in (None, utc(2026, 10, 1)):
        third = replace(SILVER, version=3, since=since)
        found = check_terms((*SOUND, later, third))
        assert_found(found, (("plan", "silver", "3", "since"), "not_increasing", "version 3 of silver"))


def test_a_period_is_known_by_its_name_and_its_end_is_another_record() -> None:
    """A month and its end are two; the month told twice is found at the second."""
    september = PeriodDefined(period="2026-09", starts_at=utc(2026, 9, 1), ends_at=utc(2026, 10, 1))
    ended = PeriodEnded(period="2026-09")
    assert check_terms((*SOUND, september, ended)) == ()
    assert_found(
        check_terms((*SOUND, september, ended, september)),
        (("period", "2026-09#2"), "duplicate_id", "the period 2026-09 is defined a second time"),
    )


# Symbols and rates


@pytest.mark.parametrize(
    ("record", "finding"),
    [
        ("XAUUSD pip=0", (("symbol", "live", "XAUUSD", "pip"), "bad_size", "pip of XAUUSD is 0")),
        ("XAUUSD size=-1", (("symbol", "live", "XAUUSD", "contract_size"), "bad_size", "is -1; it must")),
        ("XAUUSD standard=0", (("symbol", "live", "XAUUSD", "standard_contract_size"), "bad_size", "is 0")),
        ("XAUUSD profit=usd", (("symbol", "live", "XAUUSD", "profit"), "bad_currency", "'usd' is no")),
        ("XAUUSD profit=DOLLAR", (("symbol", "live", "XAUUSD", "profit"), "bad_currency", "four capitals")),
        (
            "XAUUSD canonical=XAU*",
            (("symbol", "live", "XAUUSD", "canonical"), "bad_canonical", "as a pattern"),
        ),
        (
            "EURUSDc canonical=EURUSD class=fx",
            (("symbol", "live", "EURUSDc", "class"), "class_differs", "fx here"),
        ),
        ("eurusd canonical=EURUSD", (("symbol", "live", "eurusd"), "symbol_case", "not in meaning")),
    ],
)
def test_a_symbol_that_cannot_be_paid_is_an_error(record: str, finding: Finding) -> None:
    """Sizes, currency, name and class of a symbol are checked, also against other servers."""
    bad = symbol(record)
    records = tuple(r for r in SOUND if not isinstance(r, SymbolDefined) or r.symbol != bad.symbol)
    assert_found(check_terms((*records, bad)), finding)


def test_symbols_equal_but_for_letter_case_are_a_warning() -> None:
    """With one meaning nothing is paid wrongly, but a lower-cased name finds neither."""
    twin = replace(EURUSD, symbol="EurUsd")
    assert_found(
        check_terms((*SOUND, twin)), (("symbol", "live", "EurUsd"), "symbol_case", "MT4 statement"), "warning"
    )
    assert check_terms((*SOUND, replace(twin, server="other"))) == ()


def test_ibs_equal_but_for_letter_case_are_a_warning() -> None:
    """A person would take one for the other."""
    known = next(r for r in SOUND if isinstance(r, PartnerDefined))
    twin = replace(known, ib_id=known.ib_id.upper())
    found = [p for p in check_terms((*SOUND, twin)) if p.code == "ib_case"]
    assert [(p.subject, p.severity) for p in found] == [(("partner", twin.ib_id), "warning")]


@pytest.mark.parametrize(
    ("pair", "value", "code"),
    [
        ("EUR/USD", "0", "bad_rate"),
        ("EUR/USD", "-1", "bad_rate"),
        ("EUR/EUR", "1", "bad_rate"),
        ("eur/USD", "1.1", "bad_currency"),
    ],
)
def test_a_rate_of_exchange_is_positive_and_between_two_currencies(pair: str, value: str, code: str) -> None:
    """A zero rate would pay nothing, a negative one would charge the IB."""
    bad = exchange(pair, value, at=utc(2026, 9, 2))
    assert_found(check_terms((*SOUND, bad)), (named([bad])[0][0], code, ""))


# Plans


def test_two_components_of_one_name_are_an_error() -> None:
    """An explanation names the component, so each name stands once in a plan."""
    bad = replace(SILVER, components=(*SILVER.components, *SILVER.components))
    found = check_terms(tuple(bad if r is SILVER else r for r in SOUND))
    assert_found(found, (("plan", "silver", "1", "component", "fx#2"), "duplicate_component", "named fx"))


def test_prefixes_of_different_length_are_no_ambiguity() -> None:
    """`XAU*` is more specific than `XA*`, so both may stand."""
    rates = (Rate(match="XA*", value=Decimal(1)), Rate(match="XAU*", value=Decimal(2)))
    plan = replace(SILVER, plan_id="p", components=(PerLot(name="x", rates=rates),))
    assert "ambiguous_rate" not in {problem.code for problem in check_terms((*SOUND, plan))}


def test_a_shared_spread_without_an_average_is_a_warning() -> None:
    """MT5 may have recorded bid and ask; where nothing did, the deal is rejected."""
    share = SpreadShare(name="x", rates=(Rate(match="*", value=Decimal("0.1")),))
    found = check_terms((*SOUND, replace(SILVER, plan_id="p", components=(share,))))
    subject = ("plan", "p", "1", "component", "x", "average_pips")
    assert_found(found, (subject, "no_average_spread", "EURUSD, USDJPY, XAUUSD"), "warning")


def test_a_plan_in_no_currency_is_an_error() -> None:
    """Three or four capitals, nothing else."""
    bad = replace(SILVER, plan_id="p", currency="US Dollar")
    assert_found(check_terms((*SOUND, bad)), (("plan", "p", "1", "currency"), "bad_currency", "'US Dollar'"))


# Partners and their tree


@pytest.mark.parametrize(
    ("ib", "finding"),
    [
        (
            PartnerDefined(ib_id="x", name="", currency="USD", parents=(ParentLink(ib_id="nobody"),)),
            (("partner", "x", "parent", "0"), "unknown_parent", "nobody of x"),
        ),
        (
            PartnerDefined(ib_id="x", name="", currency="USD", schedule=(PlanAssignment(plan_id="none"),)),
            (("partner", "x", "plan", "0"), "unknown_plan", "none of x"),
        ),
        (
            PartnerDefined(ib_id="x", name="", currency="usd"),
            (("partner", "x", "currency"), "bad_currency", "'usd'"),
        ),
        (
            PartnerDefined(ib_id="x", name="", currency="USD", parents=(ParentLink(ib_id="x"),)),
            (("partner", "x", "parent", "0"), "cycle", "x → x"),
        ),
        (
            PartnerDefined(ib_id="x", name="", currency="CHF", parents=(ParentLink(ib_id="master"),)),
            (("partner", "x", "parent", "0"), "no_rate_path", "CHF, master in USD"),
        ),
        (
            PartnerDefined(ib_id="x", name="", currency="CHF", schedule=(PlanAssignment(plan_id="silver"),)),
            (("partner", "x", "plan", "0"), "no_rate_path", "pays in USD, x is settled in CHF"),
        ),
    ],
)
def test_a_partner_that_cannot_be_paid_is_an_error(ib: PartnerDefined, finding: Finding) -> None:
    """References, currency and conversion of an IB are checked."""
    assert_found(check_terms((*SOUND, ib)), finding)


def test_schedules_run_forward() -> None:
    """Each entry begins after the one before; only the first may begin with the beginning."""
    silver, gold = (PlanAssignment(since=utc(2026, 9, 1), plan_id=p) for p in ("silver", "gold"))
    for schedule in ((silver, gold), (silver, PlanAssignment(plan_id="gold"))):
        ib = PartnerDefined(ib_id="x", name="", currency="USD", schedule=schedule)
        assert_found(
            check_terms((*SOUND, ib)), (("partner", "x", "plan", "1"), "not_increasing", "oldest first")
        )
    parents = (ParentLink(since=utc(2026, 9, 2), ib_id="master"), ParentLink(since=utc(2026, 9, 1)))
    ib = PartnerDefined(ib_id="x", name="", currency="USD", parents=parents)
    assert_found(check_terms((*SOUND, ib)), (("partner", "x", "parent", "1"), "not_increasing", "entry 2"))


def test_a_circle_that_comes_later_is_found_at_the_link_that_closes_it() -> None:
    """a → b holds now; b → a from October on closes the circle, and is told once, with its path."""
    a = PartnerDefined(ib_id="a", name="", currency="USD", parents=(ParentLink(ib_id="b"),))
    parents = (ParentLink(), ParentLink(since=utc(2026, 10, 1), ib_id="a"))
    b = PartnerDefined(ib_id="b", name="", currency="USD", parents=parents)
    c = PartnerDefined(ib_id="c", name="", currency="USD", parents=(ParentLink(ib_id="a"),))
    found = check_terms((c, a, b))
    assert_found(found, (("partner", "b", "parent", "1"), "cycle", "from 2026-10-01T00:00:00+00:00 on"))
    assert "a → b → a" in found[0].text


def test_a_circle_that_was_cut_in_time_is_none() -> None:
    """a → b until October, b → a from October on: at no time do both hold."""
    october = utc(2026, 10, 1)
    a = PartnerDefined(
        ib_id="a", name="", currency="USD", parents=(ParentLink(ib_id="b"), ParentLink(since=october))
    )
    b = PartnerDefined(ib_id="b", name="", currency="USD", parents=(ParentLink(since=october, ib_id="a"),))
    assert check_terms((a, b)) == ()


def test_a_circle_that_stays_is_told_once() -> None:
    """Another IB's parent changes later: the circle is still there, and was told from its beginning."""
    ibs = [
        PartnerDefined(ib_id=ib_id, name="", currency="USD", parents=(ParentLink(ib_id=parent),))
        for ib_id, parent in (("a", "b"), ("b", "a"))
    ]
    moved = (ParentLink(since=utc(2026, 10, 1), ib_id="d"),)
    others = (
        PartnerDefined(ib_id="c", name="", currency="USD", parents=moved),
        PartnerDefined(ib_id="d", name="", currency="USD"),
    )
    found = [problem for problem in check_terms((*ibs, *others)) if problem.code == "cycle"]
    assert [problem.text.split(";")[0] for problem in found] == ["the parents run in a circle: a → b → a"]


def test_the_deepest_upline_that_folds_can_walk_is_the_deepest_allowed() -> None:
    """A chain of the limit passes here and in the fold; one more is refused in both."""
    chain = tuple(
        PartnerDefined(
            ib_id=f"ib{n}", name="", currency="USD", parents=(ParentLink(ib_id=f"ib{n - 1}"),) if n else ()
        )
        for n in range(MAX_UPLINE_DEPTH + 2)
    )
    allowed = chain[:MAX_UPLINE_DEPTH]
    assert check_terms(allowed) == ()
    upline = Terms().learn(allowed).upline(allowed[-1].ib_id, utc(2026, 9, 1))
    assert upline is not None
    assert len(upline.path) == MAX_UPLINE_DEPTH
    first = chain[MAX_UPLINE_DEPTH].ib_id
    assert_found(check_terms(chain), (("partner", first, "parent"), "upline_too_deep", "at most 32"))
    with pytest.raises(ValueError, match="deeper than 32"):
        Terms().learn(chain).upline(first, utc(2026, 9, 1))


def test_a_rate_path_may_lead_through_a_pivot_or_a_cent_currency() -> None:
    """What the fold can convert is accepted: CHF over EUR to USD, and US cents as dollars."""
    ibs = tuple(
        PartnerDefined(ib_id=f"ib-{c}", name="", currency=c, parents=(ParentLink(ib_id="master"),))
        for c in ("CHF", "USC")
    )
    chf = (exchange("EUR/USD", "1.08"), exchange("EUR/CHF", "0.95"))
    assert check_terms((*SOUND, *chf, *ibs)) == ()


def test_a_spread_in_a_currency_without_rates_is_a_warning() -> None:
    """Until a rate is published those deals are rejected; the plan may still pay for others."""
    records = tuple(r for r in SOUND if not isinstance(r, RatePublished))
    found = check_terms(records)
    assert_found(
        found, (("partner", "master", "plan", "0"), "no_rate_path", "spreads or pips in JPY"), "warning"
    )


def test_an_override_that_never_pays_is_a_warning() -> None:
    """A master IB whose plan nowhere beats the sub-IB's earns nothing by that component."""
    sub = PartnerDefined(
        ib_id="x",
        name="",
        currency="USD",
        parents=(ParentLink(ib_id="sub"),),
        schedule=(PlanAssignment(since=utc(2026, 9, 1), plan_id="gold"),),
    )
    found = check_terms((*SOUND, sub))
    assert {(p.subject, p.code, p.severity) for p in found} == {
        (("partner", "x", "parent"), "idle_override", "warning")
    }
    assert [p.text.split(",")[0] for p in found] == ["by cpa", "by per_lot"]


def test_an_override_on_one_symbol_is_no_warning() -> None:
    """One symbol on which the upline is paid more is enough."""
    rates = (Rate(match="*", value=Decimal(1)), Rate(match="XAUUSD", value=Decimal(6)))
    ib = PartnerDefined(
        ib_id="x",
        name="",
        currency="USD",
        parents=(ParentLink(ib_id="sub"),),
        schedule=(PlanAssignment(plan_id="plain"),),
    )
    plan = replace(SILVER, plan_id="plain", components=(PerLot(name="fx", rates=rates),))
    assert check_terms((*SOUND, plan, ib)) == ()


def test_components_that_measure_differently_are_not_compared() -> None:
    """1 a lot on opening above 5 or 1 on closing: only the deals tell which is more; not if both close."""
    (lots, _), rate = SILVER.components, (Rate(match="*", value=Decimal(1)),)
    assert isinstance(lots, PerLot)
    opening = replace(SILVER, plan_id="opening", components=(replace(lots, rates=rate, entry="in"),))
    closing = replace(SILVER, plan_id="closing", components=(lots,))
    ibs = (
        PartnerDefined(ib_id="top", name="", currency="USD", schedule=(PlanAssignment(plan_id="opening"),)),
        PartnerDefined(
            ib_id="x",
            name="",
            currency="USD",
            parents=(ParentLink(ib_id="top"),),
            schedule=(PlanAssignment(plan_id="closing"),),
        ),
    )
    assert check_terms((*SOUND, opening, closing, *ibs)) == ()
    alike = replace(opening, components=(replace(lots, rates=rate),))
    found = check_terms((*SOUND, alike, closing, *ibs))
    assert_found(
        found, (("partner", "x", "parent"), "idle_override", "by per_lot, opening of top"), "warning"
    )


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_a_tree_that_passes_can_be_walked_by_the_fold(order: list[int], parents: list[int]) -> None:
    """No cycle reported, in any order of records, means that no walk up raises."""
    ibs = tuple(
        PartnerDefined(
            ib_id=f"ib{n}", name="", currency="USD", parents=(ParentLink(ib_id=f"ib{parents[n]}"),)
        )
        if n
        else PartnerDefined(ib_id="ib0", name="", currency="USD")
        for n in order
    )
    terms = Terms().learn(ibs)
    if check_terms(ibs):
        with pytest.raises(ValueError, match="cycle"):
            [terms.upline(ib.ib_id, utc(2026, 9, 1)) for ib in ibs]
    else:
        uplines = [terms.upline(ib.ib_id, utc(2026, 9, 1)) for ib in ibs]
        assert {upline.path[-1] for upline in uplines if upline is not None} == {"ib0"}


def assert_found(found: tuple[TermsProblem, ...], finding: Finding, severity: str = "error") -> None:
    subject, code, text = finding
    matching = [p for p in found if (p.subject, p.code, p.severity) == (subject, code, severity)]
    assert [text in p.text for p in matching] == [True], found


def utc(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def symbol(line: str) -> SymbolDefined:
    """A symbol from a line: `XAUUSD pip=0`; what is not said is sound."""
    name, *words = line.split()
    said = dict(word.split("=") for word in words)
    size = Decimal(said.get("size", "100"))
    return SymbolDefined(
        server="live",
        symbol=name,
        canonical=said.get("canonical", name),
        asset_class=said.get("class", "forex"),
        contract_size=size,
        standard_contract_size=Decimal(said.get("standard", size)),
        pip=Decimal(said.get("pip", "0.01")),
        profit_currency=said.get("profit", "USD"),
    )


def exchange(pair: str, value: str, at: datetime = utc(2026, 9, 1)) -> RatePublished:  # noqa: B008 # immutable
    base, quote = pair.split("/")
    return RatePublished(base=base, quote=quote, rate=Decimal(value), as_of=at)


EURUSD = symbol("EURUSD size=100000 pip=0.0001")
GOLD = PlanDefined(
    plan_id="gold",
    version=1,
    currency="USD",
    components=(
        PerLot(
            name="fx", rates=(Rate(match="class:forex", value=Decimal(7)), Rate(match="*", value=Decimal(2)))
        ),
        SpreadShare(
            name="spread",
            rates=(Rate(match="*", value=Decimal("0.1")),),
            average_pips=(Rate(match="*", value=Decimal("1.2")),),
            cap_pips=Decimal(20),
        ),
        Cpa(name="cpa", amounts=(CpaAmount(amount=Decimal(400)),), min_trades=1),
    ),
)
SILVER = PlanDefined(
    plan_id="silver",
    version=1,
    currency="USD",
    components=(
        PerLot(
            name="fx", rates=(Rate(match="class:forex", value=Decimal(5)), Rate(match="*", value=Decimal(1)))
        ),
        Cpa(name="cpa", amounts=(CpaAmount(amount=Decimal(300)),), min_trades=1),
    ),
)
SOUND: tuple[TermsRecord, ...] = (
    EURUSD,
    symbol("USDJPY size=100000 profit=JPY"),
    symbol("XAUUSD class=metal"),
    GOLD,
    SILVER,
    PartnerDefined(ib_id="master", name="", currency="USD", schedule=(PlanAssignment(plan_id="gold"),)),
    PartnerDefined(
        ib_id="sub",
        name="",
        currency="USD",
        parents=(ParentLink(ib_id="master"),),
        schedule=(PlanAssignment(plan_id="silver"),),
    ),
    exchange("USD/JPY", "150"),
)
