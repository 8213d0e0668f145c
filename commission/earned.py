"""What rating a deal gives: amounts for IBs, and what the deal adds to components settled by period."""

from decimal import Decimal
from typing import NamedTuple

from commission.rating.values import Factors, Priced
from commission.terms.records import PlanDefined
from commission.terms.upline import Link, Payable


class Earned(NamedTuple):
    """One IB's amount from one component kind of one deal, in the IB's currency."""

    link: Link
    plan: PlanDefined
    depth: int
    kind: str
    amount: Decimal
    rule: str
    lots: Decimal
    factors: Factors
    is_rebate_of_ib: bool = False
    """A client rebate that the IB itself pays for."""


class Worth(NamedTuple):
    """What a deal adds to an IB's measures of a component that the partner book settles."""

    link: Link
    plan: PlanDefined
    depth: int
    kind: str
    component: str
    amounts: tuple[Decimal, ...]
    lots: Decimal
    notional: Decimal


class Rated(NamedTuple):
    """Everything one deal brings."""

    earned: tuple[Earned, ...]
    worths: tuple[Worth, ...]


class Gross(NamedTuple):
    """What one component pays one IB before overrides: by its own rates, then by each band's."""

    payable: Payable
    amounts: tuple[Decimal, ...]
    priced: Priced
