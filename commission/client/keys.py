"""State keys of the client book: the first letter tells the type, the rest whose it is.

Each begins with its client, so that a client's deals are found by a prefix; what waits for terms is
numbered by partition.
"""

from commission.events import Deal

PARKING = "P"
"""The slots that wait for terms."""


def client(client_id: str) -> str:
    """A client."""
    return f"c:{client_id}"


def deal(client_id: str, deal_key: str) -> str:
    """A deal, by its business key."""
    return f"{deals(client_id)}{deal_key}"


def deals(client_id: str) -> str:
    """What the keys of a client's deals begin with."""
    return f"d:{client_id}:"


def event(client_id: str, event_id: str) -> str:
    """A CRM event that had its effect."""
    return f"e:{client_id}:{event_id}"


def fact(client_id: str, kind: str, fact_id: str) -> str:
    """Something that the CRM names by itself, whatever event it is in: a chargeback, a withdrawal."""
    return event(client_id, f"{kind}|{fact_id}")


def deposit(client_id: str, deposit_id: str) -> str:
    """A deposit and what was taken back of it."""
    return f"{deposits(client_id)}{deposit_id}"


def deposits(client_id: str) -> str:
    """What the keys of a client's deposits begin with."""
    return f"m:{client_id}:"


def withdrawal(client_id: str, event_id: str) -> str:
    """A withdrawal."""
    return f"{withdrawals(client_id)}{event_id}"


def withdrawals(client_id: str) -> str:
    """What the keys of a client's withdrawals begin with."""
    return f"u:{client_id}:"


def clawed(client_id: str, page: int) -> str:
    """Older negative events of a client, by the page."""
    return f"n:{client_id}:{page}"


def waiting(client_id: str, slot: int) -> str:
    """A deal that waits for the registration."""
    return f"w:{client_id}:{slot}"


def position(client_id: str, of: Deal) -> str:
    """The position a deal belongs to; "" where its source does not tell it."""
    return "" if of.position_id is None else f"{_positions(client_id, of)}{of.position_id}"


def position_id(key: str, client_id: str, of: Deal) -> str | None:
    """The position's id in a key of the deal's account; None if it is a key of another, or none."""
    prefix = _positions(client_id, of)
    return key.removeprefix(prefix) if key.startswith(prefix) else None


def _positions(client_id: str, of: Deal) -> str:
    return f"o:{client_id}:{of.account_key}|"


def old_revision(client_id: str, deal_key: str, revision: str) -> str:
    """A revision of a deal that its state no longer lists."""
    return f"r:{client_id}:{deal_key}|{revision}"


def closing(client_id: str, deal_key: str) -> str:
    """A closing that is rated by its openings."""
    return f"k:{client_id}:{deal_key}"


def close_by(client_id: str, leg: Deal) -> str:
    """The legs of one order of an account; untold, those of one symbol, time and volume."""
    if leg.close_by:
        return f"b:{client_id}:{leg.account_key}#{leg.close_by}"
    place = f"{leg.account_key}|{leg.symbol}|{leg.occurred_at.isoformat()}|{leg.volume_e8}"
    return f"b:{client_id}:{place}"


def hedged(client_id: str, account_key: str, canonical: str, period: str) -> str:
    """The hedged volume of an account and symbol in a period."""
    return f"h:{client_id}:{account_key}|{canonical}|{period}"


def hedged_opening(place: str, deal_key: str) -> str:
    """A deal that counts in the hedged volume of a place."""
    return f"g{place[1:]}|{deal_key}"


def volumes(client_id: str, account_key: str) -> str:
    """What an account traded since its last commission charge."""
    return f"v:{client_id}:{account_key}"


def later_charge(client_id: str, account_key: str, deal_key: str) -> str:
    """A later commission charge of an account."""
    return f"{later_charges(client_id, account_key)}{deal_key}"


def later_charges(client_id: str, account_key: str) -> str:
    """What the keys of an account's later charges begin with."""
    return f"a:{client_id}:{account_key}|"


def unplaced_refund(client_id: str, account_key: str, deal_key: str) -> str:
    """A refund whose charge no opening tells."""
    return f"{unplaced_refunds(client_id, account_key)}{deal_key}"


def unplaced_refunds(client_id: str, account_key: str) -> str:
    """What the keys of an account's refunds begin with whose charges no opening tells."""
    return f"l:{client_id}:{account_key}|"


def qualifying(client_id: str) -> str:
    """The trades that count towards a client's CPAs."""
    return f"q:{client_id}"


def held_tallies(client_id: str) -> str:
    """Tallies that wait for the client's KYC."""
    return f"t:{client_id}"


def on_hold(client_id: str) -> str:
    """What a person holds of the client's accruals."""
    return f"x:{client_id}"


def parked(slot: int) -> str:
    """What waits for terms in a slot."""
    return f"p:{slot}"


def is_parked(key: str) -> bool:
    """Whether the key is one of those slots."""
    return key.startswith("p:")
