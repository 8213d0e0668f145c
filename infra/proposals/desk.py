"""Proposals: computed, kept in the database, approved by a second person, posted to the client book."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.operators import Operator, check_writer
from api.proposals import ProposalRefused, UnknownProposal
from commission.events import ReratingApproved
from commission.ids import digest
from commission.terms.calendar import PeriodReopened
from commission.two_people import are_two_people
from infra.connect.settings import clickhouse_client, connect, kafka_servers
from infra.payouts.facts import LedgerFacts
from infra.payouts.log import PayoutLog
from infra.payouts.withholding import Withholding
from infra.proposals.preview import Computed, compute
from infra.proposals.reopening import compute_reopening, is_posted
from ingest.publish.publisher import publish_corrections, publish_terms
from schemas.proposals import CHANGES, Change, Preview, Proposal, ProposalRequest, State, Step
from schemas.settings import Settings
from streams.table_rows import INSERT

Publish = Callable[[Sequence[ReratingApproved | PeriodReopened]], object]
"""Writes records to where they enter and returns once all are acknowledged."""


class Payouts(Protocol):
    """What was given out to be paid."""

    def check_unexported(self, period: str, statement_ids: Sequence[str]) -> None:
        """Raise `ProposalRefused` if one of the statements was."""

    def withhold(self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str) -> None:
        """Let no export have them from here on; raise `ProposalRefused` if one has."""


SHOWN = 5
FOREVER = "9999"
"""A creation time after all others, as text."""

_LIST = """
SELECT proposal_id, created_by, created_at, wanted, preview FROM proposals FINAL
WHERE ({id:String} = '' OR proposal_id = {id:String})
  AND (toString(created_at), proposal_id) < ({before:String}, {before_id:String})
ORDER BY created_at DESC, proposal_id DESC LIMIT {limit:UInt32}
"""
_STEPS = """
SELECT proposal_id, state, by, at, note FROM proposal_events FINAL
WHERE proposal_id IN {ids:Array(String)} ORDER BY at, state
"""
_RANKS: tuple[State, ...] = ("posted", "rejected", "approved", "created")
"""What counts if several are there: a rejection while it is being approved stops what is not posted."""


class ProposalDesk:
    """The one place where proposals are made and decided; a process has one, over its database.

    Rows are only added. Two processes over one ClickHouse may decide at once: then a rejection counts,
    unless the rows are posted; publishing twice is harmless, for the fold posts a difference once.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        publish: Publish,
        payouts: Payouts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader, self._writer = connect(), connect()
        self._reading, self._deciding = threading.Lock(), threading.Lock()
        self._publish, self._payouts = publish, payouts
        self._now = now

    def close(self) -> None:
        """Close the clients."""
        self._reader.close()
        self._writer.close()

    def create(self, wanted: ProposalRequest, by: Operator) -> Proposal:
        """Compute what it would post, and keep it; refuse what changes nothing or cannot be told."""
        check_writer(by)
        at = self._now()
        proposal_id = f"p-{digest(wanted.model_dump_json(), by.name, at.isoformat())[:16]}"
        with self._deciding:
            computed = self._compute(wanted, proposal_id, at, (by.name, ""))
            _check_useful(computed, wanted)
            rows = CHANGES.dump_json(computed.changes).decode()
            row = [
                proposal_id,
                by.name,
                at,
                wanted.model_dump_json(),
                computed.preview.model_dump_json(),
                rows,
            ]
            columns = ("proposal_id", "created_by", "created_at", "wanted", "preview", "rows")
            self._writer.insert("proposals", [row], column_names=columns, settings=INSERT)
            self._note(proposal_id, "created", by, at)
        return self.get(proposal_id)

    def newest(self, limit: int, after: tuple[str, str] | None = None) -> list[Proposal]:
        """The newest ones, from after the given creation time and id on."""
        before, before_id = after or (FOREVER, "")
        return self._read(before=before, before_id=before_id, limit=limit)

    def get(self, proposal_id: str) -> Proposal:
        """One, or `UnknownProposal`."""
        found = self._read(proposal_id)
        if not found:
            raise UnknownProposal(f"no proposal {proposal_id}; `ibflow proposals list` has their ids")
        return found[0]

    def changes(self, proposal_id: str) -> tuple[Change, ...]:
        """Every row it would post, or has posted."""
        sql = "SELECT rows FROM proposals FINAL WHERE proposal_id = {id:String}"
        with self._reading:
            rows = self._reader.query(sql, {"id": proposal_id}).result_rows
        if not rows:
            raise UnknownProposal(f"no proposal {proposal_id}; `ibflow proposals list` has their ids")
        return CHANGES.validate_json(rows[0][0])

    def approve(self, proposal_id: str, by: Operator) -> Proposal:
        """Post it, if another person created it and it is still what was previewed."""
        check_writer(by)
        with self._deciding:
            proposal = self.get(proposal_id)
            _check_open(proposal)
            _check_second(proposal, by)
            at = self._now()
            computed = self._compute(proposal.wanted, proposal_id, at, (proposal.created_by, by.name))
            _check_fresh(proposal, computed)
            self._note(proposal_id, "approved", by, at)
            self._post(proposal_id, computed, by)
        return self.get(proposal_id)

    def reject(self, proposal_id: str, by: Operator, note: str = "") -> Proposal:
        """Never post it. Whoever created it may reject it as well."""
        check_writer(by)
        with self._deciding:
            _check_open(self.get(proposal_id))
            self._note(proposal_id, "rejected", by, self._now(), note)
        return self.get(proposal_id)

    def post(self, proposal_id: str, by: Operator) -> Proposal:
        """Post what was approved and not posted to the end; what arrived before counts once."""
        check_writer(by)
        with self._deciding:
            proposal = self.get(proposal_id)
            if proposal.state != "approved":
                raise ProposalRefused(
                    f"{proposal_id} is {proposal.state}; only what was approved is posted again"
                )
            approved = next(step for step in proposal.steps if step.state == "approved")
            if proposal.wanted.reopen and is_posted(self._writer, proposal_id):
                self._note(proposal_id, "posted", by, self._now())
                return self.get(proposal_id)
            people = proposal.created_by, approved.by
            computed = self._compute(proposal.wanted, proposal_id, approved.at, people)
            seen = {(change.caused_by, change.amount, change.ib_id) for change in self.changes(proposal_id)}
            news = {(change.caused_by, change.amount, change.ib_id) for change in computed.changes} - seen
            if news:
                raise _stale(proposal, f"{len(news)} rows that nobody saw")
            self._post(proposal_id, computed, by)
        return self.get(proposal_id)

    def _post(self, proposal_id: str, computed: Computed, by: Operator) -> None:
        state = self.get(proposal_id).state
        if state != "approved":
            raise ProposalRefused(f"{proposal_id} was {state} at the same time; nothing was posted")
        # From here on no export has a statement that is withdrawn; a crash before the records leaves it
        # approved, and posting it again goes on.
        if computed.withdrawn:
            period = self.get(proposal_id).wanted.reopen
            self._payouts.withhold(period, computed.withdrawn, by.name, proposal_id)
        self._publish(computed.records)
        self._note(proposal_id, "posted", by, self._now())

    def _compute(
        self, wanted: ProposalRequest, proposal_id: str, at: datetime, people: tuple[str, str]
    ) -> Computed:
        if not wanted.reopen:
            return compute(self._writer, wanted, proposal_id, at)
        computed = compute_reopening(self._writer, wanted, proposal_id, at, people)
        self._payouts.check_unexported(wanted.reopen, computed.withdrawn)
        return computed

    def _note(self, proposal_id: str, state: State, by: Operator, at: datetime, note: str = "") -> None:
        row = [proposal_id, state, by.name, at, note]
        columns = ("proposal_id", "state", "by", "at", "note")
        self._writer.insert("proposal_events", [row], column_names=columns, settings=INSERT)

    def _read(
        self, proposal_id: str = "", before: str = FOREVER, before_id: str = "", limit: int = 1
    ) -> list[Proposal]:
        values = {"id": proposal_id, "before": before, "before_id": before_id, "limit": limit}
        with self._reading:
            found = self._reader.query(_LIST, values).result_rows
            steps = self._reader.query(_STEPS, {"ids": [row[0] for row in found]}).result_rows
        return [_proposal(row, [step for step in steps if step[0] == row[0]]) for row in found]


def _proposal(row: Sequence[Any], steps: list[Sequence[Any]]) -> Proposal:
    proposal_id, created_by, created_at, wanted, preview = row
    told = tuple(
        Step(state=state, by=by, at=at.replace(tzinfo=UTC), note=note) for _, state, by, at, note in steps
    )
    states = {step.state for step in told}
    return Proposal(
        proposal_id=proposal_id,
        state=next((state for state in _RANKS if state in states), "created"),
        created_by=created_by,
        created_at=created_at.replace(tzinfo=UTC),
        wanted=ProposalRequest.model_validate_json(wanted),
        preview=Preview.model_validate_json(preview),
        steps=told,
    )


def _check_useful(computed: Computed, wanted: ProposalRequest) -> None:
    doubts = computed.preview.undecided
    if doubts and not wanted.leave_undecided:
        shown = "; ".join(f"{doubt.subject}: {doubt.text}" for doubt in doubts[:SHOWN])
        more = f"; and {len(doubts) - SHOWN} more" if len(doubts) > SHOWN else ""
        raise ProposalRefused(
            f"{len(doubts)} of {computed.preview.deals} cannot be rated again: {shown}{more}. "
            "Complete the terms or narrow the window, or leave these as they are with leave_undecided"
        )
    if not computed.records:
        at = ", ".join(f"{place} at {offset}" for place, offset in computed.preview.positions.items())
        raise ProposalRefused(
            f"nothing differs: all {computed.preview.deals} are as the terms known in the archive ({at}) "
            "would have them. If the terms were published just now, try again in a moment"
        )


def _check_open(proposal: Proposal) -> None:
    if proposal.state != "created":
        *_, last = proposal.steps
        hint = "; post what is left with `ibflow proposals post`" if proposal.state == "approved" else ""
        raise ProposalRefused(f"{proposal.proposal_id} was {proposal.state} by {last.by} already{hint}")


def _check_second(proposal: Proposal, by: Operator) -> None:
    if not are_two_people(by.name, proposal.created_by):
        raise ProposalRefused(f"{proposal.proposal_id} was created by {by.name}; a second person approves it")


def _check_fresh(proposal: Proposal, computed: Computed) -> None:
    if computed.preview.fingerprint != proposal.preview.fingerprint:
        was, now = _deltas(proposal.preview), _deltas(computed.preview)
        differs = ", ".join(f"{ib} {was.get(ib, '0')} is now {now.get(ib, '0')}" for ib in sorted(was | now))
        raise _stale(proposal, differs if was != now else f"{now} through other rows")


def _deltas(preview: Preview) -> dict[str, str]:
    return {f"{line.ib_id} {line.currency}": str(line.delta.normalize()) for line in preview.lines}


def _stale(proposal: Proposal, what: str) -> ProposalRefused:
    return ProposalRefused(f"the preview of {proposal.proposal_id} is stale: {what}; create it again")


def open_desk(settings: Settings) -> ProposalDesk:
    """A desk of this process over the configured database; Kafka is looked for when something is posted."""
    clickhouse_client(settings).close()
    return ProposalDesk(
        lambda: connect(settings),
        lambda records: publish_to(kafka_servers(settings), records),
        _LatePayouts(settings),
    )


def publish_to(kafka: str, records: Sequence[ReratingApproved | PeriodReopened]) -> None:
    """Re-ratings to the client book, a reopening to the terms."""
    publish_corrections([record for record in records if isinstance(record, ReratingApproved)], kafka)
    if ends := [record for record in records if isinstance(record, PeriodReopened)]:
        publish_terms(ends, kafka)


class _LatePayouts:
    """The payouts of a Kafka that is looked for when it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_unexported(self, period: str, statement_ids: Sequence[str]) -> None:
        self._open().check_unexported(period, statement_ids)

    def withhold(self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str) -> None:
        self._open().withhold(period, statement_ids, by, proposal_id)

    def _open(self) -> Withholding:
        facts = LedgerFacts(Ledger(lambda: connect(self._settings)))
        return Withholding(PayoutLog(kafka_servers(self._settings)), facts)
