"""What the terms answer: the symbol, the rate, the upline and the exchange as of a moment."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from commission.terms.catalog import MAX_UPLINE_DEPTH, Terms
from commission.terms.partners import ParentLink, PlanAssignment
from commission.terms.rate_matching import Trait
from tests.build import SERVER, SYMBOLS, D, at, exchange, partner, period, plan, rates, symbol
from tests.commission.terms.catalogs import known


def chain_of(terms: Terms, ib_id: str, day: int) -> list[str]:
    """The upline written `ib/plan`."""
    upline = terms.upline(ib_id, at(day))
    links = upline.links if upline is not None else ()
    return [f"{link.partner.ib_id}/{link.plan.plan_id if link.plan else '-'}" for link in links]


# Symbols and rates of components


def test_a_symbol_is_found_by_server_and_spelling() -> None:
    """The same spelling on another server means nothing yet."""
    terms = known(*SYMBOLS)
    assert SYMBOLS[0] == terms.symbol(SERVER, "EURUSD", at(1))
    assert terms.symbol("other", "EURUSD", at(1)) is None


def test_a_lower_case_symbol_is_found_if_only_one_fits() -> None:
    """MT4 statements lose the case; where two symbols differ only by it, nothing is guessed."""
    assert SYMBOLS[1] == known(*SYMBOLS).symbol(SERVER, "eurusdc", at(1))
    twins = known(symbol("Gold metals 100 USD 0.01"), symbol("GOLD metals 10 USD 0.01"))
    assert twins.symbol(SERVER, "gold", at(1)) is None


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("*=1 class:metals=2 XAU*=3 XAUUSD=4", "XAUUSD"),
        ("XAU*=3 *=1 X*=5 class:metals=2", "XAU*"),
        ("*=1 class:metals=2 class:forex=9", "class:metals"),
        ("EURUSD=4 class:forex=2 *=1", "*"),
        ("EURUSD=4 class:forex=2 EUR*=1", None),
    ],
)
def test_the_most_specific_rate_wins(table: str, match: str | None) -> None:
    """Symbol before longest prefix before class before everything, in whatever order they are listed."""
    listed = rates(table)
    found = known().rate_for(listed, symbol("XAUUSD metals 100 USD 0.01"), Trait(), at(1))
    assert match == (found.match if found else None)


def test_a_later_record_of_an_id_replaces_the_earlier() -> None:
    """Terms are learnt, not edited: what was known before stays as it was."""
    before = known(plan("gold USD"), partner("ib-a USD gold"))
    after = before.learn([plan("gold USD", version=2)])
    assert [[v.version for v in terms.plans["gold"]] for terms in (before, after)] == [[1], [1, 2]]


# Uplines


def test_an_upline_is_as_of_the_moment() -> None:
    """Parents and plans change on their dates; the first moment of a change belongs to the new one."""
    moved = partner(
        "ib-c USD",
        parents=(ParentLink(ib_id="ib-a"), ParentLink(since=at(10), ib_id="ib-b"), ParentLink(since=at(20))),
        schedule=(PlanAssignment(since=at(5), plan_id="low"), PlanAssignment(since=at(15), plan_id="high")),
    )
    terms = known(plan("low USD"), plan("high USD"), partner("ib-a USD high"), partner("ib-b USD low"), moved)
    assert chain_of(terms, "ib-c", 4) == ["ib-c/-", "ib-a/high"]
    assert chain_of(terms, "ib-c", 5) == ["ib-c/low", "ib-a/high"]
    assert chain_of(terms, "ib-c", 10) == ["ib-c/low", "ib-b/low"]
    assert chain_of(terms, "ib-c", 19) == ["ib-c/high", "ib-b/low"]
    assert chain_of(terms, "ib-c", 20) == ["ib-c/high"]


def test_an_upline_with_a_gap_is_no_upline() -> None:
    """An unknown IB, master IB or plan gives nothing rather than a part."""
    assert known().upline("ib-a", at(1)) is None
    assert known(plan("low USD"), partner("ib-a USD low ib-gone")).upline("ib-a", at(1)) is None
    assert known(partner("ib-a USD gone")).upline("ib-a", at(1)) is None


def test_a_cycle_or_a_bottomless_upline_is_broken_terms() -> None:
    """The checks refuse such terms; should they come in nevertheless, nobody is paid by them."""
    plans = (plan("low USD"),)
    cycle = known(*plans, partner("ib-a USD low ib-b"), partner("ib-b USD low ib-a"))
    with pytest.raises(ValueError, match="cycle"):
        cycle.upline("ib-a", at(1))
    count = MAX_UPLINE_DEPTH + 1
    masters = [partner(f"ib-{n} USD low ib-{n + 1}") for n in range(1, count)]
    deep = known(*plans, *masters, partner(f"ib-{count} USD low"))
    assert len(chain_of(deep, "ib-2", 1)) == MAX_UPLINE_DEPTH
    with pytest.raises(ValueError, match="deeper"):
        deep.upline("ib-1", at(1))


# Exchange


@pytest.mark.parametrize(
    ("published", "source", "target", "rate", "path"),
    [
        (["USD/JPY 150"], "USD", "JPY", "150", "USD/JPY 150 (2026-09-01)"),
        (["EUR/USD 1.25"], "USD", "EUR", "0.8", "1 / EUR/USD 1.25 (2026-09-01)"),
        # 1 EUR = 1.25 USD = 1.25 x 150 JPY
        (["EUR/USD 1.25", "USD/JPY 150"], "EUR", "JPY", "187.5",
         "EUR/USD 1.25 (2026-09-01) x USD/JPY 150 (2026-09-01)"),
        # USD is tried before EUR, and the direct rate before both
        (["GBP/EUR 1.2", "EUR/CHF 0.9", "GBP/USD 1.3", "USD/CHF 0.8"], "GBP", "CHF", "1.04", None),
        (["GBP/EUR 1.2", "EUR/CHF 0.9"], "GBP", "CHF", "1.08", None),
        (["GBP/CHF 1.1", "GBP/USD 1.3", "USD/CHF 0.8"], "GBP", "CHF", "1.1", None),
        ([], "USC", "USD", "0.01", ""),
        ([], "USD", "USC", "100", ""),
        (["EUR/USD 1.25"], "USC", "EUR", "0.008", None),
    ],
)  # fmt: skip
def test_a_rate_is_direct_inverted_or_by_a_pivot(
    published: list[str], source: str, target: str, rate: str, path: str | None
) -> None:
    """The shortest way wins, and its origin is cited."""
    found = known(*(exchange(text) for text in published)).convert(source, target, at(2))
    assert found is not None
    assert D(rate) == found.rate
    assert path is None or path == found.path


def test_a_rate_of_another_midnight_is_cited_with_its_hour() -> None:
    """What a broker in Berlin publishes as of 1 November counts from 23:00 UTC of the day before."""
    rate = replace(exchange("EUR/USD 1.09"), as_of=datetime(2026, 10, 31, 23, tzinfo=UTC), source="ECB")
    found = known(rate).convert("EUR", "USD", datetime(2026, 11, 1, tzinfo=UTC))
    assert found is not None
    assert found.path == "EUR/USD 1.09 (2026-10-31 23:00 UTC, ECB)"


def test_the_newest_rate_at_or_before_the_moment_counts() -> None:
    """Not a later one; of two for one moment the one published last; none older than 31 days."""
    terms = known(exchange("EUR/USD 1.3", day=10), exchange("EUR/USD 1.1"), exchange("EUR/USD 1.2", day=10))
    found = {day: terms.convert("EUR", "USD", at(day)) for day in (0, 9, 10, 41)}
    assert {day: str(conversion.rate) if conversion else None for day, conversion in found.items()} == {
        0: None,
        9: "1.1",
        10: "1.2",
        41: "1.2",
    }
    assert terms.convert("EUR", "USD", at(41) + timedelta(microseconds=1)) is None


# Periods


def test_a_moment_belongs_to_one_period_or_none() -> None:
    """The first moment of October is not in September."""
    terms = known(period("2026-10"), period("2026-09"))
    expected = {0: "", 1: "2026-09", 30: "2026-09", 31: "2026-10", 62: ""}
    assert expected == {day: terms.period_of(at(day)) for day in expected}
    assert period("2026-10") == terms.period("2026-10")
    assert terms.period("2026-11") is None


def test_terms_learned_in_parts_are_those_learned_at_once() -> None:
    """Whatever becomes known first: IBs before their plan and master, changed ones, a newer plan."""
    first = replace(plan("gold USD"), since=at(2))
    told = (
        partner("a USD gold", parents=(ParentLink(ib_id="m", since=at(3)),)),
        partner("b USD"),
        first,
        partner("m USD"),
        partner("c USD", schedule=(PlanAssignment(plan_id="gold", since=at(4)),)),
        partner("c USD", schedule=(PlanAssignment(plan_id="gold", since=at(5)),)),
        replace(first, since=at(6)),
        partner("d USD late", parents=(ParentLink(ib_id="m"),)),
        plan("late USD"),
    )
    for size in (1, 2, 3):
        terms = Terms()
        for start in range(0, len(told), size):
            terms = terms.learn(told[start : start + size])
            assert terms == Terms().learn(told[: start + size])
