"""What happened outside: deals from the platforms and events from the CRM, as frozen values.

Every event carries the identity its source gave it; nothing is identified by content or arrival.
`schemas.wire` gives these values their JSON form and checks it.
"""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from commission.value import value

WIRE: dict[str, Any] = {"extra": "forbid", "str_max_length": 1024, "allow_inf_nan": False}
"""Bounds of the JSON form: unknown fields, strings over 1,024 characters and NaN are refused."""

LOT_E8 = 100_000_000
"""One lot in the unit of every volume here: 1e-8 lots, the finest any platform reports."""

Platform = Literal["mt4", "mt5"]
Side = Literal["buy", "sell"]
Entry = Literal["in", "out", "inout", "out_by"]
DealKind = Literal[
    "trade",
    "cancelled",
    "deleted",
    "balance",
    "credit",
    "charge",
    "correction",
    "bonus",
    "commission",
    "agent",
    "interest",
    "dividend",
    "tax",
    "so_compensation",
]
KycStatus = Literal["pending", "approved", "rejected", "revoked", "expired"]

SERVICE_MARK = "s"
"""Ends the revision of a service deal; what stands before it is the revision of a source that cannot tell."""

UNTOLD_MARK = "p"
"""Behind a revision's digits where the source did not tell the position, which takes no part in it then."""


def is_seen(revision: str, seen: tuple[str, ...]) -> bool:
    """Whether a revision was taken up, or the same record by a source that knew it for a service deal.

    So the better-told record counts whichever comes first, and the poorer one does not undo it.
    """
    return revision in seen or f"{revision}{SERVICE_MARK}" in seen


@value
class Deal:
    """One execution on a platform, or one cash operation, whatever the source's dialect.

    `volume_e8` is in 1e-8 lots. `occurred_at` is UTC; `server_time` keeps the platform's own clock. Amounts
    are in `currency`, the account's deposit currency, signed as the platform signs them: a negative
    `commission` was charged. `bid` and `ask` are None when the platform recorded none; they are never zero.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["deal"] = "deal"
    platform: Platform
    server: str
    login: int
    deal_id: str
    """MT5: the deal number. MT4: `ticket:open` or `ticket:close`. Unique inside one server."""
    revision: str
    """Hash of what matters for money; another revision of a known deal replaces it."""
    kind: DealKind
    occurred_at: datetime
    server_time: str = ""
    side: Side | None = None
    entry: Entry | None = None
    symbol: str = ""
    """As the server spells it; the terms map it to a canonical symbol."""
    volume_e8: int = 0
    volume_closed_e8: int | None = None
    """The closing part of an in/out, where the source tells it."""
    contract_size: Decimal | None = None
    position_id: str | None = ""
    """Empty: it has none. None: its source does not tell; what needs no opening is rated, the rest waits."""
    close_by: str = ""
    """Of a leg of a close-by: the order that both legs share, where the source tells it."""
    price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    currency: str = ""
    rate_profit: Decimal | None = None
    """Profit currency to deposit currency, where the source tells it."""
    balance: Decimal | None = None
    """The account after the deal, where the source tells it; below 0 after a stop-out that came late."""
    equity: Decimal | None = None
    credit: Decimal | None = None
    """Equity and credit of the account at the deal, where the source tells them."""
    reason: str = ""
    is_service: bool = False
    """True for roll-overs, transfers and other executions no client asked for."""
    group: str = ""
    comment: str = ""
    source: str = ""
    """Where the record was read, for people: `mt5-deals-csv deals.csv:17`."""

    @property
    def account_key(self) -> str:
        """The account, unique over all servers: `server/login`."""
        return f"{self.server}/{self.login}"

    @property
    def deal_key(self) -> str:
        """The business key, unique over all servers: `server|deal_id`."""
        return f"{self.server}|{self.deal_id}"


@value
class AccountLinked:
    """A trading account belongs to a client from `occurred_at` on.

    An account's first link also covers what it traded before: no account trades before it exists.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["account_linked"] = "account_linked"
    event_id: str
    client_id: str
    server: str
    login: int
    occurred_at: datetime
    source: str = ""

    @property
    def account_key(self) -> str:
        """The account, unique over all servers: `server/login`."""
        return f"{self.server}/{self.login}"


@value
class ClientRegistered:
    """A person became a client, referred by `ib_id` or by nobody.

    `click` holds the parameters of the entry URL, offered again as postback macros.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["client_registered"] = "client_registered"
    event_id: str
    client_id: str
    occurred_at: datetime
    ib_id: str | None = None
    country: str = ""
    click: dict[str, str] = field(default_factory=dict)
    identity: str = ""
    """Who the client is, as the CRM identifies persons; equal to an IB's, the IB trades itself."""
    source: str = ""


@value
class ClientReassigned:
    """A client belongs to another IB, or to none, from `occurred_at` on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["client_reassigned"] = "client_reassigned"
    event_id: str
    client_id: str
    occurred_at: datetime
    ib_id: str | None = None
    source: str = ""


@value
class DepositAnnounced:
    """Money of a client that has not arrived: under way, or given up.

    It earns nothing, counts for nothing and leaves no trace in the fold; it is kept to be seen.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["deposit_announced"] = "deposit_announced"
    event_id: str
    client_id: str
    deposit_id: str
    amount: Decimal
    currency: str
    occurred_at: datetime
    status: Literal["pending", "failed"] = "pending"
    source: str = ""


@value
class DepositCleared:
    """Money of a client arrived; `amount` is positive, in `currency`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["deposit_cleared"] = "deposit_cleared"
    event_id: str
    client_id: str
    deposit_id: str
    amount: Decimal
    currency: str
    occurred_at: datetime
    source: str = ""


@value
class ChargebackReceived:
    """A deposit was taken back: by the client's bank, refunded by the broker, or reversed by the PSP.

    `amount` is the part taken back; None is all; several add up. It counts towards no qualification then.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["chargeback_received"] = "chargeback_received"
    event_id: str
    client_id: str
    deposit_id: str
    occurred_at: datetime
    amount: Decimal | None = None
    reason: Literal["chargeback", "refund", "deposit_reversal"] = "chargeback"
    chargeback_id: str = ""
    """Its own, where the CRM has one: it takes once, however often it is sent."""
    source: str = ""


@value
class ChargebackWon:
    """Money that a chargeback took is the broker's again: the dispute was won, wholly or in part.

    It names the chargeback by its own or its event's id; unnamed, the deposit's earliest are meant. `amount`
    is the part that came back; None is all. What that part took comes back at the frozen amounts.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["chargeback_won"] = "chargeback_won"
    event_id: str
    client_id: str
    deposit_id: str
    occurred_at: datetime
    amount: Decimal | None = None
    chargeback_id: str = ""
    source: str = ""


@value
class WithdrawalPaid:
    """Money left to a client; `amount` is positive, in `currency`. It claws nothing back."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["withdrawal_paid"] = "withdrawal_paid"
    event_id: str
    client_id: str
    amount: Decimal
    currency: str
    occurred_at: datetime
    withdrawal_id: str = ""
    """Its own id, where the CRM has one: it counts once, however often it is sent."""
    source: str = ""


@value
class ClientFlagged:
    """A verdict about a client: proven fraud, or a bonus taken away for abuse."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["client_flagged"] = "client_flagged"
    event_id: str
    client_id: str
    verdict: Literal["fraud", "bonus_removed"]
    occurred_at: datetime
    source: str = ""


@value
class KycChanged:
    """The client's identity check has a new status from `occurred_at` on.

    `expires_at` is when the documents of an approval do. Nothing happens at that time by itself: an
    `expired` status is a record of its own, and what is earned after it is held like before an approval.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["kyc_changed"] = "kyc_changed"
    event_id: str
    client_id: str
    status: KycStatus
    occurred_at: datetime
    jurisdiction: str = ""
    """Whose rules the client was checked by, as the CRM names it; kept to be seen."""
    expires_at: datetime | None = None
    source: str = ""


ClientEvent = (
    ClientRegistered
    | ClientReassigned
    | DepositAnnounced
    | DepositCleared
    | ChargebackReceived
    | ChargebackWon
    | WithdrawalPaid
    | ClientFlagged
    | KycChanged
)
AccountEvent = Deal | AccountLinked


@value
class RoutedDeal:
    """A deal in the client book: the account book has looked up whose it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["routed_deal"] = "routed_deal"
    client_id: str
    deal: Deal


@value
class ReratingApproved:
    """A second person approved that a deal is rated again, by the terms and links known by now.

    Without a deal it is the client's CPAs, CPLs and deposit shares that are weighed again.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["rerating_approved"] = "rerating_approved"
    client_id: str
    proposal_id: str
    occurred_at: datetime
    """When it was approved."""
    deal: Deal | None = None
