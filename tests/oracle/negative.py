"""What negative events leave of an amount: charged back, flagged, revoked, forfeited."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from commission.events import ChargebackReceived
from tests.oracle.facts import Facts, fraction, rounded
from tests.oracle.shares import Earned


def left_after(facts: Facts, entry: Earned) -> Earned:
    """The same entry with what is left of it in the end."""
    shares = [share for share in taken(facts, entry) if share]
    if not shares:
        return entry
    if sum(shares) >= 1:
        nothing = tuple(Fraction(0) for _ in entry.bands)
        return replace(entry, amount=Fraction(0), bands=nothing, lots=Fraction(0))

    def rest(amount: Fraction) -> Fraction:
        return amount - sum((rounded(amount * share) for share in shares), Fraction(0))

    return replace(entry, amount=rest(entry.amount), bands=tuple(rest(band) for band in entry.bands))


def taken(facts: Facts, entry: Earned) -> list[Fraction]:
    """Which shares of an entry its client's events take, each of the original amount."""
    clawback, client = entry.clawback, entry.client
    found = [of_chargeback(facts, entry, back) for back in facts.chargebacks(client)]
    for flag in facts.flags(client):
        scope = clawback.fraud if flag.verdict == "fraud" else clawback.bonus_removed
        ends = flag.verdict == "fraud" and entry.time >= flag.occurred_at
        found.append(Fraction(ends or (scope == "all" and in_window(entry, flag.occurred_at))))
    found += [
        Fraction(clawback.kyc_revoked == "all" and in_window(entry, change.occurred_at))
        for change in facts.kyc(client)
        if change.status == "revoked"
    ]
    return [*found, Fraction(is_forfeited(facts, entry))]


def in_window(entry: Earned, time: datetime) -> bool:
    """Whether an event comes after an entry, and not too long after."""
    age = time - entry.time
    return timedelta(0) <= age <= timedelta(days=entry.clawback.window_days)


def of_chargeback(facts: Facts, entry: Earned, back: ChargebackReceived) -> Fraction:
    """The disputed part of what deals earned (since the deposit, or ever); under `all` the rest whole."""
    scope = getattr(entry.clawback, back.reason)
    if scope not in ("activity", "all") or not in_window(entry, back.occurred_at):
        return Fraction(0)
    deposit = next((d for d in facts.deposits(back.client_id) if d.deposit_id == back.deposit_id), None)
    if deposit is None:
        return Fraction(0)
    if entry.cause == back.deposit_id or (scope == "activity" and entry.time < deposit.occurred_at):
        return Fraction(0)
    if not entry.from_deal:
        return Fraction(scope == "all")
    before = facts.left(deposit, back.occurred_at - timedelta(microseconds=1))
    return (before - facts.left(deposit, back.occurred_at)) / fraction(deposit.amount)


def is_forfeited(facts: Facts, entry: Earned) -> bool:
    """Whether it was held too long when the client's KYC was approved."""
    days = entry.plan.kyc_forfeit_days
    if not entry.plan.kyc_gate or not days:
        return False
    changes = facts.kyc(entry.client)
    before = [change.status for change in changes if change.occurred_at <= entry.time]
    if before[-1:] == ["approved"]:
        return False
    approvals = [c.occurred_at for c in changes if c.status == "approved" and c.occurred_at > entry.time]
    return bool(approvals) and (approvals[0].date() - entry.time.date()).days > days
