"""Which charge is refunded where no opening says it (`refunds.py`): on an opening, by a deal of its own.

Each such refund of an account, in the order of time, is of the nearest charge before it that has as much
left: of its position, then of its symbol, then of the account; the newest of those. Where none has as much it
is of several, the nearest first. What is more than all of them have left is of no charge that is known, and
takes nothing. So it follows from the charges and refunds alone, in whatever order they became known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from commission.client import keys
from commission.client.charging import share_again
from commission.client.parked import reject
from commission.client.refunding import refund_charges
from commission.client.refunds import REFUND, Refunded, UnplacedRefund, refund_unknown
from commission.client.state import ClientState, DealState
from commission.draft import Draft
from commission.rating.values import ZERO
from commission.terms.catalog import Terms


@dataclass(slots=True)
class _Charge:
    """A charge of the account, and what is left of it."""

    deal_key: str
    at: datetime
    symbol: str
    position: str
    amount: Decimal
    left: Decimal


def match_refunds(draft: Draft, client: ClientState, terms: Terms) -> ClientState:
    """Match the client's refunds with its charges, where something of either changed that matters."""
    for account, until in client.refunds_until.items():
        if _is_touched(draft, client, account, until):
            client = _match(draft, client, account, terms)
    return client


def _is_touched(draft: Draft, client: ClientState, account: str, until: datetime) -> bool:
    """Whether a refund of the account was written, or a charge that may be the one it refunds."""
    refunds, deals = keys.unplaced_refunds(client.client_id, account), keys.deals(client.client_id)
    return any(
        key.startswith(refunds) or (key.startswith(deals) and _has_changed(draft.load(key), state, until))
        for key, state in draft.writes.items()
    )


def _has_changed(before: DealState | None, after: DealState | None, until: datetime) -> bool:
    was, now = (_facts(state, until) for state in (before, after))
    return was != now


def _facts(state: DealState | None, until: datetime) -> tuple[object, ...] | None:
    """What of a charge matters to refunds up to some time."""
    if state is None or not state.charge or state.at is None or state.at > until:
        return None
    return state.account, state.at, state.symbol, state.position, state.charge, state.refunds


def _match(draft: Draft, client: ClientState, account: str, terms: Terms) -> ClientState:
    prefix = keys.unplaced_refunds(client.client_id, account)
    refunds = [draft.read(key, UnplacedRefund) for key in draft.scan(prefix)]
    refunds.sort(key=lambda one: (one.deal.occurred_at, one.deal.deal_key))
    charges = list(_charges(draft, client, account, refunds))
    for one in refunds:
        name = one.deal.deal_key
        state = draft.read(key := keys.deal(client.client_id, name), DealState)
        found = {charged: Refunded(*amounts) for charged, amounts in one.placed.items()}
        unknown = _take(found, one, charges, state.position)
        client, refunded = refund_charges(draft, client, one.deal, state.refunded, found, terms)
        if refunded != state.refunded:
            draft.put(key, replace(state, refunded=refunded))
        if unknown != one.unknown:
            draft.put(f"{prefix}{name}", replace(one, unknown=unknown))
            reject(draft, client, one.deal, refund_unknown(one.deal, unknown) if unknown else REFUND)
    return share_again(draft, client, account, terms) if terms.some.shares_later_charges else client


def _charges(
    draft: Draft, client: ClientState, account: str, refunds: Iterable[UnplacedRefund]
) -> Iterator[_Charge]:
    """The charges of the account, less what openings tell that is refunded of them."""
    unplaced = {one.deal.deal_key for one in refunds}
    placed = [entry for one in refunds for entry in one.placed.items()]
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.read(key, DealState)
        if not state.charge or state.account != account:
            continue
        assert state.at is not None, "a deal that charged has a time"
        name = key.removeprefix(keys.deals(client.client_id))
        refunded = sum((one.amount for one in state.refunds if one.cause not in unplaced), ZERO)
        refunded += sum((amount for charged, (amount, _) in placed if charged == name), ZERO)
        left = state.charge - refunded
        yield _Charge(name, state.at, state.symbol, state.position, state.charge, left)


def _take(found: dict[str, Refunded], one: UnplacedRefund, charges: list[_Charge], position: str) -> Decimal:
    """Add to what the deal refunds the charges it is matched with; what is of none of them."""
    deal, rest = one.deal, one.amount
    symbol = deal.symbol if deal.kind == "trade" else ""

    def nearness(charge: _Charge) -> tuple[object, ...]:
        is_near = bool(position) and charge.position == position
        return is_near, charge.symbol == symbol, charge.at, charge.deal_key

    fitting = sorted(
        (
            charge
            for charge in charges
            if charge.left > 0
            and charge.at <= deal.occurred_at
            and (not symbol or charge.symbol in ("", symbol))
        ),
        key=nearness,
        reverse=True,
    )
    enough = next((charge for charge in fitting if charge.left >= rest), None)
    for charge in fitting if enough is None else (enough,):
        taken = min(rest, charge.left)
        known = found.get(charge.deal_key)
        found[charge.deal_key] = Refunded(taken + (ZERO if known is None else known.amount), charge.amount)
        charge.left -= taken
        rest -= taken
        if not rest:
            break
    return rest
