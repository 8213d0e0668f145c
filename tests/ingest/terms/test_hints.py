"""What is told to write instead: the slips of people who write terms."""

from pathlib import Path

import pytest

from ingest.terms.folder import InvalidTerms
from ingest.terms.hints import number_hint
from ingest.terms.plan_file import load_plan_file


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("40%", "write 0.4 for 40%"),
        ("12,5 %", "write 0.125 for 12,5 %"),
        ("4,5", "write 4.5, with a point"),
        ("$7", "write 7 alone; the currency is the one that the plan names"),
        ("5 USD", "write 5 alone; the currency is the one that the plan names"),
        # Fifteen hundred to some, one and a half to others.
        ("1,500", ""),
        ("1.500,00", ""),
        ("five", ""),
    ],
)
def test_a_number_that_was_meant_is_told(text: str, hint: str) -> None:
    """Where it is certain; else nothing, and the general hint stands."""
    assert number_hint(text) == hint


FILE = """\
plan: {id: p, version: 1, currency: USD, components: [{kind: per_lot, name: lots, rates: RATES}]}
symbols:
  EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD, base: EUR, digits: 5}
partners:
  - {id: ib-a, name: A, currency: USD, plan: p}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("RATES", '[{match: "*", group: "real\\std*", value: 5}]', r"single quotes, such as 'real\std*'"),
        ("RATES", '[{match: "*", group: "real\\new*", value: 5}]', r"single quotes, such as 'real\std*'"),
        ("RATES", "{*: 5}", 'what begins with * needs quotes, such as "*": 5'),
        ("  EURUSD", "\tEURUSD", "indent with spaces, not with tabs"),
        ("RATES", "{EURUSD: 40%}", "write 0.4 for 40%"),
        ("RATES", "{forex: 5}", "did you mean class:forex?"),
        ("RATES", "{'class:fores': 5}", "did you mean class:forex?"),
        ("RATES", "{EURUSD: 5}, caps: {per_dael: 5}", "did you mean per_deal?"),
        ("RATES", "[{match: EURUSD, value: 5, country: Norwegen}]", "write two capitals of ISO 3166"),
        ("per_lot", "perlot", "did you mean per_lot?"),
        ("plan: p}", "plan: P}", "did you mean p?"),
        ("plan: p}", "plan: p, parent: IB-A}", "did you mean ib-a?"),
        (
            "plan: p}",
            "plan: [p, q]}",
            "ib-a/plan lists p, q; one plan holds at a time; name one, or when each begins",
        ),
        ("name: lots", "name: lots, entry: outt", "did you mean out? choose one of in, out, both"),
    ],
)
def test_a_slip_is_told_with_what_to_write(old: str, new: str, told: str, tmp_path: Path) -> None:
    """Each at its line, in a file that is right but for it."""
    path = tmp_path / "plan.yaml"
    text = FILE.replace(old, new, 1)
    path.write_text(text.replace("RATES", "5"))
    with pytest.raises(InvalidTerms) as caught:
        load_plan_file(path)
    assert any(told in problem.text for problem in caught.value.problems), caught.value.problems


def test_ibs_that_differ_by_letter_case_are_a_warning(tmp_path: Path) -> None:
    """A person would take one for the other."""
    path = tmp_path / "plan.yaml"
    path.write_text(FILE.replace("RATES", "5") + "  - {id: IB-A, name: B, currency: USD, plan: p}\n")
    assert [(w.code, w.line) for w in load_plan_file(path).warnings] == [("ib_case", 6)]
