"""The rules found in the wild, each against its published figure: examples/plans, case by case."""

import re
from pathlib import Path

import pytest

from infra.plans.case_lines import Case
from infra.plans.cases import PlanCases, load_cases
from infra.plans.run import run_case

PLANS = Path(__file__).parent.parent / "examples" / "plans"
RULES = 31
"""Rules in the facts' table of rules found in the wild."""

FILES = {path.stem: load_cases(path) for path in sorted(PLANS.glob("*.yaml"))}
CASES = [
    pytest.param(file, case, id=f"{name}: {case.case}") for name, file in FILES.items() for case in file.cases
]
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


@pytest.mark.parametrize(("file", "case"), CASES)
def test_a_plan_pays_what_was_worked_out_by_hand(file: PlanCases, case: Case) -> None:
    """Every IB gets exactly what the case says, and nobody else anything."""
    mismatches = run_case(case, file.terms)
    assert not mismatches, "\n".join(str(mismatch) for mismatch in mismatches)


def test_every_rule_has_its_file() -> None:
    """31 rules, numbered as in the facts, each with a case, a title and a source."""
    numbers = {int(name[:2]) for name in FILES if re.match(r"\d\d-", name)}
    assert set(range(1, RULES + 1)) == numbers
    assert [] == [name for name, file in FILES.items() if not (file.cases and file.title and file.source)]


@pytest.mark.parametrize("number", PUBLISHED)
def test_the_published_figure_is_what_a_case_expects(number: int) -> None:
    """A case may not be bent to what the code says: the source's figure is among the expectations."""
    (file,) = (file for name, file in FILES.items() if name.startswith(f"{number:02}-"))
    expected = {" ".join(str(money.amount) for money in case.pays.values()) for case in file.cases}
    assert PUBLISHED[number] in expected


def test_the_readme_links_every_file() -> None:
    """The table of shapes is complete, and points at files that exist."""
    linked = set(re.findall(r"\]\(([\w.-]+\.yaml)\)", (PLANS / "README.md").read_text()))
    assert {path.name for path in PLANS.glob("*.yaml")} == linked
