"""`ibflow plans` as a person and a script use it: what is found, what it costs, what is refused."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.app import app
from infra.plans.suite import published_line

EXAMPLES = Path(__file__).parents[3] / "examples"
TERMS = EXAMPLES / "broker" / "terms"
SPLIT = EXAMPLES / "plans" / "14-brokeret-split.yaml"


def ibflow(*arguments: str | Path, **environment: str) -> Result:
    return invoke("plans", *arguments, **environment)


def invoke(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def changed(path: Path, folder: Path, *pairs: tuple[str, str]) -> Path:
    """A copy of a file of plans with texts replaced, each of which must be there."""
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    copy = folder / f"changed-{path.name}"
    copy.write_text(text)
    return copy


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_lint_finds_nothing_in_the_examples() -> None:
    """Files that stand by themselves and a folder of terms, in one go; exit 0."""
    result = ibflow("lint", EXAMPLES / "plans", TERMS)
    assert (0, "") == (result.exit_code, result.stderr)
    assert "0 errors" in result.stdout
    assert "traps" not in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("shares: [0.7, 0.3]", "shares: [0.7, 0.4]", "shares"),
        ("plan: split}", "plan: spilt}", "spilt"),
        ("- 1 buy 1 EURUSD in", "- 1 buy 1 EURUSD", "4 words before its keys, not 5"),
        ("- 1 buy 1 EURUSD in", "- 1 buy one EURUSD in", "lots"),
        ("pays: {ib-master: 10.00 USD}", "pays: {ib-mater: 10.00 USD}", "no partner ib-mater"),
        ("pays: {ib-master: 10.00 USD}", "pays: {ib-master: ten}", "such as 4.20 USD"),
        ("client: {ib: ib-master}", "client: {ip: ib-master}", "client/ip"),
        ("price=1.10100\n    pays: {ib-d", "prize=1\n    pays: {ib-d", "prize"),
    ],
)
def test_lint_names_file_and_line(old: str, new: str, told: str, tmp_path: Path) -> None:
    """Of plans, partners and cases alike: where it is, what is wrong; exit 1."""
    path = changed(SPLIT, tmp_path, (old, new))
    result = ibflow("lint", path)
    assert 1 == result.exit_code
    assert told in result.stderr
    line = line_of(path, new.splitlines()[0])
    assert f"{path}:{line}: " in result.stderr


def test_lint_for_machines(tmp_path: Path) -> None:
    """JSON with file, line and text of each problem, still exit 1."""
    path = changed(SPLIT, tmp_path, ("mode: split", "mode: slit"))
    result = ibflow("lint", path, "--json")
    found = json.loads(result.stdout)
    assert (1, 1) == (result.exit_code, len(found["problems"]))
    problem = found["problems"][0]
    assert (str(path), line_of(path, "mode: slit")) == (problem["file"], problem["line"])
    assert "slit" in problem["text"]


BOTH = """\
plan:
  id: p
  version: 1
  currency: USD
  components:
    - {kind: per_lot, name: lots, entry: both, rates: 7}
symbols:
  EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD, base: EUR, digits: 5}
partners:
  - {id: ib-a, name: A, currency: USD, plan: p}
expect:
  - case: a round turn
    deals: [1 buy 1 EURUSD in at=2026-09-03, 2 sell 1 EURUSD out at=2026-09-04]
    pays: {ib-a: 7 USD}
"""


def test_lint_tells_a_trap_until_a_golden_case_shows_that_it_is_meant(tmp_path: Path) -> None:
    """7 at opening and 7 at closing are 14: a case that expects 7 shows the trap, one of 14 the plan."""
    path = tmp_path / "both.yaml"
    path.write_text(BOTH)
    result = ibflow("lint", path)
    assert 1 == result.exit_code
    assert f"{path}:6: trap both_sides: lots counts both sides: 1 lot of EURUSD" in result.stderr
    assert "opened and closed pays 14.00 USD" in result.stderr
    assert "0 errors, 1 traps" in result.stdout
    (found,) = json.loads(ibflow("lint", path, "--json").stdout)["traps"]
    assert ("both_sides", 6) == (found["code"], found["line"])
    path.write_text(BOTH.replace("ib-a: 7", "ib-a: 14"))
    assert (0, "") == ((result := ibflow("lint", path)).exit_code, result.stderr)
    # A case that only opens shows nothing of the round turn.
    path.write_text(BOTH.replace(", 2 sell 1 EURUSD out at=2026-09-04", ""))
    assert 1 == ibflow("lint", path).exit_code


def test_lint_tells_an_edge_that_a_failing_case_stands_on(tmp_path: Path) -> None:
    """50 lots reach the band from 50: 300 and not 250; an edge that a case expects so is sound."""
    tiers = "rates: 5, tiers: {by: lots, bands: [{from: 50, rates: 6}]}"
    slab = BOTH.replace("entry: both, rates: 7", tiers).replace(" 1 EURUSD", " 50 EURUSD")
    path = tmp_path / "slab.yaml"
    path.write_text(slab.replace("ib-a: 7", "ib-a: 250"))
    result = ibflow("lint", path)
    assert 1 == result.exit_code
    assert f"{path}:12: trap band_edge: 'a round turn' trades exactly 50 lots" in result.stderr
    assert "ib-a: expected 250 USD, got 300 USD" in result.stderr
    assert "write from: 51" in result.stderr
    path.write_text(slab.replace("ib-a: 7", "ib-a: 300"))
    result = ibflow("lint", path)
    assert (0, "") == (result.exit_code, result.stderr)
    assert "50 lots of EURUSD pay 300.00 USD, not 250.00 USD (note)" in result.stdout


@pytest.mark.parametrize("command", ["plans", "terms"])
def test_publish_refuses_a_trap_that_nobody_accepted(command: str, tmp_path: Path) -> None:
    """Gold paid twice is not published; accepted by its name it goes as far as Kafka."""
    folder = shutil.copytree(TERMS, tmp_path / "terms")
    plan = (
        "  - {id: twice, version: 1, currency: USD, ACCEPT components: "
        "[{kind: per_lot, name: all, rates: 5}, {kind: per_lot, name: gold, rates: {XAUUSD: 10}}]}\n"
    )
    text = (folder / "plans.yaml").read_text()
    accept = "accept: [{trap: overlap, because: gold is promoted}],"
    for said, exit_code, told in (
        ("", 2, "1 lot of XAUUSD pays 15.00 USD"),
        (accept, 4, "ibflow kafka start"),
    ):
        written = text.replace("plans:\n", f"plans:\n{plan.replace('ACCEPT', said)}", 1)
        (folder / "plans.yaml").write_text(written)
        result = invoke(command, "publish", folder, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="")
        assert (exit_code, True) == (result.exit_code, told in result.stderr), result.stderr
        assert ("nothing was published" in result.stderr) == (not said)
        checked = invoke("terms", "check", folder)
        assert (int(not said), True) == (checked.exit_code, "pays 15.00 USD" in checked.stderr)


def test_lint_of_an_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    """A sentence and exit 2."""
    result = ibflow("lint", tmp_path)
    assert (2, True) == (result.exit_code, "give files, a folder of them" in result.stderr)


def test_test_runs_the_cases_of_a_file() -> None:
    """A table, a count, exit 0."""
    result = ibflow("test", SPLIT)
    assert 0 == result.exit_code
    assert "2 of 2 cases passed" in result.stdout


def test_test_tells_what_was_expected_and_what_made_what_came(tmp_path: Path) -> None:
    """Case with file and line, IB, both amounts, and the accrual with its factors; exit 1."""
    path = changed(SPLIT, tmp_path, ("shares: [0.7, 0.3]", "shares: [0.6, 0.4]"))
    result = ibflow("test", path)
    assert 1 == result.exit_code
    assert f"{path}:{line_of(path, '- case: 1 lot, 7')}: 1 lot, 7 to the direct IB" in result.stdout
    assert "ib-direct: expected 7 USD, got 6 USD" in result.stdout
    assert "ib-master: expected 3 USD, got 4 USD" in result.stdout
    assert "accrual 4 USD broker:expense:per_lot → ib:ib-master:pending, 2, lots/*" in result.stdout
    assert "1 of 2 cases passed" in result.stdout


def test_test_for_machines(tmp_path: Path) -> None:
    """JSON with each case and what differs."""
    path = changed(SPLIT, tmp_path, ("pays: {ib-master: 10.00 USD}", "pays: {ib-master: 10.01 USD}"))
    result = ibflow("test", path, "--json")
    cases = json.loads(result.stdout)
    assert (1, [True, False]) == (result.exit_code, [case["passed"] for case in cases])
    (mismatch,) = cases[1]["mismatches"]
    assert ("ib-master", "10.01 USD", "10 USD") == (mismatch["of"], mismatch["expected"], mismatch["got"])


def test_an_ib_that_is_not_named_must_get_nothing(tmp_path: Path) -> None:
    """Leaving an IB out of `pays` is an expectation too."""
    path = changed(SPLIT, tmp_path, ("{ib-direct: 7.00 USD, ib-master: 3.00 USD}", "{ib-direct: 7.00 USD}"))
    assert "ib-master: expected nothing, got 3 USD" in ibflow("test", path).stdout


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("rejects: {1: zero_volume}", "rejection of deal 1: expected zero_volume, got entry_not_paid"),
        ("rejects: {2: zero_volume}", "rejection of deal 2: expected zero_volume, got no rejection"),
        ("paid_by_deal: {1: 1 USD}", "deal 1: expected 1 USD, got nothing"),
        ("pays_by_component: {ib-direct: {lots: 1 USD}}", "ib-direct from lots: expected 1 USD, got 7 USD"),
        (
            'balances: {"ib:ib-direct:held": 1 USD}',
            "balance of ib:ib-direct:held: expected 1 USD, got nothing",
        ),
        ("shown: {ib-direct: 6.99 USD}", "ib-direct as shown: expected 6.99 USD, got 7.00 USD"),
    ],
)
def test_every_expectation_is_compared(wrong: str, told: str, tmp_path: Path) -> None:
    """A wrong one of any kind fails its case."""
    pays = "pays: {ib-direct: 7.00 USD, ib-master: 3.00 USD}"
    path = changed(SPLIT, tmp_path, (pays, f"{pays}\n    {wrong}"))
    result = ibflow("test", path)
    assert 1 == result.exit_code
    assert told in result.stdout


def test_test_without_cases_says_so() -> None:
    """Nothing tested is not a pass: exit 2."""
    result = ibflow("test", TERMS)
    assert (2, True) == (result.exit_code, "no file has `expect`" in result.stderr)


def test_a_file_in_a_folder_of_terms_runs_on_that_folder(tmp_path: Path) -> None:
    """With no partners of its own: silver 5 to ib-north; gold 7 - 5 and 10 % of 1.2 pips to its master."""
    folder = shutil.copytree(TERMS, tmp_path / "terms")
    case = (
        "expect:\n"
        "  - case: silver below gold\n"
        "    client: {ib: ib-north}\n"
        "    deals: [1 buy 1 EURUSD in at=2026-09-03T10:00Z, 2 sell 1 EURUSD out at=2026-09-03T11:00Z]\n"
        "    pays: {ib-north: 5.00 USD, ib-master: 3.20 USD}\n"
    )
    with (folder / "plans.yaml").open("a") as file:
        file.write(case)
    result = ibflow("test", folder)
    assert (0, True) == (result.exit_code, "1 of 1 cases passed" in result.stdout)


def test_diff_says_each_change_and_what_a_lot_pays(tmp_path: Path) -> None:
    """A rate and a split: the fields in words, one lot before and after for each chain."""
    new = changed(SPLIT, tmp_path, ('rates: {"*": 10}', 'rates: {"*": 12}'), ("[0.7, 0.3]", "[0.5, 0.5]"))
    result = ibflow("diff", SPLIT, new)
    assert 0 == result.exit_code
    assert [
        "plan split changed",
        "  lots rates *: 10 → 12",
        "  lots override shares: 0.7, 0.3 → 0.5, 0.5",
        "  1 lot, ib-master",
        "    EURUSD: ib-master 10 USD → ib-master 12 USD",
        "  1 lot, ib-direct < ib-master",
        "    EURUSD: ib-direct 7 USD, ib-master 3 USD → ib-direct 6 USD, ib-master 6 USD",
    ] == result.stdout.splitlines()


def test_diff_of_folders_of_terms(tmp_path: Path) -> None:
    """A plan's new rate reaches the chains under it; what pays as before is only counted."""
    folder = shutil.copytree(TERMS, tmp_path / "terms")
    text = (folder / "plans.yaml").read_text()
    (folder / "plans.yaml").write_text(text.replace('"XAU*": 7', '"XAU*": 8', 1))
    lines = ibflow("diff", TERMS, folder).stdout.splitlines()
    assert ["plan silver changed", "  lots rates XAU*: 7 → 8", "  1 lot, ib-north < ib-master"] == lines[:3]
    assert "    XAUUSD: ib-north 7 USD, ib-master 5 USD → ib-north 8 USD, ib-master 4 USD" in lines
    assert [] == json.loads(ibflow("diff", TERMS, TERMS, "--json").stdout)
    assert "the plans are the same" in ibflow("diff", TERMS, TERMS).stdout


def test_diff_trades_at_the_price_it_is_told() -> None:
    """20 basis points of 0.01 x 100,000 are 2 USD; a price that is no number is a sentence and exit 2."""
    old = EXAMPLES / "plans" / "08-fullerton-crypto-basis-points.yaml"
    new = EXAMPLES / "plans" / "14-brokeret-split.yaml"
    told = ibflow("diff", old, new, "--price", "BTCUSD=100000").stdout
    assert "BTCUSD: ib-direct 2 USD → no such symbol" in told
    wrong = ibflow("diff", old, new, "--price", "BTCUSD=dear")
    assert (2, True) == (wrong.exit_code, "write XAUUSD=4580" in wrong.stderr)


def test_publish_refuses_what_fails_its_cases(tmp_path: Path) -> None:
    """The failing case and what to do next; Kafka is not even looked for."""
    folder = shutil.copytree(TERMS, tmp_path / "terms")
    case = (
        "expect:\n"
        "  - case: too much\n"
        "    client: {ib: ib-north}\n"
        "    deals: [1 buy 1 EURUSD in, 2 sell 1 EURUSD out]\n"
        "    pays: {ib-north: 6.00 USD, ib-master: 3.20 USD}\n"
    )
    with (folder / "plans.yaml").open("a") as file:
        file.write(case)
    result = ibflow("publish", folder, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="")
    assert 2 == result.exit_code
    assert "ib-north: expected 6 USD, got 5 USD" in result.stderr
    assert "nothing was published" in result.stderr


def test_publish_needs_kafka_and_a_folder_of_terms(tmp_path: Path) -> None:
    """Exit 4 and the command that gets one; a folder without broker.yaml is refused before."""
    result = ibflow("publish", TERMS, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="")
    assert (4, True) == (result.exit_code, "ibflow kafka start" in result.stderr)
    stray = ibflow("publish", EXAMPLES / "plans")
    assert (2, True) == (stray.exit_code, "has no broker.yaml" in stray.stderr)


def test_what_was_not_tested_is_not_said_to_have_passed() -> None:
    """Of a folder without a case, that it has none."""
    assert published_line(12, 1_234) == "published 1,234 records; golden cases passed: 12"
    assert published_line(0, 17) == "published 17 records; its plans have no golden cases (`expect:`)"


def test_schema_describes_files_of_plans() -> None:
    """A JSON Schema that knows plans, partners, symbols and the cases beside them."""
    described = json.loads(ibflow("schema").stdout)
    assert {"plan", "plans", "partners", "symbols", "rates", "expect"} <= set(described["properties"])


@pytest.mark.parametrize("command", ["lint", "test", "diff", "publish", "schema"])
def test_each_command_explains_itself(command: str) -> None:
    """`--help` answers without reading anything."""
    result = ibflow(command, "--help")
    assert (0, True) == (result.exit_code, "Usage" in result.stdout)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("EURUSD in", "EURUSDD in", "deal 1: no symbol EURUSDD; did you mean EURUSD? there are EURUSD"),
        ("ib-a: 7 USD}", "ib-a: 7}", "7 has no currency; write 7 USD or whichever it is"),
        ("1 buy 1 EURUSD", "1 long 1 EURUSD", "'long' is unknown; write buy or sell"),
        ("[1 buy 1 EURUSD in at=2026-09-03,", "['1 buy 1,5 EURUSD in',", "'1,5' is not a number; write 1.5"),
        ("pays: {ib-a: 7 USD}", "payes: {ib-a: 7 USD}", "payes: there is no such key; did you mean pays?"),
        ("pays: {ib-a: 7 USD}", "payes: {}", "pays: this key is needed; write {} where nobody is paid"),
        ("7 USD}", "7 USD}\n    paid_by_deal: {9: 0 USD}", "paid_by_deal: no deal 9; there are 1, 2"),
        ("7 USD}", "7 USD}\n    rejects: {1: no_such_code}", "no reason no_such_code"),
        ("7 USD}", "7 USD}\n    rejects: {8: no_rate}", "rejects: no deal 8"),
        ("7 USD}", "7 USD}\n    balances: {'ib:ib-b:pending': 0 USD}", "no partner ib-b; did you mean ib-a?"),
        (
            "7 USD}",
            "7 USD}\n    pays_by_component: {ib-a: {lotz: 0 USD}}",
            "no component lotz; did you mean lots?",
        ),
    ],
)
def test_lint_finds_names_of_cases_that_are_not_there(old: str, new: str, told: str, tmp_path: Path) -> None:
    """A name that nothing has would be expected in vain; each is told with what there is."""
    path = tmp_path / "case.yaml"
    assert old in BOTH
    path.write_text(BOTH.replace("entry: both", "entry: out").replace(old, new, 1))
    result = ibflow("lint", path)
    assert 1 == result.exit_code
    assert told in result.stderr


@pytest.mark.parametrize(("broker", "paid"), [("Europe/Nicosia", "6"), ("UTC", "5")])
def test_cases_of_a_folder_count_days_as_the_broker_does(broker: str, paid: str, tmp_path: Path) -> None:
    """15 September begins at 21:00 UTC of the 14th in Nicosia: a deal of 22:00 has the new version."""
    (tmp_path / "broker.yaml").write_text(
        f"calendar: {{zone: {broker}, period: month, from: 2026-08, to: 2027-03}}\n"
        "servers:\n  live: {platform: mt5, timezone: UTC, margin_mode: hedging}\n"
    )
    (tmp_path / "symbols.yaml").write_text(
        "symbols:\n  live:\n"
        "    EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD, base: EUR, digits: 5}\n"
    )
    (tmp_path / "partners.yaml").write_text("partners:\n  - {id: ib-a, name: A, currency: USD, plan: lots}\n")
    lots = "currency: USD, components: [{kind: per_lot, name: lots, rates: "
    (tmp_path / "plans.yaml").write_text(
        f"plans:\n  - {{id: lots, version: 1, {lots}5}}]}}\n"
        f"  - {{id: lots, version: 2, since: 2026-09-15, {lots}6}}]}}\n"
        "expect:\n  - case: late on 14 September by UTC\n"
        "    deals: [1 buy 1 EURUSD in at=2026-09-10, 2 sell 1 EURUSD out at=2026-09-14T22:00Z]\n"
        f"    pays: {{ib-a: {paid} USD}}\n"
    )
    result = ibflow("test", tmp_path)
    assert (0, True) == (result.exit_code, "1 of 1 cases passed" in result.stdout)


TOKYO = """
calendar: {zone: Asia/Tokyo, period: month, from: 2026-08, to: 2026-12}
servers: {live: {platform: mt5, timezone: UTC, margin_mode: hedging}}
"""
PLAN_OF_TOKYO = """
plans:
  - {id: own, version: 1, currency: USD, components: [{kind: per_lot, name: lots, rates: 3}]}
  - {id: own, version: 2, since: 2026-09-10, currency: USD,
     components: [{kind: per_lot, name: lots, rates: 4}]}
symbols:
  EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD}
partners: [{id: ib-1, name: One, currency: USD, plan: own}]
expect:
  # 10 September begins in Tokyo at 15:00 of the 9th UTC: 4 from then on, 3 before.
  - case: the last minute of version 1
    deals: ["1 sell 1 EURUSD out at=2026-09-09T14:59Z"]
    pays: {ib-1: 3 USD}
  - case: the first minute of version 2
    deals: ["1 sell 1 EURUSD out at=2026-09-09T15:00Z", "2 sell 1 EURUSD out at=2026-09-10T00:00"]
    pays: {ib-1: 8 USD}
"""


def test_dates_of_cases_are_in_the_zone_of_the_books(tmp_path: Path) -> None:
    """Beside a broker.yaml the broker's midnight counts, in plans/ as well; alone UTC's, and that is said."""
    (tmp_path / "plans").mkdir()
    (tmp_path / "broker.yaml").write_text(TOKYO)
    for path in (tmp_path / "own.yaml", tmp_path / "plans" / "own.yaml"):
        path.write_text(PLAN_OF_TOKYO)
        assert "2 of 2 cases passed" in ibflow("test", path).stdout
    (tmp_path / "broker.yaml").unlink()
    alone = ibflow("test", tmp_path / "own.yaml")
    assert ("1 of 2 cases passed" in alone.stdout, 1) == (True, alone.exit_code)
    assert "dates without a zone are UTC here" in alone.stderr
