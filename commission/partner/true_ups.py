"""Tallies: each adds to its period, and what that changes is posted as true-ups."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.outputs import Tally, Transfer
from commission.partner.buckets import ComponentPeriods, PeriodTotals, with_tally
from commission.partner.claims import settle_claim
from commission.partner.folding import keep, unfolded
from commission.partner.settlement import Due, Version, due
from commission.partner.waiting import released, wait_for_period, wait_for_plan, wait_for_rate
from commission.rating.values import Factors
from commission.terms.catalog import Terms
from commission.value import Value


def settle(draft: Draft, tally: Tally, terms: Terms) -> list[Transfer]:
    """Add the tally to its period; the rows for what that changes in it and in the periods after it."""
    versions = _versions(tally, terms)
    period = terms.period_at(tally.occurred_at)
    if tally.plan_version not in versions:
        wait_for_plan(draft, tally)
        return []
    if tally.claim is not None:
        return _settle_person(draft, tally, terms)
    if period is None:
        wait_for_period(draft, tally)
        return []
    key = f"s:{tally.ib_id}:{tally.plan_id}:{tally.component}"
    hot: ComponentPeriods = draft.get(key) or ComponentPeriods(currency=tally.currency)
    known = unfolded(draft, key, hot, period, versions.values(), terms)
    component, day = versions[tally.plan_version].component, "|".join(terms.day_of(tally.occurred_at))
    periods = with_tally(known.periods, component, period.period, period.starts_at, day, tally)
    buckets, rows = dict(periods.buckets), list[Transfer]()
    for name, wanted in due(periods, versions, terms, period.period).items():
        if wanted is None:
            own = buckets[period.period]
            buckets[period.period] = replace(own, waits=wait_for_rate(draft, tally, own.waits))
            continue
        bucket = buckets[name]
        found = _Settled(
            tally=tally, version=versions[bucket.version], period=name, bucket=bucket, due=wanted
        )
        if found.delta:
            rows.append(found.row(terms))
            buckets[name] = replace(bucket, posted=bucket.posted + found.delta, times=bucket.times + 1)
    keep(draft, key, known, replace(periods, buckets=buckets), versions, terms)
    return rows


def _settle_person(draft: Draft, tally: Tally, terms: Terms) -> list[Transfer]:
    """A CPA that is paid once for a person: what the claim changes, and in tiers what is paid of it."""
    rows, counted, milestones = settle_claim(draft, tally, terms)
    draft.emit(*milestones)
    return [*rows, *(row for one in counted for row in settle(draft, one, terms))]


def retry(draft: Draft, terms: Terms) -> list[Transfer]:
    """New terms are known: settle what came before them."""
    return [row for tally in released(draft, terms) for row in settle(draft, tally, terms)]


def _versions(tally: Tally, terms: Terms) -> dict[int, Version]:
    """The versions of the plan that have the tally's component, and it as it is in each."""
    return {
        plan.version: Version(plan, component)
        for plan in terms.plans.get(tally.plan_id, ())
        for component in plan.components
        if component.name == tally.component
    }


class _Settled(Value):
    """What a period is worth after a tally."""

    tally: Tally
    version: Version
    period: str
    bucket: PeriodTotals
    due: Due

    @property
    def delta(self) -> Decimal:
        """What is not posted yet."""
        return self.due.amount - self.due.accrued - self.bucket.posted

    def row(self, terms: Terms) -> Transfer:
        """One transfer that brings the period to what it should be, in whichever direction."""
        tally, (plan, component), delta = self.tally, self.version, self.delta
        known = terms.period(self.period)
        assert known is not None, "its tallies waited for it"
        at = max(tally.booked_at or tally.occurred_at, known.starts_at)
        expense, pending = accounts.expense(component.kind), accounts.pending(tally.ib_id)
        factors: Factors = {
            **self.due.factors,
            "due": self.due.amount,
            "accrued": self.due.accrued,
            "posted": self.bucket.posted,
            "trigger": tally.caused_by,
        }
        cause = (
            tally.ib_id,
            plan.plan_id,
            component.name,
            self.period,
            tally.currency,
            str(self.bucket.times),
        )
        return Transfer(
            transfer_id=digest("true_up", *cause),
            code="true_up",
            debit=expense if delta > 0 else pending,
            credit=pending if delta > 0 else expense,
            amount=abs(delta),
            currency=tally.currency,
            ib_id=tally.ib_id,
            occurred_at=at,
            caused_by=f"settlement|{plan.plan_id}|{component.name}|{self.period}",
            component=component.kind,
            rule=component.name,
            plan_id=plan.plan_id,
            plan_version=plan.version,
            matures_at=at + timedelta(days=plan.hold_days) if plan.hold_days else None,
            factors=factors,
        )
