"""Proposals: computed, kept on their log, approved by a second person, posted to the books."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.operators import Operator, check_writer
from api.proposals import ProposalRefused, UnknownProposal
from commission.events import ReratingApproved
from commission.ids import digest
from commission.proposals.log import KnownProposal, Proposals, state_of
from commission.proposals.records import (
    ProposalApproved,
    ProposalCreated,
    ProposalPosted,
    ProposalRejected,
)
from commission.terms.calendar import PeriodReopened
from infra.connect.settings import clickhouse_client, connect, prepared_kafka
from infra.payouts.facts import LedgerFacts
from infra.payouts.log import PayoutLog
from infra.payouts.withholding import Withholding
from infra.proposals.log import ProposalLog
from infra.proposals.preview import Computed, compute
from infra.proposals.reopening import compute_reopening, is_posted
from ingest.publish.publisher import publish_corrections, publish_terms
from schemas.proposals import CHANGES, Change, Preview, Proposal, ProposalRequest, Step
from schemas.settings import Settings

Publish = Callable[[Sequence[ReratingApproved | PeriodReopened]], object]
"""Writes records to where they enter and returns once all are acknowledged."""


class Payouts(Protocol):
    """What was given out to be paid."""

    def check_unexported(self, period: str, statement_ids: Sequence[str]) -> None:
        """Raise `ProposalRefused` if one of the statements was."""

    def withhold(self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str) -> None:
        """Let no export have them from here on; raise `ProposalRefused` if one has."""


SHOWN = 5
POST_AGAIN = "; post what is left with `ibflow proposals post`"


class ProposalDesk:
    """The one place where proposals are made and decided; a process has one, over its database and the log.

    Of two processes that decide at once one is first, and the other sees it. What follows from an approval
    may be written by both: publishing twice is harmless, for the fold posts a difference once.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        log: ProposalLog,
        publish: Publish,
        payouts: Payouts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client, self._log = connect(), log
        self._deciding = threading.Lock()
        self._publish, self._payouts = publish, payouts
        self._now = now

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def create(self, wanted: ProposalRequest, by: Operator, key: str = "") -> Proposal:
        """Compute what it would post, and keep it; refuse what changes nothing or cannot be told.

        With the same key again it is the same proposal.
        """
        check_writer(by)
        at = self._now()
        proposal_id = (
            f"p-{digest('proposal', by.name, key or at.isoformat(), '' if key else _text(wanted))[:16]}"
        )
        with self._deciding:
            if (known := self._log.known().known.get(proposal_id)) is not None:
                return _repeated(known, wanted)
            computed = self._compute(wanted, proposal_id, at, (by.name, ""))
            _check_useful(computed, wanted)
            # 1 its rows: without the record that names them they are nobody's
            rows_id = digest(CHANGES.dump_json(computed.changes).decode())
            parts = self._log.write_rows(rows_id, computed.changes)

            # 2 the proposal
            def make(known: Proposals, place: int) -> ProposalCreated | None:
                if proposal_id in known.known:
                    return None
                return ProposalCreated(
                    place=place,
                    by=by.name,
                    at=at,
                    proposal_id=proposal_id,
                    reason=wanted.title,
                    wanted=_text(wanted),
                    preview=computed.preview.model_dump_json(),
                    rows_id=rows_id,
                    parts=parts,
                    reopens=wanted.reopen,
                )

            return _repeated(self._log.decide(make).known[proposal_id], wanted)

    def newest(self, limit: int, after: tuple[str, str] | None = None) -> list[Proposal]:
        """The newest ones, from after the given creation time and id on."""
        found = sorted(self._log.known().known.values(), key=_age, reverse=True)
        older = [one for one in found if after is None or _age(one) < after]
        return [_proposal(one) for one in older[:limit]]

    def get(self, proposal_id: str) -> Proposal:
        """One, or `UnknownProposal`."""
        return _proposal(self._find(proposal_id))

    def changes(self, proposal_id: str, start: int, end: int) -> tuple[Change, ...]:
        """Rows it would post, or has posted, from `start` to before `end`."""
        return self._log.read_rows(self._find(proposal_id), start, end)

    def approve(self, proposal_id: str, by: Operator, note: str = "") -> Proposal:
        """Post it, if another person created it and it is still what was previewed.

        Done again by who approved it, it goes on where that stopped.
        """
        check_writer(by)
        with self._deciding:
            found = self._find(proposal_id)
            if found.approved is not None and found.approved.by == by.name:
                return self._finish(found, by)
            at = self._now()

            def make(known: Proposals, place: int) -> ProposalApproved:
                record = ProposalApproved(
                    place=place, by=by.name, at=at, proposal_id=proposal_id, reason=note
                )
                if why := known.why_not(record):
                    raise ProposalRefused(why + _hint(known.known[proposal_id]))
                return record

            make(self._log.known(), 0)  # who may not is told before the archive is folded
            people = found.created.by, by.name
            proposal = _proposal(found)
            computed = self._compute(proposal.wanted, proposal_id, at, people)
            _check_fresh(proposal, computed)
            # 1 the decision: from here on it is posted, however often a process ends meanwhile
            return self._post(self._log.decide(make).known[proposal_id], computed, by)

    def reject(self, proposal_id: str, by: Operator, note: str = "") -> Proposal:
        """Never post it. Whoever created it may reject it as well."""
        check_writer(by)
        at = self._now()

        def make(known: Proposals, place: int) -> ProposalRejected | None:
            proposal = _of(known, proposal_id)
            if proposal.state == "rejected" and proposal.last_by == by.name:
                return None
            record = ProposalRejected(place=place, by=by.name, at=at, proposal_id=proposal_id, reason=note)
            if why := known.why_not(record):
                raise ProposalRefused(why + _hint(proposal))
            return record

        with self._deciding:
            return _proposal(_of(self._log.decide(make), proposal_id))

    def post(self, proposal_id: str, by: Operator) -> Proposal:
        """Post what was approved and not posted to the end; what arrived before counts once."""
        check_writer(by)
        with self._deciding:
            found = self._find(proposal_id)
            if found.approved is None:
                raise ProposalRefused(
                    f"{proposal_id} is {found.state}; only what was approved is posted again"
                )
            return self._finish(found, by)

    def _finish(self, found: KnownProposal, by: Operator) -> Proposal:
        """What a crash or a failure left of an approved one."""
        proposal, approved = _proposal(found), found.approved
        if found.state == "posted" or approved is None:
            return proposal
        if proposal.wanted.reopen and is_posted(self._client, proposal.proposal_id):
            return self._note_posted(found, by)
        people = proposal.created_by, approved.by
        computed = self._compute(proposal.wanted, proposal.proposal_id, approved.at, people)
        news = _rows(computed.changes) - _rows(self._log.read_rows(found, 0, proposal.preview.rows))
        if news:
            raise _stale(proposal, f"{len(news)} rows that nobody saw")
        return self._post(found, computed, by)

    def _post(self, found: KnownProposal, computed: Computed, by: Operator) -> Proposal:
        proposal_id = found.created.proposal_id
        # 2 no batch has a statement that is withdrawn from here on; again it is withheld already
        if computed.withdrawn:
            self._payouts.withhold(found.created.reopens, computed.withdrawn, by.name, proposal_id)
        # 3 to the books: what is there again makes no difference
        self._publish(computed.records)
        # 4 the end of it; without this it is posted again, to the same effect
        return self._note_posted(found, by)

    def _note_posted(self, found: KnownProposal, by: Operator) -> Proposal:
        proposal_id, at = found.created.proposal_id, self._now()

        def make(known: Proposals, place: int) -> ProposalPosted | None:
            if known.known[proposal_id].state == "posted":
                return None
            return ProposalPosted(place=place, by=by.name, at=at, proposal_id=proposal_id)

        return _proposal(self._log.decide(make).known[proposal_id])

    def _compute(
        self, wanted: ProposalRequest, proposal_id: str, at: datetime, people: tuple[str, str]
    ) -> Computed:
        if not wanted.reopen:
            return compute(self._client, wanted, proposal_id, at)
        computed = compute_reopening(self._client, wanted, proposal_id, at, people)
        self._payouts.check_unexported(wanted.reopen, computed.withdrawn)
        return computed

    def _find(self, proposal_id: str) -> KnownProposal:
        return _of(self._log.known(), proposal_id)


def _of(known: Proposals, proposal_id: str) -> KnownProposal:
    found = known.known.get(proposal_id)
    if found is None:
        raise UnknownProposal(f"no proposal {proposal_id}; `ibflow proposals list` has their ids")
    return found


def _text(wanted: ProposalRequest) -> str:
    return wanted.model_dump_json()


def _age(found: KnownProposal) -> tuple[str, str]:
    return f"{found.created.at:%Y-%m-%d %H:%M:%S.%f}", found.created.proposal_id


def _rows(changes: Iterable[Change]) -> set[tuple[str, Decimal, str]]:
    return {(change.caused_by, change.amount, change.ib_id) for change in changes}


def _repeated(found: KnownProposal, wanted: ProposalRequest) -> Proposal:
    proposal = _proposal(found)
    if proposal.wanted != wanted:
        raise ProposalRefused(f"this Idempotency-Key made {proposal.proposal_id} of other content before")
    return proposal


def _proposal(found: KnownProposal) -> Proposal:
    created = found.created
    steps = [
        Step(state="created", by=created.by, at=created.at),
        *(Step(state=state_of(one), by=one.by, at=one.at, note=one.reason) for one in found.decisions),
    ]
    return Proposal(
        proposal_id=created.proposal_id,
        state=found.state,
        created_by=created.by,
        created_at=created.at,
        wanted=ProposalRequest.model_validate_json(created.wanted),
        preview=Preview.model_validate_json(created.preview),
        steps=tuple(steps),
    )


def _hint(found: KnownProposal) -> str:
    return POST_AGAIN if found.state == "approved" else ""


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
    """A desk of this process over the configured database and Kafka."""
    clickhouse_client(settings).close()
    kafka = prepared_kafka(settings)
    facts = LedgerFacts(Ledger(lambda: connect(settings)))
    return ProposalDesk(
        lambda: connect(settings),
        ProposalLog(kafka),
        lambda records: publish_to(kafka, records),
        Withholding(PayoutLog(kafka), facts),
    )


def publish_to(kafka: str, records: Sequence[ReratingApproved | PeriodReopened]) -> None:
    """Re-ratings to the client book, a reopening to the terms."""
    publish_corrections([record for record in records if isinstance(record, ReratingApproved)], kafka)
    if ends := [record for record in records if isinstance(record, PeriodReopened)]:
        publish_terms(ends, kafka)
