"""The rules found in the wild, each against its published figure: examples/plans, case by case."""

import re
from functools import cache
from pathlib import Path

import pytest

from infra.plans.cases import PlanCases, load_cases
from infra.plans.run import run_case

PLANS = Path(__file__).parent.parent / "examples" / "plans"
RULES = 31
"""Rules in the facts' table of rules found in the wild."""

NAMES = sorted(path.stem for path in PLANS.glob("*.yaml"))
PUBLISHED = {
    1: "4.20",
    2: "8.00",
    3: "20.40",
    5: "14.00",
    7: "0.001",
    8: "2.2168654",
    9: "0.15",
    10: "4.00 0.90 0.09 0.01",
    11: "2.00 0.70 0.30",
    12: "5.00 2.00",
    13: "1.00 5.00 4.00 5.00",
    14: "7.00 3.00",
    16: "40.00",
    17: "7.00",
    18: "1.80",
    23: "300.00",
    30: "2.00",
    31: "51.96",
}
"""What the sources publish, as the cases must expect it: amounts of the IBs, the direct one first."""


@cache
def read(name: str) -> PlanCases:
    """A file of plans, read when its test runs: every process of a parallel run collects this module."""
    return load_cases(PLANS / f"{name}.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_pays_what_was_worked_out_by_hand(name: str) -> None:
    """Every IB gets exactly what each case says, and nobody else anything."""
    file = read(name)
    found = {case.case: [str(one) for one in run_case(case, file.terms)] for case in file.cases}
    assert found
    assert {case: mismatches for case, mismatches in found.items() if mismatches} == {}


def test_every_rule_has_its_file() -> None:
    """31 rules, numbered as in the facts, each with a case, a title and a source."""
    numbers = {int(name[:2]) for name in NAMES if re.match(r"\d\d-", name)}
    assert set(range(1, RULES + 1)) == numbers
    files = {name: read(name) for name in NAMES}
    assert [] == [name for name, file in files.items() if not (file.cases and file.title and file.source)]


@pytest.mark.parametrize("number", PUBLISHED)
def test_the_published_figure_is_what_a_case_expects(number: int) -> None:
    """A case may not be bent to what the code says: the source's figure is among the expectations."""
    (file,) = (read(name) for name in NAMES if name.startswith(f"{number:02}-"))
    expected = {" ".join(str(money.amount) for money in case.pays.values()) for case in file.cases}
    assert PUBLISHED[number] in expected


def test_the_readme_links_every_file() -> None:
    """The table of shapes is complete, and points at files that exist."""
    linked = set(re.findall(r"\]\(([\w.-]+\.yaml)\)", (PLANS / "README.md").read_text()))
    assert {path.name for path in PLANS.glob("*.yaml")} == linked
