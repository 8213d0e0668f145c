"""Net deposits: what a CPA counts once money was withdrawn, and what an IB has a share of by period."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from commission.events import DepositCleared, WithdrawalPaid
from commission.terms.components import DepositShare
from commission.terms.plans import Clawback, PlanDefined
from tests.oracle.facts import Facts, Link, Waits, fraction, rounded
from tests.oracle.negative import left_after
from tests.oracle.shares import Earned, excess_at

END = datetime.max.replace(tzinfo=UTC)
Left = list[tuple[Fraction, DepositCleared]]


def left_without_withdrawn(
    facts: Facts, client_id: str, left: Left, known: datetime, clawback: Clawback
) -> Left:
    """What is left of deposits, less what was withdrawn by then: of the earliest that had something left."""
    there = {deposit.deposit_id: facts.left(deposit, END, clawback) for _, deposit in left}
    gone = dict.fromkeys(there, Fraction(0))
    for withdrawal in facts.withdrawals(client_id):
        rest, time = fraction(withdrawal.amount), withdrawal.occurred_at
        for _, deposit in left:
            if deposit.occurred_at > time or time > known:
                continue
            wanted = facts.convert(rest, withdrawal.currency, deposit.currency, time)
            taken = min(wanted, there[deposit.deposit_id] - gone[deposit.deposit_id])
            gone[deposit.deposit_id] += taken
            rest = facts.convert(wanted - taken, deposit.currency, withdrawal.currency, time)
    return [(max(Fraction(0), rest - gone[d.deposit_id]), d) for rest, d in left]


def net_shares(facts: Facts) -> list[Earned]:
    """Per IB, component and period: the share of deposits less withdrawals, a negative sum carried on."""
    groups: defaultdict[tuple[str, str], list[Earned]] = defaultdict(list)
    for client_id in facts.clients:
        for event in (*facts.deposits(client_id), *facts.withdrawals(client_id)):
            with suppress(Waits):
                for entry in shares_of(facts, client_id, event):
                    if entry.paid and facts.is_released(entry.plan, client_id, entry.time):
                        groups[entry.who, entry.plan.plan_id].append(left_after(facts, entry))
    return [entry for rows in groups.values() for entry in by_period(facts, rows)]


def shares_of(facts: Facts, client_id: str, event: DepositCleared | WithdrawalPaid) -> list[Earned]:
    """What one movement adds for each IB, or takes: its share above the best one below it."""
    time, owns = event.occurred_at, list[tuple[Link, Fraction]]()
    client, found = facts.clients[client_id], []
    if any(flag.verdict == "fraud" and flag.occurred_at <= time for flag in facts.flags(client_id)):
        return []
    for link in facts.chain(client, time):
        component = next((c for c in link.plan.components if is_net(c)), None) if link.plan else None
        if component is None or link.plan is None:
            continue
        moved = fraction(event.amount)
        if isinstance(event, DepositCleared):
            moved = standing(facts, event, link.plan)
        amount = moved * fraction(component.share) * fraction(link.assignment.factor)
        own = rounded(facts.convert(amount, event.currency, link.partner.currency, time))
        kept = excess_at(own, link, owns, facts, time)
        owns.append((link, own))
        found.append(
            Earned(
                who=link.ib,
                kind="deposit_share",
                currency=link.partner.currency,
                amount=kept if isinstance(event, DepositCleared) else -kept,
                client=client_id,
                time=time,
                clawback=link.plan.clawback,
                plan=link.plan,
                paid=not link.suspended and not link.is_client(client),
                from_deal=False,
                cause=getattr(event, "deposit_id", ""),
            )
        )
    return found


def is_net(component: object) -> bool:
    """Whether it pays for net deposits."""
    return isinstance(component, DepositShare) and component.of == "net"


def by_period(facts: Facts, rows: list[Earned]) -> list[Earned]:
    """At least 0 each period, what is below that carried into the next."""
    carried, found = Fraction(0), []
    for period in sorted(facts.periods.values(), key=lambda period: period.starts_at):
        own = [row for row in rows if period.starts_at <= row.time < period.ends_at]
        balance = carried + sum((row.amount for row in own), Fraction(0))
        if balance > 0:
            found.append(replace(rows[-1], amount=balance))
        carried = min(Fraction(0), balance)
    return found


def standing(facts: Facts, deposit: DepositCleared, plan: PlanDefined) -> Fraction:
    """What of a deposit the plan's clawback leaves."""
    rest = fraction(deposit.amount)
    for back in facts.chargebacks(deposit.client_id):
        age = back.occurred_at - deposit.occurred_at
        scope = getattr(plan.clawback, back.reason)
        if back.deposit_id != deposit.deposit_id or scope == "none":
            continue
        if age <= timedelta(days=plan.clawback.window_days):
            rest -= rest if back.amount is None else fraction(back.amount)
    return max(Fraction(0), rest)
