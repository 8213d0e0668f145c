"""The JSON Schema of plans: what the loader reads validates, and what it refuses by form does not."""

from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from schemas.plan_schema import plan_file_schema

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = [EXAMPLES / "broker" / "terms" / "plans.yaml", *sorted((EXAMPLES / "plans").glob("*.yaml"))]
SHORT = """\
plan:
  id: p
  version: 1
  currency: USD
  since: 2026-01-01
  budget: 0.6
  when: {countries_not: US}
  components:
    - kind: per_lot
      name: a
      rates: [2, {EURUSD: 3}, {value: 4, client: c1, since: 2026-01-01T12:00:00Z}]
      override: {mode: cascade, pass_up: 0.2}
      tiers: {by: lots, bands: [{from: 100, rates: 6}]}
    - {kind: per_lot, name: b, rates: 2, override: absolute}
    - {kind: cpa, name: c, amount: 400, min_deposit: "500.00"}
    - {kind: cpl, name: d, amounts: [{amount: 5, country: CY}]}
symbols:
  EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD}
partners:
  - {id: a, name: A, currency: USD, kyc: approved, rank: gold, plan: p, status: active}
  - {id: b, name: B, currency: USD, parent: [{parent: a}], plan: [{plan: null, since: 2026-01-01}]}
rates: [{as_of: 2026-01-01, rates: {EUR/USD: 1.1}}]
expect: [anything]
"""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(plan_file_schema())


def plain(value: Any) -> Any:
    """As an editor sees the YAML: dates are texts."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def errors(validator: Draft202012Validator, text: str) -> list[str]:
    data = plain(YAML(typ="safe").load(StringIO(text)))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


def test_the_schema_is_one() -> None:
    """It is valid under its own dialect."""
    Draft202012Validator.check_schema(plan_file_schema())


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_examples_validate(validator: Draft202012Validator, path: Path) -> None:
    """Every file of plans in the examples has the form."""
    assert errors(validator, path.read_text(encoding="utf-8")) == []


def test_the_short_forms_validate(validator: Draft202012Validator) -> None:
    """What stands for a longer form is a form as well."""
    assert errors(validator, SHORT) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: one"),
        ("budget: 0.6", "budgett: 0.6"),
        ("kind: cpl", "kind: cpx"),
        ("rates: 2,", "rates: 1e3x,"),
        ("from: 100", "start: 100"),
        ("amount: 400", "amount: 400, amounts: [{amount: 1}]"),
        ("override: absolute", "override: upwards"),
        ("since: 2026-01-01\n", "since: soon\n"),
        ("kyc: approved", "kyc: true"),
        ("plan:\n  id", "plain:\n  id"),
        ("pip: 0.0001, ", ""),
    ],
)
def test_a_mistake_of_form_does_not(validator: Draft202012Validator, old: str, new: str) -> None:
    """Unknown keys, missing ones, and values of another type are found while writing."""
    assert old in SHORT
    assert errors(validator, SHORT.replace(old, new, 1)) != []


def test_descriptions_are_the_docstrings() -> None:
    """A field is told in the words of `commission.terms.records`, inherited ones too."""
    defs = plan_file_schema()["$defs"]
    assert defs["PerLot"]["description"].startswith("Money per lot:")
    assert defs["PerLot"]["properties"]["entry"]["description"].startswith("The volume that counts:")
    assert defs["When"]["properties"]["result"]["description"] == "By the sign of the deal's profit."
