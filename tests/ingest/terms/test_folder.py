"""Terms from YAML: a good folder gives exact records, a bad one every problem with file and line."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.terms.calendar import PeriodDefined
from commission.terms.components import Cpa, CpaAmount, PerLot, SpreadShare
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate
from ingest.terms.folder import Broker, InvalidTerms, load_terms
from ingest.terms.servers import BrokerServer
from ingest.terms.yaml_page import MAX_FILE_BYTES, Problem
from tests.effort import tries

GOOD = {
    "broker.yaml": """\
calendar: {zone: Europe/Nicosia, period: month, from: 2026-10, to: 2026-11}
servers:
  live: {platform: mt5, margin_mode: hedging, timezone: "America/New_York+7h"}
  real: {platform: mt4, timezone: Etc/GMT+2, currency: EUR}
""",
    "symbols.yaml": """\
symbols:
  live:
    EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD}
    EURUSDc: {canonical: EURUSD, class: forex, contract_size: 1000, standard_contract_size: 100000,
              pip: 0.0001, profit: USD}
    XAUUSD: {class: metal, contract_size: 100, pip: 0.01, profit: USD}
""",
    "plans.yaml": """\
plans:
  - id: gold
    version: 2
    currency: USD
    components:
      - {kind: per_lot, name: fx, entry: both, rates: {"class:forex": 7, "XAU*": 5, "*": 2}}
      - {kind: spread_share, name: spread, rates: {EURUSD: 0.10}, average_pips: {"*": 1.2}, cap_pips: 3.5}
      - {kind: cpa, name: cpa, amount: 300, min_deposit: 500, min_lots: 3, clawback_days: 30}
  - id: silver
    version: 1
    name: Silver
    currency: USD
    kyc_gate: false
    components:
      - {kind: per_lot, name: fx, entry: both, rates: {"*": 1}, standardised: false}
""",
    "partners.yaml": """\
partners:
  - {id: ib-north, name: North Desk, currency: USD, kyc: approved, parent: ib-master, plan: silver}
  - id: ib-master
    name: Master Desk
    currency: EUR
    parent: null
    plan:
      - {since: 2026-08-01, plan: gold}
      - {since: "2026-11-01 12:00", plan: silver}
      - {since: 2026-12-01T00:00:00Z, plan: null}
""",
    "rates.yaml": """\
rates:
  - {as_of: 2026-09-01, source: ECB, rates: {EUR/USD: 1.0850, USD/JPY: 149.20}}
""",
}


def write_folder(folder: Path, **changed: str | None) -> Path:
    """The good folder with some files replaced (`plans=...`) or left out (`rates=None`)."""
    for name, good in GOOD.items():
        text = changed.get(name.removesuffix(".yaml"), good)
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def problems_of(folder: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(InvalidTerms) as caught:
        load_terms(folder)
    return [(Path(p.file).name, p.line, p.text) for p in caught.value.problems]


def test_a_good_folder_gives_exact_records(tmp_path: Path) -> None:
    """Numbers are the decimals as written, times are UTC, what is referred to comes first."""
    broker = load_terms(write_folder(tmp_path))
    assert broker.records == (
        PeriodDefined(
            period="2026-10",
            starts_at=utc(2026, 9, 30, 21),
            ends_at=utc(2026, 10, 31, 22),
            # The clocks change in the night to the 26th.
            days=(
                *(utc(2026, 9, 30, 21) + timedelta(days=n) for n in range(25)),
                *(utc(2026, 10, 25, 22) + timedelta(days=n) for n in range(6)),
            ),
            first_weekday=3,
        ),
        PeriodDefined(
            period="2026-11",
            starts_at=utc(2026, 10, 31, 22),
            ends_at=utc(2026, 11, 30, 22),
            days=tuple(utc(2026, 10, 31, 22) + timedelta(days=n) for n in range(30)),
            first_weekday=6,
        ),
        symbol("EURUSD", "EURUSD", "forex", "100000", "100000", "0.0001"),
        symbol("EURUSDc", "EURUSD", "forex", "1000", "100000", "0.0001"),
        symbol("XAUUSD", "XAUUSD", "metal", "100", "100", "0.01"),
        PlanDefined(
            plan_id="gold",
            version=2,
            currency="USD",
            components=(
                PerLot(name="fx", entry="both", rates=rates({"class:forex": "7", "XAU*": "5", "*": "2"})),
                SpreadShare(
                    name="spread",
                    rates=rates({"EURUSD": "0.10"}),
                    average_pips=rates({"*": "1.2"}),
                    cap_pips=Decimal("3.5"),
                ),
                Cpa(
                    name="cpa",
                    amounts=(CpaAmount(amount=Decimal(300), min_deposit=Decimal(500)),),
                    min_lots=Decimal(3),
                    clawback_days=30,
                ),
            ),
        ),
        PlanDefined(
            plan_id="silver",
            version=1,
            name="Silver",
            currency="USD",
            kyc_gate=False,
            components=(PerLot(name="fx", entry="both", rates=rates({"*": "1"}), standardised=False),),
        ),
        PartnerDefined(
            ib_id="ib-north",
            name="North Desk",
            currency="USD",
            kyc_approved=True,
            parents=(ParentLink(ib_id="ib-master"),),
            schedule=(PlanAssignment(plan_id="silver"),),
        ),
        PartnerDefined(
            ib_id="ib-master",
            name="Master Desk",
            currency="EUR",
            schedule=(
                PlanAssignment(since=utc(2026, 7, 31, 21), plan_id="gold"),
                PlanAssignment(since=utc(2026, 11, 1, 10), plan_id="silver"),
                PlanAssignment(since=utc(2026, 12, 1), plan_id=None),
            ),
        ),
        rate("EUR", "USD", "1.0850"),
        rate("USD", "JPY", "149.20"),
    )
    assert str(broker.records[-2].rate) == "1.0850"  # type: ignore[union-attr] # digits as written


def test_servers_keep_their_zone_as_text(tmp_path: Path) -> None:
    """A server is platform, zone with shift, margin mode and currency, as the sources need them."""
    assert load_terms(write_folder(tmp_path)).servers == {
        "live": BrokerServer(
            server="live",
            platform="mt5",
            timezone="America/New_York+7h",
            margin_mode="hedging",
            currency="",
            symbols=frozenset({"EURUSD", "EURUSDc", "XAUUSD"}),
        ),
        "real": BrokerServer(
            server="real", platform="mt4", timezone="Etc/GMT+2", margin_mode=None, currency="EUR"
        ),
    }


def test_groups_that_close_and_reopen(tmp_path: Path) -> None:
    """Groups whose partial closes close everything are named with the server, exactly or by prefix."""
    broker = GOOD["broker.yaml"].replace("platform: mt4", "platform: mt4, close_reopen: [us-retail, eu*]")
    assert load_terms(write_folder(tmp_path, broker=broker)).servers["real"].close_reopen == (
        "us-retail",
        "eu*",
    )


def test_rates_may_be_absent(tmp_path: Path) -> None:
    """A broker with one currency needs no rates file."""
    partners = GOOD["partners.yaml"].replace("currency: EUR", "currency: USD")
    records = load_terms(write_folder(tmp_path, rates=None, partners=partners)).records
    assert [r.type for r in records if r.type == "rate_published"] == []


def test_warnings_come_with_the_broker(tmp_path: Path) -> None:
    """What may be meant does not stop the load, and is told with its place."""
    plans = GOOD["plans.yaml"].replace('average_pips: {"*": 1.2}', 'average_pips: {"XAU*": 1.2}')
    (tmp_path / "rate.yml").write_text("")
    warnings = load_terms(write_folder(tmp_path, plans=plans)).warnings
    assert [(Path(w.file).name, w.line, w.text[:30]) for w in warnings] == [
        ("rate.yml", 1, "this file is not read; the ter"),
        ("plans.yaml", 7, "no average_pips for EURUSD: th"),
        ("partners.yaml", 2, "by per_lot, silver of ib-maste"),
        ("plans.yaml", 6, "fx counts both sides: 1 lot of"),
        ("plans.yaml", 15, "fx counts both sides: 1 lot of"),
    ]


CASES = [
    # broker.yaml
    ("broker", "Europe/Nicosia", "Europe/Nicosa", 1, "write an IANA zone such as Europe/Nicosia"),
    ("broker", "period: month", "period: year", 1, "choose one of day, week, half_month, month, quarter"),
    ("broker", "from: 2026-10", "from: 2026-13", 1, "write year and month as 2026-09"),
    ("broker", "to: 2026-11", "to: 2026-09", 1, "`to` must be `from` or later"),
    ("broker", "platform: mt5", "platform: mt6", 3, "choose one of mt4, mt5"),
    ("broker", "mode: hedging", "mode: both", 3, "choose one of hedging, netting"),
    ("broker", "York+7h", "York+7", 3, "write America/New_York+7h"),
    ("broker", "York+7h", "York+25h", 3, "write America/New_York+7h"),
    ("broker", "platform: mt4", "platform: mt4, margin_mode: netting", 4, "leave margin_mode out"),
    ("broker", "platform: mt4", "platform: mt4, close_reopen: us*", 4, "close_reopen must be a list"),
    ("broker", "platform: mt4", "platform: mt4, close_reopen: [[us]]", 4, "close_reopen lists groups"),
    ("broker", "platform: mt5", "platform: mt5, close_reopen: [us*]", 3, "leave close_reopen out"),
    ("broker", "currency: EUR", "currency: eur", 4, "is 'eur'; that is not a currency"),
    ("broker", "platform: mt4, ", "", 4, "needs the key platform"),
    ("broker", "platform: mt4", "platfrom: mt4", 4, "has no key platfrom; did you mean platform? use"),
    ("broker", "  real:", "  live:", 4, "servers has the key live twice"),
    ("broker", "  real:", "  a/b:", 4, "without `/` and `|`"),
    # symbols.yaml
    ("symbols", "  live:", "  lives:", 3, "the server lives is not in broker.yaml"),
    ("symbols", "    XAUUSD:", "    EURUSD:", 6, "live has the key EURUSD twice"),
    ("symbols", "100, pip: 0.01,", "100,", 6, "XAUUSD needs the key pip"),
    ("symbols", "contract_size: 1000,", "contract_size: 1e3,", 4, "write a plain decimal number"),
    ("symbols", "pip: 0.01", "pip: 0.00", 6, "pip of XAUUSD is 0.00; it must be above 0"),
    ("symbols", "size: 100,", "size: -100,", 6, "contract_size of XAUUSD is -100"),
    ("symbols", "class: metal", "class: ''", 6, "class must be 1 to 200 printable characters"),
    ("symbols", "profit: USD}\n    EURUSDc", "profit: usd}\n    EURUSDc", 3, "'usd' is not a currency"),
    ("symbols", "    XAUUSD:", "    eurusd:", 6, "differ only by letter case but not in meaning"),
    ("symbols", "canonical: EURUSD, class: forex", "canonical: EURUSD, class: fx", 4, "but class forex as"),
    # plans.yaml
    ("plans", "kind: cpa", "kind: cpx", 8, "kind is 'cpx'; did you mean cpl? choose one of per_lot"),
    ("plans", "kind: cpa, ", "", 8, "needs the key kind"),
    ("plans", "min_lots: 3", "rates: {}", 8, "has no key rates"),
    ("plans", "name: cpa", "name: fx", 8, "gold has two components named fx"),
    ("plans", "name: cpa", "name: a b", 8, "an id has no spaces"),
    ("plans", '"XAU*": 5', '"XAG*": 5', 6, "no server has a symbol that XAG* matches"),
    ("plans", '"class:forex": 7', '"class:crypto": 7', 6, "no server has a symbol that class:crypto matches"),
    ("plans", '"XAU*": 5', '"X*U": 5', 6, "'X*U' is not a match"),
    ("plans", '"XAU*": 5', '"XAU*": 5, "XAU*": 6', 6, "has the key XAU* twice"),
    ("plans", '"XAU*": 5', '"XAU*": -5', 6, "the rate for XAU* is -5"),
    ("plans", '"XAU*": 5', '"XAU*": five', 6, "is 'five'; write a plain decimal number"),
    ("plans", "EURUSD: 0.10", "EURUSD: 10", 7, "write 35 % as 0.35"),
    ("plans", "cap_pips: 3.5", "cap_pips: 0", 7, "cap_pips is 0; it must be above 0"),
    ("plans", '{"*": 1.2}', '{"*": 0}', 7, "average_pips of * is 0 pips"),
    ("plans", "{EURUSD: 0.10}", "{}", 7, "rates is empty"),
    ("plans", "entry: both, rates: {\"*\"", "entry: open, rates: {\"*\"", 15, "choose one of in, out, both"),
    ("plans", "amount: 300", "amount: 0", 8, "it pays more than 0"),
    ("plans", "clawback_days: 30", "clawback_days: -1", 8, "write a whole number, 0 or above"),
    ("plans", "kyc_gate: false", "kyc_gate: no", 13, "write true or false"),
    ("plans", "  - id: silver\n    version: 1", "  - id: gold\n    version: 2", 9, "is defined a second"),
    # partners.yaml
    ("partners", "parent: ib-master", "parent: ib-mister", 2, "the parent ib-mister of ib-north"),
    ("partners", "parent: null", "parent: ib-north", 6, "ib-master → ib-north → ib-master; cut one"),
    ("partners", "plan: silver}\n  - id", "plan: bronze}\n  - id", 2, "the plan bronze of ib-north"),
    ("partners", "plan: silver}\n      -", "plan: bronze}\n      -", 9, "the plan bronze of ib-master"),
    ("partners", "since: 2026-08-01,", "since: 2026-11-02,", 9, "entry 2 does not begin after entry 1"),
    ("partners", "since: 2026-08-01,", "since: 01.08.2026,", 8, "write a date 2026-09-01 or a time"),
    ("partners", "2026-08-01,", "2026-02-30,", 8, "write a date 2026-09-01 or a time"),
    ("partners", '"2026-11-01 12:00"', '"2026-10-25 03:30"', 9, "near a change of clocks give the zone"),
    ("partners", "id: ib-master", "id: ib-north", 3, "the partner ib-north is defined a second time"),
    ("partners", "kyc: approved", "kyc: yes", 2, "choose one of pending, approved, rejected, revoked"),
    ("partners", "currency: EUR", "currency: Euro", 5, "'Euro' is not a currency"),
    ("partners", "currency: EUR", "currency: CHF", 2, "settled in USD, ib-master in CHF, and no rate leads"),
    ("partners", "    plan:\n", "    plan:\n      - gold\n", 8, "plan lists gold; one plan holds at a time"),
    # rates.yaml
    ("rates", "EUR/USD: 1.0850", "EURUSD: 1.0850", 2, "EURUSD names no two currencies"),
    ("rates", "1.0850", "1.08e0", 2, "write a plain decimal number"),
    ("rates", "1.0850", "0", 2, "a rate is above 0 and between two currencies"),
    ("rates", "as_of: 2026-09-01", "as_of: today", 2, "write a date 2026-09-01 or a time"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "text"), CASES, ids=[f"{c[0]}-{c[4][:40]}" for c in CASES]
)
def test_each_problem_names_its_file_and_line(
    tmp_path: Path, name: str, old: str, new: str, line: int, text: str
) -> None:
    """One mistake gives a problem at its own line that says what to do."""
    file = f"{name}.yaml"
    assert old in GOOD[file]
    found = problems_of(write_folder(tmp_path, **{name: GOOD[file].replace(old, new, 1)}))
    assert [(f, at) for f, at, told in found if text in told] == [(file, line)], found


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Mistakes in several files come in one exception, in the order of files and lines."""
    folder = write_folder(
        tmp_path,
        broker=GOOD["broker.yaml"].replace("mt4", "mt3"),
        plans=GOOD["plans.yaml"].replace("amount: 300", "amount: 0").replace("version: 1", "version: one"),
        partners=GOOD["partners.yaml"].replace("parent: ib-master", "parent: ib-x").replace("EUR", "EU"),
    )
    found = problems_of(folder)
    assert [(file, line) for file, line, _ in found] == [
        ("broker.yaml", 4),
        ("plans.yaml", 8),
        ("plans.yaml", 10),
        ("partners.yaml", 2),
        ("partners.yaml", 5),
    ]


def test_the_exception_reads_as_a_list_of_places(tmp_path: Path) -> None:
    """The message is one line a problem, as compilers write them."""
    folder = write_folder(tmp_path, plans=None)
    with pytest.raises(InvalidTerms) as caught:
        load_terms(folder)
    assert str(caught.value) == f"{folder / 'plans.yaml'}:1: " + caught.value.problems[0].text
    assert caught.value.problems == (
        Problem(
            str(folder / "plans.yaml"),
            1,
            "the file cannot be read (No such file or directory); it must exist",
        ),
    )


UNREADABLE = [
    ("plans: [", 1, "not YAML as expected"),
    ("plans:\n  - {a: b\n  - c", 3, "not YAML as expected"),
    ("a: 1\n---\nb: 2\n", 2, "another document"),
    ("", 1, "the file is empty"),
    ("plans: &x [1]\nother: *x\n", 1, "anchors and aliases are not used"),
    ("a: &x 1\nb: &x 2\n", 2, "anchors and aliases are not used"),
    ("plans: *x\n", 1, "undefined alias"),
    ("plans:\n  - " + "[" * 21 + "]" * 21, 2, "nested too deeply"),
    ("plans: a\n# \x07\n", 2, "control character"),
    ("- plans\n", 1, "plans.yaml must be a mapping"),
    ("plans: {gold: 1}\n", 1, "plans must be a list"),
    ("plans: []\n[a]: 1\n", 2, "a key of plans.yaml must be a text"),
]


@pytest.mark.parametrize(("content", "line", "text"), UNREADABLE, ids=[case[2] for case in UNREADABLE])
def test_a_file_that_is_no_terms_is_told(tmp_path: Path, content: str, line: int, text: str) -> None:
    """Broken YAML, deep nesting, aliases: a problem with its line, never a traceback or a hang."""
    found = problems_of(write_folder(tmp_path, plans=content))
    assert ("plans.yaml", line) in {(file, at) for file, at, told in found if text in told}, found


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    """Nine levels of nine aliases are a billion values; they are refused at the first anchor."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{k}: &{k} [{', '.join(['*' + chr(ord(k) - 1)] * 9)}]" for k in "bcdefghi"]
    found = problems_of(write_folder(tmp_path, plans="\n".join(lines)))
    assert [(file, text) for file, _, text in found] == [
        ("plans.yaml", "anchors and aliases are not used here; write the value out")
    ]


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """The size is bounded before anything is parsed."""
    found = problems_of(write_folder(tmp_path, rates="#" * (MAX_FILE_BYTES + 1)))
    assert found == [("rates.yaml", 1, "the file is larger than 8000000 bytes; split the terms")]


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    """A file saved in a code page is told, with the line."""
    write_folder(tmp_path)
    (tmp_path / "partners.yaml").write_bytes(b"partners:\n  - {name: Caf\xe9}\n")
    assert problems_of(tmp_path) == [("partners.yaml", 2, "this line is not UTF-8; save the file as UTF-8")]


@settings(max_examples=tries(37), deadline=None)
@given(
    name=st.sampled_from(sorted(GOOD)),
    cut=st.integers(0, 400),
    length=st.integers(0, 40),
    inserted=st.text(
        alphabet=st.sampled_from("{}[]:,- \n\t\"'|>&*!%#@`?~0a\x00é\u2028\ud83d\ude00"), max_size=8
    ),
)
def test_any_damage_gives_a_broker_or_problems(name: str, cut: int, length: int, inserted: str) -> None:
    """Whatever happens to a file, the answer is a broker or problems with lines inside it."""
    text = GOOD[name][:cut] + inserted + GOOD[name][cut + length :]
    with TemporaryDirectory() as folder:
        write_folder(Path(folder))
        (Path(folder) / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            broker, problems = load_terms(Path(folder)), ()
        except InvalidTerms as error:
            broker, problems = None, error.problems
    assert isinstance(broker, Broker) != bool(problems)
    assert all(problem.line >= 1 and problem.text for problem in problems)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc] # year, month, day, hour


def rates(values: dict[str, str]) -> tuple[Rate, ...]:
    return tuple(Rate(match=match, value=Decimal(value)) for match, value in values.items())


def rate(base: str, quote: str, value: str) -> RatePublished:
    return RatePublished(
        base=base, quote=quote, rate=Decimal(value), as_of=utc(2026, 8, 31, 21), source="ECB"
    )


def symbol(name: str, canonical: str, asset_class: str, size: str, standard: str, pip: str) -> SymbolDefined:
    return SymbolDefined(
        server="live",
        symbol=name,
        canonical=canonical,
        asset_class=asset_class,
        contract_size=Decimal(size),
        standard_contract_size=Decimal(standard),
        pip=Decimal(pip),
        profit_currency="USD",
    )


VERSIONS = GOOD["symbols.yaml"].replace(
    "    XAUUSD: {class: metal, contract_size: 100, pip: 0.01, profit: USD}\n",
    """\
    XAUUSD:
      - {class: metal, contract_size: 100, pip: 0.01, profit: USD}
      - {since: 2026-10-01, contract_size: 10, rescale: 10}
      - {since: 2026-11-01, pip: 0.1}
""",
)


def test_a_version_of_a_symbol_says_only_what_it_changes(tmp_path: Path) -> None:
    """The rest is that of the version before; a standard lot stays 100, and a date is midnight in Nicosia."""
    broker = load_terms(write_folder(tmp_path, symbols=VERSIONS))
    gold = [r for r in broker.records if isinstance(r, SymbolDefined) and r.symbol == "XAUUSD"]
    assert [
        (None, "100", "100", "0.01", None),
        (datetime(2026, 9, 30, 21, tzinfo=UTC), "10", "100", "0.01", "10"),
        (datetime(2026, 10, 31, 22, tzinfo=UTC), "10", "100", "0.1", None),
    ] == [
        (
            one.since,
            str(one.contract_size),
            str(one.standard_contract_size),
            str(one.pip),
            None if one.rescale is None else str(one.rescale),
        )
        for one in gold
    ]
    assert {"metal"} == {one.asset_class for one in gold}


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("since: 2026-11-01, pip: 0.1", "pip: 0.1", 9, "version 3 needs the key since"),
        ("since: 2026-11-01", "since: 2026-10-01", 9, "defined a second time"),
        ("rescale: 10", "rescale: 0", 8, "write 10 where 1 open lot became 10"),
        (
            "pip: 0.01, profit: USD}\n      -",
            "pip: 0.01, profit: USD, rescale: 2}\n      -",
            7,
            "no version before",
        ),
        ("- {since: 2026-11-01, pip: 0.1}", "- 7", 9, "must be a mapping"),
    ],
)
def test_a_wrong_version_of_a_symbol_is_told(
    old: str, new: str, line: int, told: str, tmp_path: Path
) -> None:
    """Each at its own line."""
    assert old in VERSIONS
    found = problems_of(write_folder(tmp_path, symbols=VERSIONS.replace(old, new)))
    assert [("symbols.yaml", line)] == [(file, at) for file, at, text in found if told in text], found
