"""A golden case → the records that ask for it: terms with their periods, clients, events and deals."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from commission.events import (
    LOT_E8,
    AccountLinked,
    ChargebackReceived,
    ChargebackWon,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
    KycStatus,
    WithdrawalPaid,
)
from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.market import SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.records import TermsRecord
from infra.plans.case_lines import Case, ClientLine, DealLine, EventLine
from ingest.terms.plan_file import DEMO_SERVER
from schemas.wire import Record

MONTHS_BEFORE, MONTHS_AFTER = 6, 2
"""Statement periods known before the first and after the last record of a case."""


class _Timed(NamedTuple):
    at: datetime
    rank: int
    record: Record


def case_records(case: Case, terms: Sequence[TermsRecord]) -> tuple[list[Record], list[Record]]:
    """The terms of the case with its periods; and what happened, in the order of its time."""
    server = case.server or _server_of(terms)
    clients = list(_clients_of(case))
    timed = [
        entry
        for number, client in enumerate(clients, 1)
        for entry in _client_records(client, number, server, _deepest(terms))
    ]
    ends = [event for event in case.events if event.kind == "period_end"]
    months = [event.period_end for event in ends if event.period_end]
    periods = _periods([entry.at for entry in timed], months, ZoneInfo(case.zone))
    ends_at = {period.period: period.ends_at for period in periods}
    timed += [
        _Timed(event.at or ends_at[month], 3, PeriodEnded(period=month))
        for event, month in zip(ends, months, strict=True)
    ]
    timed.sort(key=lambda entry: entry[:2])
    return [*terms, *_outside(periods, terms)], [entry.record for entry in timed]


def _outside(periods: Iterable[PeriodDefined], terms: Iterable[TermsRecord]) -> Iterator[PeriodDefined]:
    """The months before and after a calendar of the terms; within it, its own periods count."""
    known = [record for record in terms if isinstance(record, PeriodDefined)]
    for period in periods:
        if all(period.ends_at <= own.starts_at or own.ends_at <= period.starts_at for own in known):
            yield period


def _server_of(terms: Iterable[TermsRecord]) -> str:
    return next((record.server for record in terms if isinstance(record, SymbolDefined)), DEMO_SERVER)


def _deepest(terms: Sequence[TermsRecord]) -> str:
    partners = [record for record in terms if isinstance(record, PartnerDefined)]
    masters = {link.ib_id for partner in partners for link in partner.parents}
    return next((partner.ib_id for partner in partners if partner.ib_id not in masters), "")


def _clients_of(case: Case) -> Iterator[ClientLine]:
    """Every client by itself; ids of deals and deposits stay apart where one entry stands for many."""
    if not case.clients:
        own = tuple(event for event in case.events if event.kind != "period_end")
        yield case.client.model_copy(
            update={"events": (*case.client.events, *own), "deals": (*case.client.deals, *case.deals)}
        )
        return
    for client in case.clients:
        if client.times == 1:
            yield client
        else:
            yield from (_numbered(client, number) for number in range(1, client.times + 1))


def _numbered(client: ClientLine, number: int) -> ClientLine:
    client_id = f"{client.id}-{number}"
    deals = tuple(d.model_copy(update={"deal_id": f"{d.deal_id}-{client_id}"}) for d in client.deals)
    return client.model_copy(update={"id": client_id, "deals": deals})


def _client_records(client: ClientLine, number: int, server: str, ib_id: str) -> Iterator[_Timed]:
    ib: str | None = client.ib or ib_id
    registered = ClientRegistered(
        event_id=f"registered {client.id}",
        client_id=client.id,
        occurred_at=client.registered,
        ib_id=None if ib == "nobody" else ib,
        country=client.country,
        click={"channel": client.channel} if client.channel else {},
        identity=client.identity,
    )
    yield _Timed(client.registered, 0, registered)
    for login in sorted({deal.login or number for deal in client.deals}):
        linked = AccountLinked(
            event_id=f"linked {login}",
            client_id=client.id,
            server=server,
            login=login,
            occurred_at=client.registered,
        )
        yield _Timed(client.registered, 0, linked)
    if client.kyc != "pending":
        yield _Timed(client.registered, 0, _kyc(client, client.kyc, client.registered))
    for index, event in enumerate(client.events):
        assert event.at is not None, "only the end of a period has no time"
        yield _Timed(event.at, 1, _event_record(client, event, event.at, index))
    for deal in client.deals:
        yield _Timed(deal.at, 2, _deal_record(deal, server, deal.login or number))


def _kyc(client: ClientLine, status: KycStatus, at: datetime) -> KycChanged:
    event_id = f"kyc {client.id} {status} {at:%Y-%m-%dT%H:%M:%S}"
    return KycChanged(event_id=event_id, client_id=client.id, status=status, occurred_at=at)


def _event_record(client: ClientLine, event: EventLine, at: datetime, index: int) -> Record:
    who: dict[str, Any] = {"event_id": f"{event.kind} {client.id} {index}", "client_id": client.id}
    if event.deposit is not None and event.amount is not None:
        money: dict[str, Any] = {"amount": event.amount.amount, "currency": event.amount.currency}
        return DepositCleared(**who, **money, deposit_id=_deposit_id(client, event.deposit), occurred_at=at)
    if event.withdrawal is not None:
        money = {"amount": event.withdrawal.amount, "currency": event.withdrawal.currency}
        return WithdrawalPaid(**who, **money, occurred_at=at)
    if event.kyc is not None:
        return _kyc(client, event.kyc, at)
    if event.flag is not None:
        return ClientFlagged(**who, verdict=event.flag, occurred_at=at)
    if event.reassigned is not None:
        ib_id = None if event.reassigned == "nobody" else event.reassigned
        return ClientReassigned(**who, ib_id=ib_id, occurred_at=at)
    return _taken_back(client, event, at, who)


def _taken_back(client: ClientLine, event: EventLine, at: datetime, who: dict[str, Any]) -> Record:
    if event.chargeback_won is not None:
        deposit_id = _deposit_id(client, event.chargeback_won)
        amount = event.amount.amount if event.amount is not None else None
        return ChargebackWon(**who, deposit_id=deposit_id, amount=amount, occurred_at=at)
    reasons: tuple[tuple[Literal["chargeback", "refund", "deposit_reversal"], str | None], ...] = (
        ("chargeback", event.chargeback),
        ("refund", event.refund),
        ("deposit_reversal", event.deposit_reversal),
    )
    reason, deposit = next((reason, named) for reason, named in reasons if named is not None)
    return ChargebackReceived(
        **who,
        deposit_id=_deposit_id(client, deposit),
        occurred_at=at,
        amount=event.amount.amount if event.amount is not None else None,
        reason=reason,
    )


def _deposit_id(client: ClientLine, named: str) -> str:
    return f"{client.id}-{named}"


_SAME_IN_DEAL = (
    "price",
    "bid",
    "ask",
    "contract_size",
    "profit",
    "commission",
    "fee",
    "swap",
    "currency",
    "rate_profit",
    "balance",
    "equity",
    "credit",
    "reason",
    "group",
    "kind",
    "revision",
    "platform",
    "deal_id",
    "side",
    "entry",
    "symbol",
)


def _deal_record(line: DealLine, server: str, login: int) -> Deal:
    closed = line.closed
    return Deal(
        server=server,
        login=login,
        occurred_at=line.at,
        volume_e8=int(line.lots * LOT_E8),
        volume_closed_e8=None if closed is None else int(closed * LOT_E8),
        position_id=line.position or f"p-{line.symbol}",
        **{name: getattr(line, name) for name in _SAME_IN_DEAL},
    )


def _periods(times: Iterable[datetime], named: Iterable[str], zone: ZoneInfo) -> list[PeriodDefined]:
    """Calendar months of the zone around everything that happens."""
    months = [at.astimezone(zone).year * 12 + at.astimezone(zone).month - 1 for at in times]
    months += [int(name[:4]) * 12 + int(name[5:]) - 1 for name in named]
    first, last = min(months) - MONTHS_BEFORE, max(months) + MONTHS_AFTER
    return [_month(index, zone) for index in range(first, last + 1)]


def _month(index: int, zone: ZoneInfo) -> PeriodDefined:
    start, end = (datetime(i // 12, i % 12 + 1, 1, tzinfo=zone) for i in (index, index + 1))
    count = (end.replace(tzinfo=UTC) - start.replace(tzinfo=UTC)).days
    days = tuple(start.replace(day=day).astimezone(UTC) for day in range(1, count + 1))
    return PeriodDefined(
        period=f"{index // 12:04}-{index % 12 + 1:02}",
        starts_at=days[0],
        ends_at=end.astimezone(UTC),
        days=days,
        first_weekday=start.weekday(),
    )
