"""The short forms of the YAML: each stands for exactly one long form, and a mistake in it has its line."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from commission.terms.components import CpaAmount
from commission.terms.market import SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import Budget, PlanDefined
from commission.terms.rates import Band, Caps, LotFactor, Override, RankRates, Rate, Tiers, When
from ingest.terms.folder import InvalidTerms, load_terms
from ingest.terms.plan_file import PlanFile, load_plan_file
from ingest.terms.yaml_page import Fields, Text

D = Decimal
SYMBOLS = """\
symbols:
  EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD, average_pips: 1.2}
  XAUUSD: {class: metal, contract_size: 100, pip: 0.01, profit: USD, average_pips: 25}
"""
Load = Callable[[str], PlanFile]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(text: str) -> PlanFile:
        path = tmp_path / "plan.yaml"
        path.write_text(text + SYMBOLS, encoding="utf-8")
        return load_plan_file(path)

    return loaded


def component(load: Load, line: str) -> Any:
    """The first component of a plan whose components are written as `line`."""
    plan = load(f"plan:\n  id: p\n  version: 1\n  currency: USD\n  components:\n    - {line}\n").plans[0]
    return plan.components[0]


def rates(**values: str) -> tuple[Rate, ...]:
    names = {"any": "*"}
    return tuple(Rate(match=names.get(match, match), value=D(value)) for match, value in values.items())


LOT = "kind: per_lot, name: a"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("7", rates(any="7")),
        ('{EURUSD: 7, "*": 2}', rates(EURUSD="7", any="2")),
        ("[7]", rates(any="7")),
        ("[{EURUSD: 7}, 2]", rates(EURUSD="7", any="2")),
        (
            "[2, {value: 3, client: c}, {value: 4, match: EURUSD, login: d/7, group: 'r*', country: CY}]",
            (
                Rate(value=D(2)),
                Rate(value=D(3), client="c"),
                Rate(value=D(4), match="EURUSD", login="d/7", group="r*", country="CY"),
            ),
        ),
        (
            "[2, {value: 3, since: 2026-01-01, until: 2026-02-01T12:00:00Z}]",
            (
                Rate(value=D(2)),
                Rate(
                    value=D(3),
                    since=datetime(2026, 1, 1, tzinfo=UTC),
                    until=datetime(2026, 2, 1, 12, tzinfo=UTC),
                ),
            ),
        ),
    ],
)
def test_rates_are_a_number_a_mapping_or_a_list(load: Load, written: str, expected: tuple[Rate, ...]) -> None:
    """`7` is the rate of `*`; a list may mix numbers, mappings and whole rates."""
    assert component(load, f"{{{LOT}, rates: {written}}}").rates == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("absolute", Override(mode="absolute")),
        (
            "{mode: absolute, levels: [1, {EURUSD: 2}]}",
            Override(mode="absolute", levels=(rates(any="1"), rates(EURUSD="2"))),
        ),
        ("{mode: cascade, pass_up: 0.2}", Override(mode="cascade", pass_up=(D("0.2"),))),
        (
            "{mode: cascade, pass_up: [1, 0.3], pass_unit: rate}",
            Override(mode="cascade", pass_up=(D(1), D("0.3")), pass_unit="rate"),  # noqa: S106 # no password
        ),
        ("{mode: split, shares: [0.7, 0.3]}", Override(mode="split", shares=(D("0.7"), D("0.3")))),
        (
            "{mode: rank, ranks: [{rank: bronze, rates: 1}, {rank: gold, rates: {EURUSD: 2}}]}",
            Override(
                mode="rank",
                ranks=(
                    RankRates(rank="bronze", rates=rates(any="1")),
                    RankRates(rank="gold", rates=rates(EURUSD="2")),
                ),
            ),
        ),
    ],
)
def test_an_override_is_a_mode_or_a_mapping(load: Load, written: str, expected: Override) -> None:
    """One share alone is a list of one; levels and ranks take rates in every form."""
    assert component(load, f"{{{LOT}, rates: 7, override: {written}}}").override == expected


def test_a_band_begins_with_from(load: Load) -> None:
    """`from` is the start of a band; its rates take every form, and a factor stands in their place."""
    tiers = "{by: lots, mode: slab, bands: [{from: 100, rates: 6}, {from: 200, factor: 1.5, name: top}]}"
    expected = Tiers(
        by="lots",
        bands=(Band(start=D(100), rates=rates(any="6")), Band(start=D(200), factor=D("1.5"), name="top")),
    )
    assert component(load, f"{{{LOT}, rates: 5, tiers: {tiers}}}").tiers == expected


def test_conditions_and_caps_are_mappings(load: Load) -> None:
    """One value alone stands for a list of it."""
    got = component(
        load,
        f"{{{LOT}, rates: 5, caps: {{per_deal: 500}},"
        " when: {min_holding_s: 60, same_price: false, countries_not: US}}",
    )
    assert got.when == When(min_holding_s=60, same_price=False, countries_not=("US",))
    assert got.caps == Caps(per_deal=D(500))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("amount: 400", (CpaAmount(amount=D(400)),)),
        ("amount: 400, min_deposit: 500", (CpaAmount(amount=D(400), min_deposit=D(500)),)),
        (
            "amounts: [{amount: 400}, {amount: 500, country: CY, min_deposit: 1000}]",
            (CpaAmount(amount=D(400)), CpaAmount(amount=D(500), country="CY", min_deposit=D(1000))),
        ),
        ("amounts: 400", (CpaAmount(amount=D(400)),)),
    ],
)
def test_an_amount_alone_is_the_only_one(load: Load, written: str, expected: tuple[CpaAmount, ...]) -> None:
    """`amount` and `min_deposit` beside each other are one entry of `amounts`."""
    assert component(load, f"{{kind: cpa, name: a, {written}}}").amounts == expected


def test_a_plan_takes_its_fields_by_their_names(load: Load) -> None:
    """A budget alone is its share; times without a zone are UTC in a file by itself."""
    plan = load(
        "plan: {id: p, version: 2, currency: USD, since: 2026-01-01, budget: 0.6, hold_days: 7,"
        " min_payout: 50,"
        " lot_factors: [{factor: 0.4, group: 'cent*'}], kyc_gate: false, clawback: {window_days: 90},"
        " components: [{kind: per_lot, name: a, rates: 1}]}\n"
    ).plans[0]
    assert isinstance(plan, PlanDefined)
    assert (plan.plan_id, plan.version, plan.since) == ("p", 2, datetime(2026, 1, 1, tzinfo=UTC))
    assert (plan.budget, plan.hold_days, plan.min_payout) == (Budget(share=D("0.6")), 7, D(50))
    assert plan.lot_factors == (LotFactor(factor=D("0.4"), group="cent*"),)
    assert (plan.kyc_gate, plan.clawback.window_days) == (False, 90)


PLAN = "plan: {id: p, version: 1, currency: USD, components: [{kind: per_lot, name: a, rates: 1}]}\n"
PLANS_HELD = """\
    plan:
      - {plan: p}
      - {plan: p, since: 2026-02-01, factor: 0.5, rank: silver}
"""
PARTNERS = f"""\
partners:
  - {{id: top, name: T, currency: USD, agreement: accepted, identity: person-1, own_clients: c1}}
  - id: low
    name: L
    currency: USD
    kyc: approved
    parent: top
    rank: gold
{PLANS_HELD}    status: [{{status: active}}, {{since: 2026-03-01, status: suspended}}]
"""


def test_partners_have_ranks_factors_and_statuses(load: Load) -> None:
    """A rank at the top counts for each entry of `plan` that has none of its own."""
    expected = (
        PartnerDefined(
            ib_id="top",
            name="T",
            currency="USD",
            agreement_accepted=True,
            identity="person-1",
            own_clients=("c1",),
        ),
        PartnerDefined(
            ib_id="low",
            name="L",
            currency="USD",
            kyc_approved=True,
            parents=(ParentLink(ib_id="top"),),
            schedule=(
                PlanAssignment(plan_id="p", rank="gold"),
                PlanAssignment(
                    plan_id="p", since=datetime(2026, 2, 1, tzinfo=UTC), factor=D("0.5"), rank="silver"
                ),
            ),
            statuses=(
                StatusChange(status="active"),
                StatusChange(status="suspended", since=datetime(2026, 3, 1, tzinfo=UTC)),
            ),
        ),
    )
    assert load(PLAN + PARTNERS).rest.partners == expected


def test_a_status_and_a_ranked_plan_may_be_single_values(load: Load) -> None:
    """`status: suspended` and `plan: p, rank: gold` hold from the beginning."""
    got = load(
        PLAN + "partners: [{id: x, name: X, currency: USD, plan: p, rank: gold, status: suspended}]\n"
    ).rest.partners[0]
    assert got.schedule == (PlanAssignment(plan_id="p", rank="gold"),)
    assert got.statuses == (StatusChange(status="suspended"),)


def test_a_file_of_plans_keeps_what_is_expected_with_its_lines(load: Load) -> None:
    """`expect` is plain data: its reader tells mistakes in it by line. Symbols are of the server demo."""
    file = load(
        "title: Seven a lot\nsource: A page of any length, with a colon\n"
        + PLAN
        + "rates:\n  - {as_of: 2026-01-01, rates: {EUR/USD: 1.1}}\n"
        + "expect:\n  - deal: buy 1 EURUSD\n    pays: {top: 7}\n  - nothing\n"
    )
    assert (file.rest.title, file.rest.source) == ("Seven a lot", "A page of any length, with a colon")
    first, second = file.rest.expect
    assert isinstance(first, Fields)
    assert (first.line, first.line_at("pays"), first["pays"]) == (7, 8, {"top": "7"})
    assert isinstance(second, Text)
    assert (second, second.line) == ("nothing", 9)
    assert file.rest.symbols[0] == SymbolDefined(
        server="demo",
        symbol="EURUSD",
        canonical="EURUSD",
        asset_class="forex",
        contract_size=D(100000),
        standard_contract_size=D(100000),
        pip=D("0.0001"),
        profit_currency="USD",
        average_pips=D("1.2"),
    )
    assert [rate.rate for rate in file.rest.rates] == [D("1.1")]


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("rates: 1}", "rates: one}", 1, "p/a/rates/*/value is 'one'; write a plain decimal number"),
        ("rates: 1}", "rates: 1e3}", 1, "p/a/rates/*/value is '1e3'"),
        ("rates: 1}", "rates: [{valeu: 1}]}", 1, "no server has a symbol that valeu matches"),
        ("rates: 1}", "rates: [{match: X}]}", 1, "p/a/rates/X needs the key value"),
        (
            "rates: 1}",
            "rates: [{value: 1, sinse: 2026-01-01}]}",
            1,
            "has no key sinse; did you mean since? use value, match",
        ),
        ("rates: 1}", "rates: [{value: 1, since: soon}]}", 1, "is 'soon'; write a date 2026-09-01"),
        ("rates: 1}", "rates: [[1]]}", 1, "p/a/rates/1 must be a mapping"),
        ("rates: 1}", "rates: 1, caps: 5}", 1, "p/a/caps must be a mapping"),
        (
            "rates: 1}",
            "rates: 1, override: upwards}",
            1,
            "p/a/override/mode is 'upwards'; choose one of difference",
        ),
        ("rates: 1}", "rates: 1, standardised: yes}", 1, "p/a/standardised is 'yes'; write true or false"),
        ("rates: 1}", "rates: 1, when: {min_holding_s: 1.5}}", 1, "write a whole number, 0 or above"),
        ("rates: 1}", "rates: 1, when: {result: won}}", 1, "is 'won'; choose one of any, profit, loss"),
        ("rates: 1}", "rates: 1, tiers: {by: lots}}", 1, "p/a/tiers needs the key bands"),
        ("name: a", "name: 'a b'", 1, "name is 'a b'; an id has no spaces"),
        ("name: a", "name: null", 1, "must be a single value"),
        ("kind: per_lot, ", "", 1, "needs the key kind: per_lot, turnover"),
        ("kind: per_lot, ", "kind: {a: b}, ", 1, "choose one of per_lot, turnover"),
        ("components: [{", "components: [7, {", 1, "p/1 must be a mapping"),
        (
            "version: 1",
            "version: 1, budgett: 1",
            1,
            "p has no key budgett; did you mean budget? use id, version",
        ),
        ("plan: {id", "plans: {id", 1, "plans must be a list"),
        (
            "plan: {id",
            "plain: {id",
            1,
            "a file of plans has no key plain; did you mean plan? use plans, plan",
        ),
        (
            "rank: gold\n",
            "rank: 'gold'\n    plam: p\n",
            10,
            "low has no key plam; did you mean plan? use id, name, currency",
        ),
        (PLANS_HELD, "    plan: null\n", 9, "low has a rank but no plan"),
        ("kyc: approved", "kyc: yes", 7, "low: kyc is 'yes'; choose one of pending, approved"),
        ("factor: 0.5", "factor: half", 12, "low/plan/2/factor is 'half'"),
        ("status: active", "status: gone", 13, "is 'gone'; choose one of active, suspended, terminated"),
        ("{plan: p}", "{}", 11, "low/plan/1 needs the key plan"),
    ],
)
def test_a_mistake_in_a_form_has_its_line(load: Load, old: str, new: str, line: int, text: str) -> None:
    """What is wrong is named by the path to it, and what may be written is said."""
    assert old in PLAN + PARTNERS
    with pytest.raises(InvalidTerms) as caught:
        load((PLAN + PARTNERS).replace(old, new, 1))
    found = [(problem.line, problem.text) for problem in caught.value.problems]
    assert [at for at, told in found if text in told] == [line], found


def test_an_amount_and_amounts_do_not_go_together(load: Load) -> None:
    """Which of two would count is not guessed."""
    with pytest.raises(
        InvalidTerms, match=r":6: p/1 has both amount and amounts|has both amount and amounts"
    ):
        component(load, "{kind: cpa, name: a, amount: 1, amounts: [{amount: 2}]}")


# Plans in a folder


def write_terms(folder: Path, **files: str) -> Path:
    texts = {
        "broker": "calendar: {zone: Europe/Nicosia, period: month, from: 2026-10, to: 2026-10}\n"
        "servers: {live: {platform: mt5, timezone: Etc/GMT-2}}\n",
        "symbols": SYMBOLS.replace("symbols:\n", "symbols:\n live:\n"),
        "partners": "partners: []\n",
    } | files
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def plans_in(folder: Path) -> list[tuple[str, int]]:
    return [(r.plan_id, r.version) for r in load_terms(folder).records if isinstance(r, PlanDefined)]


def test_plans_may_stand_in_a_folder(tmp_path: Path) -> None:
    """`plans.yaml` and `plans/*.yaml` add up; what a file of plans holds beside them is left unread."""
    one = PLAN + "title: One\nexpect: [anything]\npartners: {not: read}\n"
    two = PLAN.replace("id: p", "id: q").replace("plan: {", "plans: [{").replace("}]}\n", "}]}]\n")
    files = {"plans/one": one, "plans/two": two}
    assert plans_in(write_terms(tmp_path, **files)) == [("p", 1), ("q", 1)]
    more = {"plans": two.replace("id: q", "id: r")}
    assert plans_in(write_terms(tmp_path, **more)) == [("r", 1), ("p", 1), ("q", 1)]


def test_without_any_plans_the_file_is_missed(tmp_path: Path) -> None:
    """Either place may be absent, not both."""
    with pytest.raises(InvalidTerms, match=r"plans.yaml:1: the file cannot be read"):
        load_terms(write_terms(tmp_path))


def test_too_many_files_of_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than the limit are an error: none is left out in silence."""
    monkeypatch.setattr("ingest.terms.folder.MAX_PLAN_FILES", 1)
    files = {"plans/one": PLAN, "plans/two": PLAN.replace("id: p", "id: q")}
    with pytest.raises(InvalidTerms, match=r"plans:1: there are 2 files of plans; the limit is 1"):
        load_terms(write_terms(tmp_path, **files))


def test_a_version_begins_after_the_one_before(tmp_path: Path) -> None:
    """Versions of a plan stand side by side; each begins later, and none stands twice."""
    first = PLAN
    second = PLAN.replace("version: 1", "version: 2, since: 2026-11-01")
    both = {"plans/a": first, "plans/b": second}
    assert plans_in(write_terms(tmp_path, **both)) == [("p", 1), ("p", 2)]
    with pytest.raises(InvalidTerms, match=r"b.yaml:1: version 2 of p does not begin after version 1"):
        load_terms(write_terms(tmp_path, **{"plans/b": PLAN.replace("version: 1", "version: 2")}))
    with pytest.raises(InvalidTerms, match=r"b.yaml:1: the plan p 1 is defined a second time"):
        load_terms(write_terms(tmp_path, **{"plans/b": first}))


@pytest.mark.parametrize(
    ("calendar", "names", "days", "weekday"),
    [
        ("period: day, from: 2026-12-31, to: 2027-01-01", ["2026-12-31", "2027-01-01"], 1, 3),
        ("period: week, from: 2026-W53, to: 2027-W01", ["2026-W53", "2027-W01"], 7, 0),
        ("period: month, from: 2026-12, to: 2027-01", ["2026-12", "2027-01"], 31, 1),
        ("period: month, from: 2026-12-26, to: 2027-01-26", ["2026-12-26", "2027-01-26"], 31, 5),
        ("period: half_month, from: 2026-12-H2, to: 2027-01-H1", ["2026-12-H2", "2027-01-H1"], 16, 2),
        ("period: quarter, from: 2026-Q4, to: 2027-Q1", ["2026-Q4", "2027-Q1"], 92, 3),
    ],
)
def test_periods_are_days_weeks_or_months(
    tmp_path: Path, calendar: str, names: list[str], days: int, weekday: int
) -> None:
    """Their names sort in time; each begins where the one before ends, at a local midnight."""
    servers = "servers: {live: {platform: mt5, timezone: UTC}}\n"
    broker = f"calendar: {{zone: Europe/Nicosia, {calendar}}}\n{servers}"
    records = load_terms(write_terms(tmp_path, broker=broker, plans=PLAN)).records
    periods = [record for record in records if record.type == "period_defined"]
    assert [period.period for period in periods] == names == sorted(names)
    assert periods[0].ends_at == periods[1].starts_at
    assert (len(periods[0].days), periods[0].first_weekday) == (days, weekday)
    assert periods[0].days[0] == periods[0].starts_at
    assert periods[0].starts_at.astimezone(ZoneInfo("Europe/Nicosia")).hour == 0


def test_one_kind_of_period_follows_another(tmp_path: Path) -> None:
    """Weeks to the 27th of September, months from October on; an overlap names the period and its line."""
    broker = (
        "calendar:\n  zone: UTC\n  periods:\n"
        "    - {period: week, from: 2026-W38, to: 2026-W39}\n"
        "    - {period: month, from: %s, to: 2026-11}\n"
        "servers: {live: {platform: mt5, timezone: UTC}}\n"
    )
    records = load_terms(write_terms(tmp_path, broker=broker % "2026-10", plans=PLAN)).records
    names = [record.period for record in records if record.type == "period_defined"]
    assert names == ["2026-W38", "2026-W39", "2026-10", "2026-11"]
    with pytest.raises(InvalidTerms, match=r"broker.yaml:4: calendar: 2026-W38 begins .* inside 2026-09"):
        load_terms(write_terms(tmp_path, broker=broker % "2026-09", plans=PLAN))


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        ("period: week, from: 2026-W54, to: 2026-W54", "write an ISO week as 2026-W36"),
        ("period: day, from: 2026-02-30, to: 2026-03-01", "write a day as 2026-09-01"),
        ("period: day, from: 2000-01-01, to: 2026-01-01", "by less than 3660 days"),
        ("period: week, from: 2026-W10, to: 2026-W09", "`to` must be `from` or later"),
        ("period: month, from: 2026-09-26, to: 2027-02", "begins with 2027-02; cut them all on one day"),
        ("period: month, from: 2026-09-29, to: 2026-10-29", "a first day up to the 28th as 2026-08-26"),
        ("period: half_month, from: 2026-09, to: 2026-10", "the one from the 16th as 2026-09-H2"),
        ("period: quarter, from: 2026-Q5, to: 2026-Q5", "write a quarter as 2026-Q3"),
    ],
)
def test_a_calendar_names_real_periods(tmp_path: Path, calendar: str, text: str) -> None:
    """A week that its year does not have, a day no month has, a run too long: each is told."""
    broker = f"calendar: {{zone: UTC, {calendar}}}\nservers: {{live: {{platform: mt5, timezone: UTC}}}}\n"
    with pytest.raises(InvalidTerms) as caught:
        load_terms(write_terms(tmp_path, broker=broker, plans=PLAN))
    assert any(text in problem.text for problem in caught.value.problems), caught.value
