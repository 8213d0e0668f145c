"""A plan's KYC gate: when an accrual is forfeited."""

from datetime import datetime, timedelta

from commission.client.state import ClientState, Posted
from commission.rating.values import Earned

FORFEITED = -1
"""In place of a number of releases: the money went back to the broker by itself."""


def is_held(entry: Posted, client: ClientState) -> bool:
    """Whether the money still waits where it was posted."""
    return entry.held and entry.release == len(client.released_at)


def is_forfeited(entry: Posted, client: ClientState) -> bool:
    """Whether the money went back to the broker already, when the hold ended."""
    if entry.release == FORFEITED:
        return True
    if not entry.held or entry.expires_at is None or entry.release >= len(client.released_at):
        return False
    return client.released_at[entry.release] > end_of_day(entry.expires_at)


def released(entry: Posted, client: ClientState) -> Posted:
    """Where an accrual is once a newer status let an earlier approval reach it; the same if none does."""
    at = entry.earned_at
    if not is_held(entry, client) or at is None or not client.is_released(at):
        return entry
    is_late = entry.expires_at is not None and is_too_late(client, at, (entry.expires_at - at).days)
    return entry._replace(release=FORFEITED) if is_late else entry._replace(held=False)


def is_lost(client: ClientState, one: Earned, at: datetime) -> bool:
    """Whether the KYC gate of its plan forfeits an amount for good, so that it is not posted."""
    days = one.plan.kyc_forfeit_days if one.plan.kyc_gate else 0
    return bool(days) and is_too_late(client, at, days)


def is_too_late(client: ClientState, earned_at: datetime, forfeit_days: int) -> bool:
    """Whether KYC was approved only after what was earned then had expired, whatever was learned first."""
    before = [mark for mark in client.kyc if mark.at <= earned_at]
    if before and before[-1].status == "approved":
        return False
    approved_at = next((m.at for m in client.kyc if m.at > earned_at and m.status == "approved"), None)
    expires_at = end_of_day(earned_at + timedelta(days=forfeit_days))
    return approved_at is not None and approved_at > expires_at


def end_of_day(at: datetime) -> datetime:
    """Holds expire by the day, so that a client has few of them."""
    return at.replace(hour=23, minute=59, second=59, microsecond=999_999)
