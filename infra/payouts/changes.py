"""Balances changed by two people, and payouts held: written to the log, then commanded."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from api.operators import Operator, check_writer
from api.payouts import Changed, PayoutRefused, UnknownBatch
from commission.ids import digest
from commission.payouts.changes import Change, command
from commission.payouts.log import Payouts
from commission.payouts.records import ChangeDecided, ChangeRequested, PayoutRecord, PayoutsHeld
from infra.payouts.approvers import ANYBODY, Approvers
from infra.payouts.desk import Publish
from infra.payouts.facts import Facts
from infra.payouts.log import PayoutLog
from schemas.payouts import ChangeRequest, HoldRequest


class ChangeDesk:
    """The one place where balances are changed by hand; it shares the log with the desk of batches."""

    def __init__(
        self,
        log: PayoutLog,
        facts: Facts,
        publish: Publish,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        approvers: Approvers = ANYBODY,
    ) -> None:
        self._log, self._facts, self._publish, self._now = log, facts, publish, now
        self._approvers = approvers

    def newest(self, start: int, limit: int) -> tuple[list[Changed], int]:
        """Some of them, newest first, and how many there are."""
        found = [*self._log.known().changes.values()][::-1]
        return [self._told(change) for change in found[start : start + limit]], len(found)

    def get(self, change_id: str) -> Changed:
        """One, or `UnknownBatch`."""
        return self._told(_change(self._log.known(), change_id))

    def ask(self, wanted: ChangeRequest, by: Operator, key: str) -> Changed:
        """Ask to change a balance; with the same key again, the same change."""
        change_id, at = self._new("change", by, key)

        def make(_known: Payouts, place: int) -> PayoutRecord:
            return ChangeRequested(
                place=place,
                by=by.name,
                at=at,
                change_id=change_id,
                kind=wanted.kind,
                ib_id=wanted.ib,
                currency=wanted.currency,
                amount=Decimal(wanted.amount),
                reason=wanted.reason,
                attachment=wanted.attachment_sha256,
            )

        return self._once(change_id, make)

    def hold(self, wanted: HoldRequest, by: Operator, key: str, *, is_released: bool) -> Changed:
        """Hold payouts or a client's accruals, or release what another person held."""
        change_id, at = self._new("release" if is_released else "hold", by, key)

        def make(known: Payouts, place: int) -> PayoutRecord:
            before, since = known.changes.get(change_id), wanted.since
            if since is None and wanted.client and not is_released:
                asked = before.asked if before is not None else None
                since = asked.since if isinstance(asked, PayoutsHeld) else self._facts.open_since()
            return PayoutsHeld(
                place=place,
                by=by.name,
                at=at,
                change_id=change_id,
                ib_id=wanted.ib,
                statement_id=wanted.statement_id,
                client_id=wanted.client,
                since=None if is_released else since,
                reason=wanted.reason,
                is_released=is_released,
            )

        return self._once(change_id, make)

    def decide(self, change_id: str, by: Operator, reason: str, *, is_approved: bool) -> Changed:
        """Approve what another person asked for, which commands the books; or reject it.

        A hold needs nobody's approval: approving it commands the books once more, after a crash.
        """
        check_writer(by)
        at, state = self._now(), "approved" if is_approved else "rejected"

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            change = _change(known, change_id)
            if change.state == state and change.decided_by in (by.name, ""):
                return None
            if is_approved and isinstance(change.asked, ChangeRequested):
                self._approvers.check(by.name, change.asked.amount, change.asked.currency)
            return ChangeDecided(
                place=place, by=by.name, at=at, change_id=change_id, is_approved=is_approved, reason=reason
            )

        return self._commanded(_change(self._log.decide(make), change_id))

    def _new(self, what: str, by: Operator, key: str) -> tuple[str, datetime]:
        check_writer(by)
        at = self._now()
        return f"c-{digest(what, by.name, key or at.isoformat())[:16]}", at

    def _once(self, change_id: str, make: Callable[[Payouts, int], PayoutRecord]) -> Changed:
        """Write what is asked, unless it was: then it must have been the same."""

        def make_once(known: Payouts, place: int) -> PayoutRecord | None:
            record, found = make(known, place), known.changes.get(change_id)
            if found is None:
                return record
            if _content(found.asked) != _content(record):
                raise PayoutRefused(f"this Idempotency-Key made {change_id} of other content before")
            return None

        return self._commanded(_change(self._log.decide(make_once), change_id))

    def _commanded(self, change: Change) -> Changed:
        # A crash before this leaves the books uncommanded: the same request again commands them, once.
        if (found := command(change)) is not None:
            self._publish([found])
        return self._told(change)

    def _told(self, change: Change) -> Changed:
        return Changed(change, self._facts.answer_of(change.asked.change_id))


def _content(record: PayoutRecord) -> list[object]:
    return [getattr(record, name) for name in record.__struct_fields__ if name not in ("place", "at")]


def _change(known: Payouts, change_id: str) -> Change:
    found = known.changes.get(change_id)
    if found is None:
        raise UnknownBatch(f"no change {change_id[:64]}; `ibflow adjust list` has their ids")
    return found
