"""What an explanation is about: one ledger row with everything known of its cause."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from commission.events import Deal
from commission.explain import words
from commission.money import EXACT
from commission.outputs import Transfer
from commission.rating.values import Factors
from commission.terms.components import Component
from commission.terms.plans import PlanDefined


class Subject(NamedTuple):
    """A row, its deal and plan where known, its factors as numbers, and names of IBs."""

    row: Transfer
    deal: Deal | None
    plan: PlanDefined | None
    factors: Factors
    names: Mapping[str, str]
    cause: str = ""
    """What a reversal came from, in words: `The chargeback of deposit dep-1 (crm-7)`."""

    @property
    def component(self) -> Component | None:
        """The plan's component that made the row; the first of several."""
        return self.component_of(self.row.rule)

    def component_of(self, rule: str) -> Component | None:
        """The plan's component of a rule `name/match`."""
        name = rule.partition("/")[0]
        return next((c for c in self.plan.components if c.name == name), None) if self.plan else None

    @property
    def currency(self) -> str:
        """The IB's."""
        return self.row.currency

    def money(self, amount: Decimal) -> str:
        """An amount in the IB's currency."""
        return words.money(amount, self.currency)

    def ib(self, ib_id: str) -> str:
        """An IB by name and id, or by id."""
        name = self.names.get(ib_id)
        return f"{name} ({ib_id})" if name and name != ib_id else ib_id


def text(factors: Factors, name: str) -> str:
    """A factor as text; "" where it is not there."""
    return str(factors.get(name, ""))


def decimal(factors: Factors, name: str) -> Decimal | None:
    """A factor as a number; None where it is not there or is none."""
    found = factors.get(name)
    return found if isinstance(found, Decimal) else None


def product(numbers: list[Decimal]) -> Decimal:
    """All of them multiplied, exactly."""
    total = Decimal(1)
    for one in numbers:
        total = EXACT.multiply(total, one)
    return total


def is_one_of_several(subject: Subject) -> bool:
    """Whether several rules made the row: their factors carry the names of theirs."""
    return " + " in subject.row.rule


def settled(subject: Subject) -> Decimal:
    """What the component paid in the IB's currency before any cap, as the factors have it."""
    return first(subject, "uncapped", "base", "own", "before_limit", "before_budget")


def first(subject: Subject, *names: str) -> Decimal:
    """The first of some factors that is there; else the amount itself."""
    found = (decimal(subject.factors, name) for name in names)
    return next((value for value in found if value is not None), subject.row.amount)
