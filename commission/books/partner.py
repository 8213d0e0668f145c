"""The partner book: fold one IB's transfers into balances by period, and close statements."""

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.money import Money, round_payable
from commission.outputs import Statement, Tally, Transfer
from commission.partner.buckets import ComponentPeriods, PeriodTotals, place_of, with_tally
from commission.partner.claims import KEYS as CLAIM_KEYS
from commission.partner.claims import settle_claim
from commission.partner.folding import folded, is_old
from commission.partner.settlement import Due, Version, due
from commission.partner.statement_hash import statement_hash, total_of, with_row
from commission.partner.statement_membership import open_period
from commission.rating.values import ZERO, Factors
from commission.sums import NOTHING
from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.catalog import Terms
from commission.terms.components import Component
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.value import value


@value
class Turnover:
    """What one period brought to pending: accruals and releases, and what was taken back."""

    accrued: Decimal = ZERO
    reversed: Decimal = ZERO
    rows: int = 0
    total: int = 0
    """The sum that proves the rows, of `commission.partner.statement_hash`."""


@value
class Balance:
    """One currency of an IB: what was carried from closed statements, and what the open ones hold."""

    carried: Decimal = ZERO
    held: Decimal = ZERO
    open: dict[str, Turnover] = field(default_factory=dict)
    """Period → turnover; "" where the terms defined no period for the time of a transfer."""
    last: str = ""
    """Hash of the newest statement."""


@value
class PartnerState:
    """One IB: a balance for each currency, and what of the calendar is closed."""

    closed: datetime | None = None
    """When the newest closed period began."""
    balances: dict[str, Balance] = field(default_factory=dict)


@value
class WaitingTallies:
    """Tallies that came before their plan or period, or lack a rate: terms reach both books in their time."""

    tallies: tuple[Tally, ...] = ()


KEYS: dict[str, type] = {"i": PartnerState, "s": ComponentPeriods, "w": WaitingTallies, **CLAIM_KEYS}
"""The first letter of a state key tells its type."""
WAITING = "w"


def _partner_key(ib_id: str) -> str:
    return f"i:{ib_id}"


def _component_key(tally: Tally) -> str:
    return f"s:{tally.ib_id}:{tally.plan_id}:{tally.component}"


def apply(draft: Draft, record: Transfer | Tally, terms: Terms) -> None:
    """Book a transfer of an IB, or settle anew what a tally adds to."""
    if isinstance(record, Tally):
        _settle_tally(draft, record, terms)
    else:
        _book(draft, record, terms)


def _book(draft: Draft, record: Transfer, terms: Terms) -> None:
    """Book one transfer into the period of its own time, or the open one if that is closed."""
    key = _partner_key(record.ib_id)
    partner: PartnerState = draft.get(key) or PartnerState()
    balance = partner.balances.get(record.currency) or Balance()
    held, turnovers = balance.held, balance.open
    held_by, pending = accounts.held(record.ib_id), accounts.pending(record.ib_id)
    if pending in (record.credit, record.debit):
        period = open_period(partner.closed, record, terms)
        known = turnovers.get(period) or Turnover()
        accrued, reversed_ = known.accrued, known.reversed
        if record.credit == pending:
            accrued += record.amount
        else:
            reversed_ += record.amount
        total = with_row(known.total, record)
        turnover = Turnover(accrued=accrued, reversed=reversed_, rows=known.rows + 1, total=total)
        turnovers = {**turnovers, period: turnover}
    if record.credit == held_by:
        held += record.amount
    if record.debit == held_by:
        held -= record.amount
    balance = Balance(carried=balance.carried, held=held or ZERO, open=turnovers, last=balance.last)
    balances = {**partner.balances, record.currency: balance}
    draft.put(key, PartnerState(closed=partner.closed, balances=balances))


def retry_early(draft: Draft, terms: Terms) -> None:
    """New terms are known: settle what came before them."""
    waiting: WaitingTallies | None = draft.get(WAITING)
    if waiting is not None:
        draft.put(WAITING, None)
        for tally in waiting.tallies:
            _settle_tally(draft, tally, terms)


# Tallies: what a period brings beyond its accruals


def _settle_tally(draft: Draft, tally: Tally, terms: Terms) -> None:
    """Add the tally to its period, and post what that changes in it and in the periods after it."""
    key = _component_key(tally)
    settling: ComponentPeriods = draft.get(key) or ComponentPeriods(currency=tally.currency)
    component = _component(terms.plan_version(tally.plan_id, tally.plan_version), tally.component)
    period = terms.period_at(tally.occurred_at)
    if component is None or (period is None and tally.claim is None):
        _wait(draft, tally)
        return
    if tally.claim is not None or period is None:
        _settle_person(draft, tally, terms)
        return
    day = "|".join(terms.day_of(tally.occurred_at))
    place, starts_at = place_of(settling, period.period, period.starts_at)
    settling = with_tally(settling, component, place, starts_at, day, tally)
    versions = _versions(settling, tally, terms)
    has_old = is_old(settling, next(iter(settling.buckets)), terms)
    settled: set[str] = set()
    buckets = dict(settling.buckets)
    for name, wanted in due(settling, versions, terms, "" if has_old else place).items():
        if wanted is None:
            _wait(draft, tally.measuring(NOTHING))
            continue
        settled.add(name)
        bucket = buckets[name]
        found = Settled(tally=tally, version=versions[bucket.version], period=name, bucket=bucket, due=wanted)
        if found.delta:
            row = found.row(terms, told_for="" if place == period.period else period.period)
            draft.emit(row)
            _book(draft, row, terms)
            buckets[name] = replace(bucket, posted=bucket.posted + found.delta, times=bucket.times + 1)
    settling = replace(settling, buckets=buckets)
    draft.put(key, folded(settling, versions, terms, settled) if has_old else settling)


def _settle_person(draft: Draft, tally: Tally, terms: Terms) -> None:
    """A CPA that is paid once for a person: post what the claim changes, count in tiers what is paid."""
    rows, counted, milestones = settle_claim(draft, tally, terms)
    draft.emit(*rows, *milestones)
    for row in rows:
        _book(draft, row, terms)
    for one in counted:
        _settle_tally(draft, one, terms)


def _versions(settling: ComponentPeriods, tally: Tally, terms: Terms) -> dict[int, Version]:
    """The versions of the plan under which something counted."""
    recent = settling.opening.recent if settling.opening is not None else {}
    found: dict[int, Version] = {}
    for bucket in (*recent.values(), *settling.buckets.values()):
        for number in bucket.versions:
            if number not in found:
                plan = terms.plan_version(tally.plan_id, number)
                component = _component(plan, tally.component)
                assert plan is not None, "its tallies waited for it"
                assert component is not None, "its tallies waited for it"
                found[number] = Version(plan, component)
    return found


def _component(plan: PlanDefined | None, name: str) -> Component | None:
    return next((c for c in plan.components if c.name == name), None) if plan is not None else None


def _wait(draft: Draft, tally: Tally) -> None:
    """Settle the tally's component again when new terms arrive; an empty tally adds nothing then."""
    waiting: WaitingTallies = draft.get(WAITING) or WaitingTallies()
    if tally not in waiting.tallies:
        draft.put(WAITING, WaitingTallies(tallies=(*waiting.tallies, tally)))


@value
class Settled:
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

    def row(self, terms: Terms, told_for: str) -> Transfer:
        """One transfer that brings the period to what it should be, in whichever direction.

        `told_for` is the tally's own period, where that is folded and the tally counts in this one.
        """
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
            factors=factors | ({"told_for": told_for} if told_for else {}),
        )


# Statements


def close(draft: Draft, ended: PeriodEnded, terms: Terms) -> None:
    """Close the period for every IB that has a state here; closing it again does nothing."""
    period = terms.period(ended.period)
    if period is None:
        return
    for ib_id in sorted(terms.partners):
        partner: PartnerState | None = draft.get(_partner_key(ib_id))
        if partner is None or (partner.closed is not None and partner.closed >= period.starts_at):
            continue
        least = _least_payable(terms.partners[ib_id], period, terms)
        balances = {
            currency: _close_balance(
                draft, ib_id, currency, balance, _due_names(balance, period, terms), period, least
            )
            for currency, balance in sorted(partner.balances.items())
        }
        draft.put(_partner_key(ib_id), PartnerState(closed=period.starts_at, balances=balances))


def _least_payable(partner: PartnerDefined, period: PeriodDefined, terms: Terms) -> Decimal | None:
    """The least that is paid by the IB's plan at the period's last instant; None while a gate is shut."""
    plan = terms.plan_of(partner, period.last_instant)
    if plan is None:
        return ZERO
    is_approved, has_agreed = terms.gates_of(partner.ib_id, period.last_instant)
    if (plan.ib_kyc_gate and not is_approved) or (plan.agreement_gate and not has_agreed):
        return None
    return plan.min_payout


def _due_names(balance: Balance, period: PeriodDefined, terms: Terms) -> list[str]:
    """The open periods that a statement of this one takes up: itself, those before, and what has none."""
    starts = {name: terms.period(name) for name in balance.open}
    return [name for name, known in starts.items() if known is None or known.starts_at <= period.starts_at]


def _close_balance(
    draft: Draft,
    ib_id: str,
    currency: str,
    balance: Balance,
    due: Sequence[str],
    period: PeriodDefined,
    least: Decimal | None,
) -> Balance:
    accrued = sum((balance.open[name].accrued for name in due), ZERO)
    reversed_ = sum((balance.open[name].reversed for name in due), ZERO)
    total = balance.carried + accrued - reversed_
    payable = residue = ZERO
    if total > 0 and least is not None and total >= least:
        rounded, rest = round_payable(Money(total, currency))
        if rounded.amount > 0:
            payable, residue = rounded.amount, rest.amount
    closing = total - payable - residue or ZERO
    rows = tuple(_settle(ib_id, currency, period, payable, residue))
    statement = Statement(
        statement_id=digest("statement", ib_id, period.period, currency),
        ib_id=ib_id,
        period=period.period,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        currency=currency,
        opening=balance.carried,
        accrued=accrued,
        reversed=reversed_,
        payable=payable,
        rounding=residue,
        closing=closing,
        held=balance.held,
        transfers=sum(balance.open[name].rows for name in due) + len(rows),
        previous=balance.last,
    )
    proof = statement_hash(statement, total_of(rows, sum(balance.open[name].total for name in due)))
    draft.emit(*rows, replace(statement, hash=proof))
    rest_open = {name: turnover for name, turnover in balance.open.items() if name not in due}
    return Balance(carried=closing, held=balance.held, open=rest_open, last=proof)


def _settle(
    ib_id: str, currency: str, period: PeriodDefined, payable: Decimal, residue: Decimal
) -> Iterator[Transfer]:
    """Move what is due to payable, and what rounding left to `rounding`, in whichever direction."""
    pending = accounts.pending(ib_id)
    moves: list[tuple[str, str, str, Decimal]] = []
    if payable:
        moves.append(("statement", pending, accounts.payable(ib_id), payable))
    if residue > 0:
        moves.append(("rounding", pending, accounts.ROUNDING, residue))
    elif residue < 0:
        moves.append(("rounding", accounts.ROUNDING, pending, -residue))
    for code, debit, credit, amount in moves:
        yield Transfer(
            transfer_id=digest(code, ib_id, period.period, currency),
            code="statement" if code == "statement" else "rounding",
            debit=debit,
            credit=credit,
            amount=amount,
            currency=currency,
            ib_id=ib_id,
            occurred_at=period.ends_at,
            caused_by=f"period|{period.period}",
            period=period.period,
        )
