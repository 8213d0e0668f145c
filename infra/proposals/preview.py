"""What a proposal would post: the archived books folded again, then each deal rated by today's terms."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from commission.accounts import is_of_client, is_of_ib, is_pending
from commission.books import partner as partner_book
from commission.client import keys
from commission.client.rerating import rerate
from commission.client.state import ClientState, DealState
from commission.draft import Draft
from commission.events import ReratingApproved, RoutedDeal
from commission.ids import digest
from commission.outputs import Tally, Transfer
from commission.partner.balances import PartnerState
from commission.rating.values import Reason
from commission.terms.calendar import PeriodReopened
from commission.terms.catalog import Terms
from commission.terms.components import DepositShare
from infra.archive.clickhouse_log import OpenArchive
from infra.replay.snapshot import BookSnapshot, folding
from schemas import topics
from schemas.errors import Unusable
from schemas.proposals import Change, Line, Preview, ProposalRequest, Undecided
from schemas.wire import decode_batch
from streams.stages import CLIENTS, PARTNERS

ZERO = Decimal(0)
ROUTED, WITHDRAWN, REGISTERED = b'{"type":"routed_deal"', b'{"type":"withdrawal_paid"', b'{"type":"client_reg'


@dataclass(frozen=True, slots=True)
class Computed:
    """A preview with all its rows, and the records that would post them."""

    preview: Preview
    changes: tuple[Change, ...]
    records: tuple[ReratingApproved | PeriodReopened, ...]
    withdrawn: tuple[str, ...] = ()
    """Statements that must not be paid."""


@dataclass(slots=True)
class _Heard:
    """What the archive of a client-book partition told of deals and clients."""

    wanted: ProposalRequest
    deals: dict[tuple[str, str], RoutedDeal] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    withdrew: set[str] = field(default_factory=set)

    def hear(self, message: bytes) -> None:
        """Note the deals of the window, newest revision last, and who registered or withdrew."""
        lines = [line for line in message.split(b"\n") if line.startswith((ROUTED, WITHDRAWN, REGISTERED))]
        for record in decode_batch(b"\n".join(lines)) if lines else ():
            client_id: str = getattr(record, "client_id", "")
            if self.wanted.client not in ("", client_id):
                continue
            if not isinstance(record, RoutedDeal):
                (self.withdrew if record.type == "withdrawal_paid" else self.clients).add(client_id)
            elif is_inside(record.deal.occurred_at, self.wanted):
                self.deals[client_id, record.deal.deal_key] = record


class _Ledgers:
    """The partner books, refolded as they are asked for: periods, true-ups, the rows as an IB sees them."""

    def __init__(self, client: Client, counts: dict[str, int]) -> None:
        self._client = client
        self._counts = counts
        self.books: dict[int, BookSnapshot] = {}
        self.changes: list[Change] = []

    def book(self, output: Transfer | Tally) -> None:
        """Let the IB's book have it, and list what it becomes there."""
        number = topics.partition_of(output.ib_id, self._counts[topics.PARTNER_BOOK])
        if number not in self.books:
            self.books[number] = BookSnapshot(self._client, PARTNERS, number, self._counts)
            self.books[number].replay()
        book = self.books[number]
        state: PartnerState = book.get(f"i:{output.ib_id}") or PartnerState()
        draft = book.draft()
        partner_book.apply(draft, output, book.terms)
        book.keep(draft)
        for row in (output, *draft.outputs):
            if isinstance(row, Transfer):
                self.changes.append(_change(row, state.closed, book.terms))


def compute(client: Client, wanted: ProposalRequest, proposal_id: str, approved_at: datetime) -> Computed:
    """Work out everything the proposal would post if it were approved now."""
    with OpenArchive(client).open() as log:
        counts = log.counts()
    ledgers = _Ledgers(client, counts)
    records: list[ReratingApproved] = []
    undecided: list[Undecided] = []
    positions: dict[str, int] = {}
    seen = 0
    for number in _partitions(wanted, counts[topics.CLIENT_BOOK]):
        heard, book = _Heard(wanted), BookSnapshot(client, CLIENTS, number, counts)
        book.replay(heard.hear)
        positions |= [book.position]
        with folding():
            for record in _records(heard, proposal_id, approved_at):
                seen += 1
                outcome = _try(book, record, heard)
                if isinstance(outcome, Undecided):
                    undecided.append(outcome)
                elif outcome is not None:
                    records.append(record)
                    for output in outcome:
                        ledgers.book(output)
    positions |= [book.position for _, book in sorted(ledgers.books.items())]
    changes = tuple(ledgers.changes)
    preview = Preview(
        deals=seen,
        corrected=len(records),
        rows=len(changes),
        lines=tuple(_lines(changes)),
        undecided=tuple(undecided),
        positions=positions,
        fingerprint=digest(*sorted(f"{change.transfer_id} {change.amount}" for change in changes)),
    )
    return Computed(preview, changes, tuple(records))


def is_inside(at: datetime, wanted: ProposalRequest) -> bool:
    """Whether something of that time is asked for."""
    return not (
        (wanted.since is not None and at < wanted.since) or (wanted.until is not None and at >= wanted.until)
    )


def _partitions(wanted: ProposalRequest, count: int) -> Iterable[int]:
    if not count:
        raise Unusable("the archive holds no client book yet; ingest deals first")
    return [topics.partition_of(wanted.client, count)] if wanted.client else range(count)


def _records(heard: _Heard, proposal_id: str, approved_at: datetime) -> Iterable[ReratingApproved]:
    """Deals in the order of their time, then the clients themselves."""
    deals = sorted(heard.deals.values(), key=lambda r: (r.deal.occurred_at, r.deal.deal_key))
    for routed in deals:
        yield ReratingApproved(
            client_id=routed.client_id, proposal_id=proposal_id, occurred_at=approved_at, deal=routed.deal
        )
    for client_id in sorted(heard.clients):
        yield ReratingApproved(client_id=client_id, proposal_id=proposal_id, occurred_at=approved_at)


def _try(
    book: BookSnapshot, record: ReratingApproved, heard: _Heard
) -> list[Transfer | Tally] | Undecided | None:
    """What the record causes, kept in the book; None if it is nothing that was asked for."""
    draft = book.draft()
    known = book.get(f"c:{record.client_id}") or ClientState(client_id=record.client_id)
    after, doubt = rerate(draft, known, record, book.terms)
    outputs = [output for output in draft.outputs if isinstance(output, Transfer | Tally)]
    if doubt is None and not (draft.writes and _is_wanted(record, outputs, heard.wanted)):
        return None
    if doubt is None and not outputs and _is_same(book, draft):
        return None
    if doubt is None and record.deal is None:
        doubt = _client_doubt(record, outputs, heard, book.terms)
    if doubt is not None:
        return _undecided(record, doubt) if _concerns(book, record, heard.wanted) else None
    if after != known:
        draft.put(f"c:{record.client_id}", after)
    book.keep(draft)
    return outputs


def _is_same(book: BookSnapshot, draft: Draft) -> bool:
    """Whether deals stay as they are but for the version of their plan: that corrects nothing by itself."""
    return all(
        isinstance(state, DealState)
        and (before := book.get(key)) is not None
        and _without_versions(state) == _without_versions(before)
        for key, state in draft.writes.items()
    )


def _without_versions(state: DealState) -> DealState:
    posted, first = (
        tuple(entry._replace(plan_version=0) for entry in entries)
        for entries in (state.posted, state.first_posted)
    )
    return replace(state, posted=posted, first_posted=first)


def _is_wanted(record: ReratingApproved, outputs: list[Transfer | Tally], wanted: ProposalRequest) -> bool:
    """Whether what a record causes is asked for; a deal that only counts towards a CPA always is."""
    if record.deal is None and not any(is_inside(output.occurred_at, wanted) for output in outputs):
        return False
    return not (wanted.ib and outputs) or any(output.ib_id == wanted.ib for output in outputs)


def _client_doubt(
    record: ReratingApproved, outputs: list[Transfer | Tally], heard: _Heard, terms: Terms
) -> Reason | None:
    """Why a client's CPAs and deposits cannot be weighed again as it was asked."""
    if not all(is_inside(output.occurred_at, heard.wanted) for output in outputs):
        text = "some of the client's CPAs and deposits lie outside the window: widen it to have them all"
        return Reason("partly_outside", text, waits=True)
    if record.client_id in heard.withdrew and any(_is_net(output, terms) for output in outputs):
        text = "withdrawals of the client were counted in net deposits and cannot be counted again"
        return Reason("withdrawals_counted", text, waits=True)
    return None


def _concerns(book: BookSnapshot, record: ReratingApproved, wanted: ProposalRequest) -> bool:
    """Whether something undecided belongs to the IB that was asked for."""
    if not wanted.ib or record.deal is None:
        return True
    state = book.get(keys.deal(record.client_id, record.deal.deal_key))
    return not state.posted or any(entry.ib_id == wanted.ib for entry in state.posted)


def _undecided(record: ReratingApproved, doubt: Reason) -> Undecided:
    subject = record.deal.deal_key if record.deal is not None else f"client {record.client_id}"
    return Undecided(client_id=record.client_id, subject=subject, code=doubt.code, text=doubt.text)


def _is_net(output: Transfer | Tally, terms: Terms) -> bool:
    if not isinstance(output, Tally):
        return False
    plan = terms.plan_version(output.plan_id, output.plan_version)
    components = plan.components if plan is not None else ()
    return any(isinstance(c, DepositShare) and c.name == output.component for c in components)


# Rows as an IB sees them


def _change(row: Transfer, closed: datetime | None, terms: Terms) -> Change:
    period = terms.period_of(row.matures_at or row.occurred_at)
    lands_in = _lands_in(closed, row, terms)
    waits = is_pending(row.debit) or is_pending(row.credit)
    return Change(
        transfer_id=row.transfer_id,
        code=row.code,
        ib_id=row.ib_id,
        client_id=row.client_id,
        caused_by=row.caused_by,
        component=row.component,
        occurred_at=row.occurred_at,
        amount=_gain(row, is_of_ib),
        to_client=_gain(row, is_of_client),
        currency=row.currency,
        reverses=row.reverses,
        period=period,
        lands_in=lands_in if waits else "",
    )


def _lands_in(closed: datetime | None, row: Transfer, terms: Terms) -> str:
    """The statement that the row is going to be on: its period's, or the next after the newest closed."""
    period = terms.period_at(row.matures_at or row.occurred_at)
    if period is None:
        return ""
    if closed is None or period.starts_at > closed:
        return period.period
    return next((p.period for p in terms.periods if p.starts_at > closed), "")


def _gain(row: Transfer, is_theirs: Callable[[str], bool]) -> Decimal:
    """What the row brings to accounts of that kind, or takes from them."""
    return row.amount * (is_theirs(row.credit) - is_theirs(row.debit))


def _lines(changes: Iterable[Change]) -> Iterable[Line]:
    by_ib: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        by_ib[change.ib_id, change.currency].append(change)
    for (ib_id, currency), found in sorted(by_ib.items()):
        amounts: dict[str, Any] = {
            "taken_back": -sum((c.amount for c in found if c.amount < 0), ZERO),
            "given": sum((c.amount for c in found if c.amount > 0), ZERO),
            "delta": sum((c.amount for c in found), ZERO),
            "of_closed": sum((c.amount for c in found if c.lands_in not in ("", c.period)), ZERO),
            "clients": sum((c.to_client for c in found), ZERO),
        }
        codes = [change.code for change in found]
        yield Line(
            ib_id=ib_id,
            currency=currency,
            reversals=codes.count("reversal"),
            accruals=codes.count("accrual"),
            true_ups=codes.count("true_up"),
            **amounts,
        )
