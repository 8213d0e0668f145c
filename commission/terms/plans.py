"""Plans: their components, budget and clawback."""

from decimal import Decimal
from typing import Literal

from msgspec import field

from commission.terms.components import Component, RevenueTerm
from commission.terms.rates import ALWAYS, ZERO, LotFactor, When
from commission.value import TaggedValue, Text, Time, Value

ClawbackScope = Literal["none", "cpa", "activity", "all"]


class Clawback(Value):
    """What a negative event takes back, of accruals at most `window_days` older than the event.

    `cpa`: CPA and deposit shares that no longer stand without the deposit. `activity`: also what deals
    earned between the disputed deposit and the event. `all`: everything of the client. A partial
    chargeback takes back its share of the activity. `fraud` also ends the client's earning.
    """

    window_days: int = 180
    chargeback: ClawbackScope = "cpa"
    refund: ClawbackScope = "cpa"
    deposit_reversal: ClawbackScope = "cpa"
    kyc_revoked: Literal["none", "all"] = "none"
    bonus_removed: Literal["none", "all"] = "none"
    fraud: Literal["none", "all"] = "all"


class Budget(Value):
    """All IBs together get at most `share` of the broker's revenue on a deal.

    Revenue is the sum of `revenue` terms of the deal as in `RevenueShare` (spread measured or the
    symbol's average). What exceeds it is cut from all in proportion. The budget of the lowest IB's
    plan counts.
    """

    share: Decimal
    revenue: tuple[RevenueTerm, ...] = ("spread", "commission")


class Accepted(Value):
    """A trap that the checks find in the plan, and why it is meant: by name, so that it is on record.

    `trap` is the name that the checks give it, such as `overlap`. Without it the plan is not published.
    """

    trap: Text
    because: Text


class PlanDefined(TaggedValue, tag="plan_defined"):
    """How an IB's amounts arise. `currency` is that of money rates and of CPA amounts.

    A version counts for what happened from `since` on, until a newer version does.
    """

    plan_id: Text
    version: int
    currency: Text
    components: tuple[Component, ...]
    name: Text = ""
    since: Time | None = None
    when: When = ALWAYS
    """Holds for every component that pays for deals, beside the component's own."""
    lot_factors: tuple[LotFactor, ...] = ()
    budget: Budget | None = None
    clawback: Clawback = field(default_factory=Clawback)
    kyc_gate: bool = True
    """What a client's activity earns is held until the client's KYC is approved."""
    kyc_forfeit_days: int = 0
    """Held money earned more days (of UTC) before the approval is forfeited, not released; 0 is never."""
    ib_kyc_gate: bool = False
    """Nothing becomes payable before the IB's own KYC is approved; it is carried over."""
    agreement_gate: bool = False
    """The same before the IB has accepted its agreement."""
    hold_days: int = 0
    """An accrual matures this long after its deal: it enters the statement of that day."""
    min_payout: Decimal = ZERO
    """A statement below it, in the IB's currency, pays nothing and is carried over."""
    self_referral: bool = False
    """Whether an IB earns on its own trades: on clients of the same declared identity."""
    accept: tuple[Accepted, ...] = ()
    """What looks like a mistake and is meant."""

    def component(self, name: str) -> Component | None:
        """Its component of that name."""
        return next((component for component in self.components if component.name == name), None)
