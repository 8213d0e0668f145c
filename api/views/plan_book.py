"""Plans as the log has them: who has each, its versions, what the checks say of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from api.ledger import Ledger
from api.views.terms import in_force, known_terms
from commission.terms.catalog import Terms
from commission.terms.checks.check import check_terms
from commission.terms.checks.published import TermsProblem
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord

MAX_HOLDERS = 200
"""IBs named on the page of a plan."""


class PlanLine(NamedTuple):
    """One plan of the list."""

    plan: PlanDefined
    versions: int
    holders: int
    has_more_to_come: bool


class PlanBook:
    """What is known of plans, at one time."""

    def __init__(self, ledger: Ledger, now: datetime) -> None:
        self.terms: Terms = known_terms(ledger)
        self._now = now

    def lines(self) -> list[PlanLine]:
        """Every plan in its version of now, or its first one."""
        held = self._held()
        found = []
        for plan_id, versions in sorted(self.terms.plans.items()):
            plan = in_force(versions, self._now) or versions[0]
            is_last = plan is versions[-1]
            found.append(PlanLine(plan, len(versions), len(held.get(plan_id, ())), not is_last))
        return found

    def versions(self, plan_id: str) -> tuple[PlanDefined, ...]:
        """The oldest first; () of a plan that nobody published."""
        return self.terms.plans.get(plan_id, ())

    def now(self, plan_id: str) -> PlanDefined | None:
        """The version that counts."""
        return in_force(self.versions(plan_id), self._now)

    def holders(self, plan_id: str) -> list[str]:
        """IBs that earn by it now."""
        return self._held().get(plan_id, [])

    def findings(self, plan_id: str) -> list[TermsProblem]:
        """What the checks of terms say of a plan as it is published, the worst first."""
        order = ("error", "trap", "warning", "note")
        found = [
            one
            for one in check_terms(self.records())
            if one.subject[:2] == ("plan", plan_id) or plan_id in one.plans
        ]
        return sorted(found, key=lambda one: order.index(one.severity))

    def records(self) -> Sequence[TermsRecord]:
        """The terms as records again; of rates each pair's newest, which is enough to compare plans."""
        terms = self.terms
        return [
            *(one for versions in terms.symbols.values() for one in versions),
            *(one for versions in terms.plans.values() for one in versions),
            *terms.partners.values(),
            *(series[-1] for series in terms.rates.values()),
            *terms.periods,
        ]

    def _held(self) -> dict[str, list[str]]:
        held: dict[str, list[str]] = {}
        for ib_id, partner in sorted(self.terms.partners.items()):
            one = in_force(partner.schedule, self._now)
            if one is not None and one.plan_id:
                held.setdefault(one.plan_id, []).append(ib_id)
        return held
