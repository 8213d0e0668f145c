"""What happened outside: deals from the platforms and events from the CRM, as frozen values.

Every event carries the identity its source gave it; nothing is identified by content or arrival.
`schemas.wire` gives these values their JSON form and checks it.
"""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, field

from commission.value import TaggedValue, Text, Time

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

MAX_CLICK_IDS = 10
"""Of one registration."""

SERVICE_MARK = "s"
"""Ends the revision of a service deal; what stands before it is the revision of a source that cannot tell."""

UNTOLD_MARK = "p"
"""Behind a revision's digits where the source did not tell the position, which takes no part in it then."""


def is_seen(revision: str, seen: tuple[str, ...]) -> bool:
    """Whether a revision was taken up, or the same record by a source that knew it for a service deal.

    So the better-told record counts whichever comes first, and the poorer one does not undo it.
    """
    return revision in seen or f"{revision}{SERVICE_MARK}" in seen


class Deal(TaggedValue, tag="deal"):
    """One execution on a platform, or one cash operation, whatever the source's dialect.

    `volume_e8` is in 1e-8 lots. `occurred_at` is UTC; `server_time` keeps the platform's own clock. Amounts
    are in `currency`, the account's deposit currency, signed as the platform signs them: a negative
    `commission` was charged. `bid` and `ask` are None when the platform recorded none; they are never zero.
    """

    platform: Platform
    server: Text
    login: int
    deal_id: Text
    """MT5: the deal number. MT4: `ticket:open` or `ticket:close`. Unique inside one server."""
    revision: Text
    """Hash of what matters for money; another revision of a known deal replaces it."""
    kind: DealKind
    occurred_at: Time
    server_time: Text = ""
    side: Side | None = None
    entry: Entry | None = None
    symbol: Text = ""
    """As the server spells it; the terms map it to a canonical symbol."""
    volume_e8: int = 0
    volume_closed_e8: int | None = None
    """The closing part of an in/out, where the source tells it."""
    contract_size: Decimal | None = None
    position_id: Text | None = ""
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
    agent_commission: Decimal | None = None
    """What MT4 itself pays an IB for a closed ticket, where the source tells it: to be compared, not paid."""
    currency: Text = ""
    rate_profit: Decimal | None = None
    """Profit currency to deposit currency, where the source tells it."""
    balance: Decimal | None = None
    """The account after the deal, where the source tells it; below 0 after a stop-out that came late."""
    equity: Decimal | None = None
    credit: Decimal | None = None
    """Equity and credit of the account at the deal, where the source tells them."""
    reason: Text = ""
    is_service: bool = False
    """True for roll-overs, transfers and other executions no client asked for."""
    group: Text = ""
    comment: Text = ""
    source: Text = ""
    """Where the record was read, for people: `mt5-deals-csv deals.csv:17`."""

    @property
    def account_key(self) -> str:
        """The account, unique over all servers: `server/login`."""
        return f"{self.server}/{self.login}"

    @property
    def deal_key(self) -> str:
        """The business key, unique over all servers: `server|deal_id`."""
        return f"{self.server}|{self.deal_id}"


class AccountLinked(TaggedValue, tag="account_linked"):
    """A trading account belongs to a client from `occurred_at` on.

    An account's first link also covers what it traded before: no account trades before it exists.
    """

    event_id: Text
    client_id: Text
    server: Text
    login: int
    occurred_at: Time
    source: Text = ""

    @property
    def account_key(self) -> str:
        """The account, unique over all servers: `server/login`."""
        return f"{self.server}/{self.login}"


class ClientRegistered(TaggedValue, tag="client_registered"):
    """A person became a client, referred by `ib_id` or by nobody.

    `click` holds the parameters of the entry URL, offered again as postback macros.
    """

    event_id: Text
    client_id: Text
    occurred_at: Time
    ib_id: Text | None = None
    country: Text = ""
    click: dict[Text, Text] = field(default_factory=dict)
    identity: Text = ""
    """Who the client is, as the CRM identifies persons; equal to an IB's, the IB trades itself."""
    click_ids: Annotated[tuple[Text, ...], Meta(max_length=MAX_CLICK_IDS)] = ()
    """Of clicks on tracking links, as the CRM told them."""
    genuine_clicks: Annotated[tuple[Text, ...], Meta(max_length=MAX_CLICK_IDS)] = ()
    """Those of them that we made: found where the registration enters, never believed of a sender."""
    source: Text = ""


class ClientReassigned(TaggedValue, tag="client_reassigned"):
    """A client belongs to another IB, or to none, from `occurred_at` on."""

    event_id: Text
    client_id: Text
    occurred_at: Time
    ib_id: Text | None = None
    source: Text = ""


class DepositAnnounced(TaggedValue, tag="deposit_announced"):
    """Money of a client that has not arrived: under way, or given up.

    It earns nothing, counts for nothing and leaves no trace in the fold; it is kept to be seen.
    """

    event_id: Text
    client_id: Text
    deposit_id: Text
    amount: Decimal
    currency: Text
    occurred_at: Time
    status: Literal["pending", "failed"] = "pending"
    source: Text = ""


class DepositCleared(TaggedValue, tag="deposit_cleared"):
    """Money of a client arrived; `amount` is positive, in `currency`."""

    event_id: Text
    client_id: Text
    deposit_id: Text
    amount: Decimal
    currency: Text
    occurred_at: Time
    source: Text = ""


class ChargebackReceived(TaggedValue, tag="chargeback_received"):
    """A deposit was taken back: by the client's bank, refunded by the broker, or reversed by the PSP.

    `amount` is the part taken back; None is all; several add up. It counts towards no qualification then.
    """

    event_id: Text
    client_id: Text
    deposit_id: Text
    occurred_at: Time
    amount: Decimal | None = None
    reason: Literal["chargeback", "refund", "deposit_reversal"] = "chargeback"
    chargeback_id: Text = ""
    """Its own, where the CRM has one: it takes once, however often it is sent."""
    source: Text = ""


class ChargebackWon(TaggedValue, tag="chargeback_won"):
    """Money that a chargeback took is the broker's again: the dispute was won, wholly or in part.

    It names the chargeback by its own or its event's id; unnamed, the deposit's earliest are meant. `amount`
    is the part that came back; None is all. What that part took comes back at the frozen amounts.
    """

    event_id: Text
    client_id: Text
    deposit_id: Text
    occurred_at: Time
    amount: Decimal | None = None
    chargeback_id: Text = ""
    source: Text = ""


class WithdrawalPaid(TaggedValue, tag="withdrawal_paid"):
    """Money left to a client; `amount` is positive, in `currency`. It claws nothing back."""

    event_id: Text
    client_id: Text
    amount: Decimal
    currency: Text
    occurred_at: Time
    withdrawal_id: Text = ""
    """Its own id, where the CRM has one: it counts once, however often it is sent."""
    source: Text = ""


class ClientFlagged(TaggedValue, tag="client_flagged"):
    """A verdict about a client: proven fraud, or a bonus taken away for abuse."""

    event_id: Text
    client_id: Text
    verdict: Literal["fraud", "bonus_removed"]
    occurred_at: Time
    source: Text = ""


class KycChanged(TaggedValue, tag="kyc_changed"):
    """The client's identity check has a new status from `occurred_at` on.

    `expires_at` is when the documents of an approval do. Nothing happens at that time by itself: an
    `expired` status is a record of its own, and what is earned after it is held like before an approval.
    """

    event_id: Text
    client_id: Text
    status: KycStatus
    occurred_at: Time
    jurisdiction: Text = ""
    """Whose rules the client was checked by, as the CRM names it; kept to be seen."""
    expires_at: Time | None = None
    source: Text = ""


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


class RoutedDeal(TaggedValue, tag="routed_deal"):
    """A deal in the client book: the account book has looked up whose it is."""

    client_id: Text
    deal: Deal
    others: tuple[Text, ...] = ()
    """Who else has owned the account: a copy that one of them has of the deal gives way to a newer record."""
    number: int = 0
    """Of an account with several owners, the place of this record among those of its deals, from 1."""


class DealMoved(TaggedValue, tag="deal_moved"):
    """To a client that another owner of the account has a deal by its newest record: an edit moved its time.

    What the client has of the deal by records with a lower `number` is undone.
    """

    client_id: Text
    deal: Deal
    number: int
    """That of the record by which `owner` has it."""
    owner: Text


class ReratingApproved(TaggedValue, tag="rerating_approved"):
    """A second person approved that a deal is rated again, by the terms and links known by now.

    Without a deal it is the client's CPAs, CPLs and deposit shares that are weighed again.
    """

    client_id: Text
    proposal_id: Text
    occurred_at: Time
    """When it was approved."""
    deal: Deal | None = None
