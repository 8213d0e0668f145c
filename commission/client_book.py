"""The client book: fold one client's deals and CRM events into accruals and their reversals."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from commission import cpa
from commission.book import Draft
from commission.client_state import (
    ClientState,
    DealState,
    Deposit,
    EventState,
    IbLink,
    KycMark,
    Parked,
    Parking,
    Qualifying,
    RoutedDeal,
    Traded,
)
from commission.events import (
    ChargebackReceived,
    ClientEvent,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
)
from commission.ids import digest
from commission.known import Link, Terms
from commission.money import Money
from commission.outputs import Milestone, MilestoneKind, Rejection
from commission.posting import Cause, post, release, reverse
from commission.pricing import Part, Reason
from commission.rating import rate
from commission.terms import Cpa

ENDINGS = ("cancelled", "deleted")
"""Kinds after which a deal is no longer one."""
MAX_REVISIONS = 16
"""Replaced revisions remembered for each deal; more edits of one deal have not been seen."""
MAX_KYC_MARKS = 64
MAX_DEPOSITS = 64
"""The earliest are kept: a CPA looks at the first deposits only."""

_NEVER = datetime.max.replace(tzinfo=UTC)

KEYS: dict[str, type] = {
    "c": ClientState,
    "d": DealState,
    "e": EventState,
    "P": Parking,
    "p": Parked,
    "q": Qualifying,
    "w": RoutedDeal,
}
"""The first letter of a state key tells its type."""


def apply(draft: Draft, record: RoutedDeal | ClientEvent, terms: Terms) -> None:
    """Fold one record; a repeated one changes nothing."""
    if isinstance(record, RoutedDeal):
        _apply_deal(draft, record, terms)
    else:
        _apply_event(draft, record, terms)


def _client(draft: Draft, client_id: str) -> ClientState:
    return draft.get(f"c:{client_id}") or ClientState(client_id=client_id)


def _save(draft: Draft, client: ClientState) -> None:
    draft.put(f"c:{client.client_id}", client)


# Deals


def _apply_deal(draft: Draft, record: RoutedDeal, terms: Terms) -> None:
    deal, key = record.deal, f"d:{record.client_id}:{record.deal.deal_key}"
    known: DealState | None = draft.get(key)
    if known is not None and _is_stale(known, deal):
        return
    client = _client(draft, record.client_id)
    if client.registered_at is None:
        _save(draft, _wait(draft, client, record, known))
    else:
        _save(draft, _fold_deal(draft, client, deal, known, terms))


def _is_stale(known: DealState, deal: Deal) -> bool:
    """Whether the record tells nothing new: seen before, or older than the deal's end."""
    return (
        deal.revision == known.revision
        or deal.revision in known.replaced
        or (known.ended and deal.kind not in ENDINGS)
    )


def _replaced(known: DealState | None, deal: Deal) -> tuple[str, ...]:
    if known is None:
        return ()
    if known.revision in ("", deal.revision):
        return known.replaced
    return (*known.replaced, known.revision)[-MAX_REVISIONS:]


def _wait(draft: Draft, client: ClientState, record: RoutedDeal, known: DealState | None) -> ClientState:
    """Keep a deal until its client registers; a newer revision takes its place."""
    slot = known.waiting if known is not None and known.waiting is not None else client.waiting
    deal = record.deal
    draft.put(f"w:{client.client_id}:{slot}", record)
    draft.put(
        f"d:{client.client_id}:{deal.deal_key}",
        DealState(
            revision=deal.revision,
            replaced=_replaced(known, deal),
            ended=deal.kind in ENDINGS,
            waiting=slot,
        ),
    )
    text = f"client {client.client_id} is not registered yet; the deal is rated when the CRM says so"
    _reject(draft, client, deal, Reason("unregistered_client", text, waits=True))
    return replace(client, waiting=max(client.waiting, slot + 1))


def _fold_deal(
    draft: Draft, client: ClientState, deal: Deal, known: DealState | None, terms: Terms
) -> ClientState:
    """Undo the revision known so far, if any, then book and rate this one."""
    if known is not None:
        client = _undo(draft, client, deal, known, terms)
    state = DealState(
        revision=deal.revision,
        replaced=_replaced(known, deal),
        ended=deal.kind in ENDINGS,
        times=(known.times if known is not None else 0) + 1,
    )
    refusal = _not_commissionable(deal)
    split = refusal or _split_volume(client, deal)
    if isinstance(split, Reason):
        _reject(draft, client, deal, split)
        if split.code == "position_unknown":
            state = replace(state, revision="")  # a replay is rated once the missing deals are there
        draft.put(f"d:{client.client_id}:{deal.deal_key}", state)
        return client if known is None else _count_trade(draft, client, deal, 0, terms)
    signed_e8 = deal.volume_e8 if deal.side == "buy" else -deal.volume_e8
    state = replace(state, position=f"{deal.account_key}|{deal.position_id}", signed_e8=signed_e8)
    client = _move_position(client, state.position, signed_e8)
    if not client.traded:
        client = replace(client, traded=True)
        _milestone(draft, client, "first_trade", deal.deal_key, deal.occurred_at)
    opened_e8, closed_e8 = split
    parked = Parked(client_id=client.client_id, deal=deal, opened_e8=opened_e8, closed_e8=closed_e8)
    return _rate_deal(draft, client, parked, state, terms)


def _undo(draft: Draft, client: ClientState, deal: Deal, known: DealState, terms: Terms) -> ClientState:
    """Take back what an older revision did: its accruals, its volume, its place among the parked."""
    if known.posted:
        client = reverse(draft, client, known.posted, _cause(deal, terms))
    if known.parked is not None:
        draft.put(f"p:{known.parked}", None)
    return _move_position(client, known.position, -known.signed_e8) if known.signed_e8 else client


def _rate_deal(
    draft: Draft, client: ClientState, parked: Parked, state: DealState, terms: Terms
) -> ClientState:
    """Post what the deal earns; park it while the terms lack something; say so if it earns nothing."""
    deal = parked.deal
    assert deal is not None, "a parked CPA is weighed, not rated"
    chain = upline(client, deal, terms)
    outcome = (
        chain if isinstance(chain, Reason) else rate(deal, parked.opened_e8, parked.closed_e8, chain, terms)
    )
    if isinstance(outcome, Reason):
        _reject(draft, client, deal, outcome)
        slot = _park(draft, parked) if outcome.waits else None
        state = replace(state, parked=slot)
    else:
        assert not isinstance(chain, Reason), "without an upline nothing is rated"
        client, posted = post(
            draft,
            client,
            outcome,
            chain=chain,
            cause=_cause(deal, terms),
            identity=(client.client_id, deal.deal_key, deal.revision, str(state.times)),
        )
        state = replace(state, posted=posted, parked=None)
    draft.put(f"d:{client.client_id}:{deal.deal_key}", state)
    return _count_trade(draft, client, deal, parked.closed_e8, terms)


def _park(draft: Draft, parked: Parked) -> int:
    parking: Parking = draft.get("P") or Parking()
    draft.put(f"p:{parking.next}", parked)
    draft.put("P", replace(parking, next=parking.next + 1))
    return parking.next


def retry_parked(draft: Draft, terms: Terms) -> None:
    """New terms are known: try again, in the order of arrival, everything that waited for some."""
    parking: Parking = draft.get("P") or Parking()
    if parking.first == parking.next:
        return
    draft.put("P", Parking(first=parking.next, next=parking.next))
    for slot in range(parking.first, parking.next):
        parked: Parked | None = draft.get(f"p:{slot}")
        if parked is None:
            continue
        draft.put(f"p:{slot}", None)
        client = _client(draft, parked.client_id)
        if parked.deal is None:
            cause = Cause(f"terms|{parked.client_id}", client.registered_at or _NEVER)
            client = _weigh_cpa(draft, client, cause, terms)
        else:
            state: DealState | None = draft.get(f"d:{parked.client_id}:{parked.deal.deal_key}")
            assert state is not None, "a parked deal has a state"
            client = _rate_deal(draft, client, parked, state, terms)
        _save(draft, client)


def _not_commissionable(deal: Deal) -> Reason | None:
    if deal.kind in ENDINGS:
        return Reason(deal.kind, f"the platform {deal.kind} the deal", waits=False)
    if deal.kind != "trade":
        return Reason("not_a_trade", f"a {deal.kind} operation, not a trade", waits=False)
    if deal.is_service:
        return Reason(
            "service_deal", f"the platform's own execution ({deal.reason}), no client's", waits=False
        )
    if deal.volume_e8 <= 0:
        return Reason("zero_volume", "no volume: one leg of a close-by or a correction", waits=False)
    if deal.side is None or deal.entry is None:
        return Reason("incomplete_deal", "a trade without side or entry; see its source row", waits=False)
    return None


def _split_volume(client: ClientState, deal: Deal) -> tuple[int, int] | Reason:
    """Opened and closed 1e-8 lots; an in/out closes the running position unless its source says more."""
    if deal.entry == "in":
        return deal.volume_e8, 0
    if deal.entry in ("out", "out_by"):
        return 0, deal.volume_e8
    closed = deal.volume_closed_e8
    if closed is None:
        before = client.positions.get(f"{deal.account_key}|{deal.position_id}", 0)
        closes = before < 0 if deal.side == "buy" else before > 0
        if not closes or abs(before) >= deal.volume_e8:
            text = (
                f"an in/out of {deal.volume_e8} (1e-8 lots) against a position of {before}: "
                "deals of this position are missing; import them and replay the deal"
            )
            return Reason("position_unknown", text, waits=False)
        closed = abs(before)
    if not 0 <= closed <= deal.volume_e8:
        text = f"an in/out of {deal.volume_e8} (1e-8 lots) that closes {closed}; see its source row"
        return Reason("incomplete_deal", text, waits=False)
    return deal.volume_e8 - closed, closed


def _move_position(client: ClientState, position: str, signed_e8: int) -> ClientState:
    volume = client.positions.get(position, 0) + signed_e8
    rest = {key: value for key, value in client.positions.items() if key != position}
    return replace(client, positions={**rest, position: volume} if volume else rest)


def upline(client: ClientState, deal: Deal, terms: Terms) -> tuple[Link, ...] | Reason:
    """The IBs above the client at the deal's own time, as the terms known here tell."""
    ib_id = client.links[0].ib_id if client.links else None
    for link in client.links:
        if link.since <= deal.occurred_at:
            ib_id = link.ib_id
    if ib_id is None:
        return Reason("no_ib", f"client {client.client_id} has no IB at that time", waits=False)
    chain = terms.upline(ib_id, deal.occurred_at)
    if not chain:
        return Reason(
            "unknown_ib",
            f"the terms lack {ib_id}, an IB above it or the plan of one; publish them",
            waits=True,
        )
    return chain


def _standard_lots(deal: Deal, closed_e8: int, terms: Terms) -> Decimal:
    symbol = terms.symbol(deal.server, deal.symbol)
    if symbol is None:
        return Decimal(0)
    return Part.split(deal, symbol, 0, closed_e8).standard_lots("out")


def _cause(deal: Deal, terms: Terms) -> Cause:
    symbol = terms.symbol(deal.server, deal.symbol)
    canonical = symbol.canonical if symbol is not None else deal.symbol
    return Cause(deal.deal_key, deal.occurred_at, deal.account_key, deal.revision, canonical)


def _reject(draft: Draft, client: ClientState, deal: Deal, reason: Reason) -> None:
    draft.emit(
        Rejection(
            deal_key=deal.deal_key,
            revision=deal.revision,
            status="waiting" if reason.waits else "rejected",
            code=reason.code,
            text=reason.text,
            account_key=deal.account_key,
            client_id=client.client_id,
            occurred_at=deal.occurred_at,
        )
    )


# CRM events


def _apply_event(draft: Draft, event: ClientEvent, terms: Terms) -> None:
    key = f"e:{event.client_id}:{event.event_id}"
    if draft.get(key) is not None:
        return
    draft.put(key, EventState(at=event.occurred_at))
    client = _client(draft, event.client_id)
    match event:
        case ClientRegistered():
            client = _register(draft, client, event, terms)
        case ClientReassigned():
            links = (*client.links, IbLink(since=event.occurred_at, ib_id=event.ib_id))
            client = replace(client, links=tuple(sorted(links, key=lambda link: link.since)))
        case DepositCleared():
            client = _deposit(draft, client, event)
        case ChargebackReceived():
            client = _with_deposit(
                client, replace(_deposit_of(client, event.deposit_id), charged_back_at=event.occurred_at)
            )
        case KycChanged():
            client = _kyc(draft, client, event)
    _save(draft, _weigh_cpa(draft, client, Cause(event.event_id, event.occurred_at), terms))


def _register(draft: Draft, client: ClientState, event: ClientRegistered, terms: Terms) -> ClientState:
    """The first registration stands; deals that waited for it are folded in the order of their time."""
    if client.registered_at is not None:
        return client
    links = (IbLink(since=event.occurred_at, ib_id=event.ib_id), *client.links)
    client = replace(
        client,
        registered_at=event.occurred_at,
        country=event.country,
        click=event.click,
        links=tuple(sorted(links, key=lambda link: link.since)),
    )
    _milestone(draft, client, "registration", event.event_id, event.occurred_at)
    slots = [f"w:{client.client_id}:{number}" for number in range(client.waiting)]
    waiting = [draft.take(slot, RoutedDeal) for slot in slots]
    client = replace(client, waiting=0)
    for routed in sorted(waiting, key=lambda routed: (routed.deal.occurred_at, routed.deal.deal_key)):
        known: DealState | None = draft.get(f"d:{client.client_id}:{routed.deal.deal_key}")
        client = _fold_deal(draft, client, routed.deal, known, terms)
    return client


def _deposit(draft: Draft, client: ClientState, event: DepositCleared) -> ClientState:
    is_first = all(deposit.cleared_at is None for deposit in client.deposits)
    deposit = replace(
        _deposit_of(client, event.deposit_id),
        amount=event.amount,
        currency=event.currency,
        cleared_at=event.occurred_at,
    )
    client = _with_deposit(client, deposit)
    money = Money(event.amount, event.currency)
    _milestone(draft, client, "deposit", event.event_id, event.occurred_at, money=money)
    if is_first:
        _milestone(draft, client, "ftd", event.event_id, event.occurred_at, money=money)
    return client


def _deposit_of(client: ClientState, deposit_id: str) -> Deposit:
    known = (deposit for deposit in client.deposits if deposit.deposit_id == deposit_id)
    return next(known, Deposit(deposit_id=deposit_id))


def _with_deposit(client: ClientState, deposit: Deposit) -> ClientState:
    others = [known for known in client.deposits if known.deposit_id != deposit.deposit_id]
    ordered = sorted([*others, deposit], key=lambda d: (d.cleared_at or _NEVER, d.deposit_id))
    return replace(client, deposits=tuple(ordered[:MAX_DEPOSITS]))


def _kyc(draft: Draft, client: ClientState, event: KycChanged) -> ClientState:
    marks = sorted(
        [*client.kyc, KycMark(at=event.occurred_at, status=event.status)], key=lambda mark: mark.at
    )
    was_approved = client.is_kyc_approved
    client = replace(client, kyc=tuple(marks[-MAX_KYC_MARKS:]))
    if event.status == "approved":
        _milestone(draft, client, "kyc.approved", event.event_id, event.occurred_at)
    if client.is_kyc_approved and not was_approved and client.held:
        client = release(draft, client, Cause(event.event_id, event.occurred_at))
    return client


# CPA


def _count_trade(draft: Draft, client: ClientState, deal: Deal, closed_e8: int, terms: Terms) -> ClientState:
    """A closed trade counts towards the lots a CPA asks for, also in place of one cancelled later."""
    conditions = _cpa_conditions(client, terms)
    if conditions is None:
        return client
    key, min_lots = f"q:{client.client_id}", conditions[1].min_lots
    if min_lots <= 0:
        return client
    known: Qualifying = draft.get(key) or Qualifying()
    trades = [trade for trade in known.trades if trade.deal_key != deal.deal_key]
    if lots := _standard_lots(deal, closed_e8, terms):
        trades.append(Traded(at=deal.occurred_at, deal_key=deal.deal_key, lots=lots))
    trades.sort(key=lambda trade: (trade.at, trade.deal_key))
    kept = cpa.keep_qualifying(Qualifying(trades=tuple(trades)), min_lots)
    if kept == known:
        return client
    draft.put(key, kept)
    return _weigh_cpa(draft, client, Cause(deal.deal_key, deal.occurred_at), terms)


def _cpa_conditions(client: ClientState, terms: Terms) -> tuple[tuple[Link, ...], Cpa, str] | None:
    """The upline as of the registration and the CPA conditions of its lowest IB that has one."""
    if client.registered_at is None or not client.links or client.links[0].ib_id is None:
        return None
    chain = terms.upline(client.links[0].ib_id, client.registered_at)
    found = cpa.condition(chain)
    if client.cpa and client.cpa_conditions is not None:
        found = client.cpa_conditions
    return None if found is None else (chain, *found)


def _weigh_cpa(draft: Draft, client: ClientState, cause: Cause, terms: Terms) -> ClientState:
    """Post the CPA when it becomes due; reverse it when a chargeback inside the window undoes it,
    or when a fact learned late (a cancelled trade, an earlier deposit) says that it never was."""
    if client.registered_at is None or not client.deposits or not (ib_id := client.links[0].ib_id):
        return client
    if not terms.upline(ib_id, client.registered_at):
        _park(draft, Parked(client_id=client.client_id))
        return client
    conditions = _cpa_conditions(client, terms)
    if conditions is None:
        return client
    chain, component, currency = conditions
    trades: Qualifying = draft.get(f"q:{client.client_id}") or Qualifying()
    if not client.cpa and cpa.lacks_rate(client, currency, terms):
        _park(draft, Parked(client_id=client.client_id))
    standing = cpa.standing(client, trades, component, currency, terms)
    if standing.is_due == bool(client.cpa):
        return client
    if standing.is_due and standing.qualified_at is not None:
        client = replace(client, cpa_conditions=(component, currency))
        return _grant_cpa(draft, client, chain, standing.qualified_at, terms)
    charged_back = [d.charged_back_at for d in client.deposits if d.charged_back_at is not None]
    at = max(charged_back, default=cause.occurred_at)
    client = reverse(draft, client, client.cpa, Cause(cause.key, at))
    _cpa_milestones(draft, client, "cpa.clawback", at)
    return replace(client, cpa=())


def _grant_cpa(
    draft: Draft, client: ClientState, chain: tuple[Link, ...], at: datetime, terms: Terms
) -> ClientState:
    earned = cpa.earnings(chain, at, terms)
    if isinstance(earned, Reason):
        _park(draft, Parked(client_id=client.client_id))
        return client
    client, posted = post(
        draft,
        client,
        earned,
        chain=chain,
        cause=Cause(f"cpa|{client.client_id}", at),
        identity=("cpa", client.client_id, str(client.cpa_grants)),
    )
    client = replace(client, cpa=posted, cpa_grants=client.cpa_grants + 1)
    _cpa_milestones(draft, client, "cpa.qualified", at)
    return client


# Milestones


def _milestone(
    draft: Draft,
    client: ClientState,
    kind: MilestoneKind,
    cause: str,
    at: datetime,
    *,
    ib_id: str | None = None,
    money: Money | None = None,
) -> None:
    direct = client.links[0].ib_id if client.links else None
    draft.emit(
        Milestone(
            milestone_id=digest("milestone", kind, client.client_id, cause),
            kind=kind,
            client_id=client.client_id,
            ib_id=ib_id or direct or "",
            occurred_at=at,
            amount=money.amount if money is not None else None,
            currency=money.currency if money is not None else "",
            click=client.click,
        )
    )


def _cpa_milestones(draft: Draft, client: ClientState, kind: MilestoneKind, at: datetime) -> None:
    for posted in client.cpa:
        money = Money(posted.amount, posted.currency)
        _milestone(draft, client, kind, posted.transfer_id, at, ib_id=posted.ib_id, money=money)
