"""What the client book remembers: of a client, of each of its deals, of its positions, of its CPAs."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import field

from commission.client.attribution import Attribution
from commission.client.deal_volume import DealVolume
from commission.client.deposit_losses import ClawReason, ClearedDeposit, TakenBack, Won, net_losses
from commission.events import Deal, KycStatus
from commission.outputs import Tally
from commission.terms.components import Cpa, Cpl
from commission.value import Value


class KycMark(Value):
    """A KYC status and when it began."""

    at: datetime
    status: KycStatus


class IbLink(Value):
    """From `since` on the client belongs to `ib_id`; the first link also covers the time before."""

    since: datetime
    ib_id: str | None


class Posted(NamedTuple):
    """An accrual as it stands in the ledger: what reversing it needs, and nothing to re-rate."""

    transfer_id: str
    ib_id: str
    component: str
    amount: Decimal
    currency: str
    plan_id: str
    plan_version: int
    held: bool = False
    release: int = 0
    """How often the client's held money had been released when this was posted as held."""
    taken: Decimal = Decimal(0)
    """What has been taken back already."""
    by_ib: bool = False
    """A client rebate that the IB pays for."""
    expires_at: datetime | None = None
    """Held money released after this was forfeited."""
    matures_at: datetime | None = None
    share_taken: Decimal = Decimal(0)
    """The shares that were taken back so far: at 1 nothing is left, however they were rounded."""
    earned_at: datetime | None = None
    """Of held money: which approvals release it depends on that."""
    base: Decimal | None = None
    """What a share of it is a share of, where that is not its amount: some of it came back by itself."""
    back_of: str = ""
    """Of what came back after it was taken: the accrual it came back of."""
    uncharged: Decimal | None = None
    """What a refund of all of the charge leaves; None: nothing of a share of charges, all of the rest."""


class Refund(NamedTuple):
    """What a later deal gave the client back of a deal's charge."""

    cause: str
    """The later deal's business key."""
    at: datetime
    amount: Decimal
    charge: Decimal
    """All that was charged."""


class Deposit(Value):
    """A deposit as far as it is known: a chargeback may arrive before the deposit itself."""

    deposit_id: str
    amount: Decimal | None = None
    currency: str = ""
    cleared_at: datetime | None = None
    taken_back: tuple[TakenBack, ...] = ()
    won: tuple[Won, ...] = ()
    posted: tuple[Posted, ...] = ()
    """What shares of this deposit earned."""
    basis: str = ""
    """The facts that was worked out from."""
    tallied: tuple[Tally, ...] = ()

    @property
    def losses(self) -> tuple[TakenBack, ...]:
        """What was taken back and not won again."""
        assert self.amount is not None, "what is lost of a deposit is known once its amount is"
        return net_losses(self.amount, self.taken_back, self.won)

    @property
    def cleared(self) -> ClearedDeposit | None:
        """What a CPA looks at; None before the deposit itself is known."""
        if self.cleared_at is None or self.amount is None:
            return None
        return ClearedDeposit(self.cleared_at, self.deposit_id, self.amount, self.currency, self.losses)


class Withdrawal(Value):
    """Money that left to the client."""

    event_id: str
    amount: Decimal
    currency: str
    at: datetime
    tallied: bool = False
    """It is counted in the net deposits of the IBs; before that the terms lacked something."""


class ClawedBack(NamedTuple):
    """A negative event, kept for deals that arrive after it: they are taken back like those before."""

    cause: str
    reason: ClawReason
    at: datetime
    since: datetime | None = None
    """When the disputed deposit cleared; None without one."""
    share: Decimal = Decimal(1)
    is_idle: bool = False
    """No plan let it reach anything when it came; one that is approved later may."""


class ClawedPage(Value):
    """Negative events that `ClientState.clawed` has no room for, in the order of their arrival."""

    clawed: tuple[ClawedBack, ...] = ()


class ClientHold(Value):
    """A person keeps what the client earns out of what is payable."""

    ib_id: str = ""
    """The one IB that it is held for; empty: all of them."""
    by: str
    reason: str


class Grant(Value):
    """A CPA or CPL: what it was granted for, what it caused, how often it was."""

    conditions: Cpa | Cpl
    currency: str
    """Of the conditions' plan."""
    posted: tuple[Posted, ...] = ()
    tallied: tuple[Tally, ...] = ()
    basis: str = ""
    """The facts it was granted on: when the client qualified, and by which deposits."""
    grants: int = 0

    @property
    def qualified_at(self) -> datetime:
        """When the client qualified, of a grant that posted something."""
        return datetime.fromisoformat(" ".join(self.basis.split(" ", 2)[:2]))

    @property
    def stands(self) -> bool:
        """Whether it is granted now."""
        return bool(self.posted) or any(tally.count or any(tally.amounts) for tally in self.tallied)


class ClientState(Value):
    """One client, of constant size however much it has traded, deposited and withdrawn."""

    client_id: str
    registered_at: datetime | None = None
    country: str = ""
    identity: str = ""
    click: dict[str, str] = field(default_factory=dict)
    links: tuple[IbLink, ...] = ()
    kyc: tuple[KycMark, ...] = ()
    deposits: tuple[ClearedDeposit, ...] = ()
    """The earliest that cleared, by their time: copies of what each has under a key of its own."""
    more_since: datetime | None = None
    """When the earliest of those cleared that have no copy here."""
    withdrawn: bool = False
    clawed: tuple[ClawedBack, ...] = ()
    """The newest by their arrival; older ones are in pages."""
    clawed_pages: int = 0
    fraud_at: datetime | None = None
    traded: bool = False
    waiting: int = 0
    """Deals that wait for the registration, numbered from 0 in the state."""
    held: dict[str, Decimal] = field(default_factory=dict)
    """`ib|component|currency|expiry` → what waits for KYC."""
    released_at: tuple[datetime, ...] = ()
    """When held money was released, each time."""
    grants: dict[str, Grant] = field(default_factory=dict)
    """CPAs and CPLs by component name."""
    refunds_until: dict[str, datetime] = field(default_factory=dict)
    """When the newest refund of an account was whose charge no opening tells: an older charge may be it."""
    attribution: Attribution | None = None
    """Of a client with clicks on tracking links."""
    holds: tuple[ClientHold, ...] = ()
    """One for all IBs, or one for each of some."""

    def ib_at(self, at: datetime) -> str | None:
        """The IB the client belongs to at `at`; the first also before."""
        ib_id = self.links[0].ib_id if self.links else None
        for link in self.links:
            if link.since <= at:
                ib_id = link.ib_id
        return ib_id

    def link_for(self, ib_id: str | None) -> str:
        """The tracking link of the IB that the client came by; "" if it came by none."""
        return self.attribution.link_for(ib_id) if self.attribution is not None else ""

    @property
    def introducer(self) -> str | None:
        """The IB the client registered with."""
        return next((link.ib_id for link in self.links if link.since == self.registered_at), None)

    @property
    def is_kyc_approved(self) -> bool:
        """Whether the newest status, by its own time, is approved."""
        return bool(self.kyc) and self.kyc[-1].status == "approved"

    def is_released(self, at: datetime) -> bool:
        """Whether a KYC gate lets through what was earned at `at`: by an approval then, or by a later one."""
        if not self.kyc:
            return False
        if self.kyc[-1].status == "approved":
            return True
        before: KycMark | None = None
        for mark in self.kyc:
            if mark.at <= at:
                before = mark
            elif mark.status == "approved":
                return True
        return before is not None and before.status == "approved"


class CloseBy(Value):
    """The legs of one order, or of one time, volume and symbol, in the order of time: two and two a pair."""

    legs: tuple[DealVolume, ...] = ()

    @property
    def seconds(self) -> dict[str, bool]:
        """Deal key → whether the deal is the second leg of its close-by."""
        return {leg.key: number % 2 == 1 for number, leg in enumerate(self.legs)}


class DealState(Value):
    """One deal: its newest revision and what it caused. Kept at any age, written once a revision."""

    at: datetime | None = None
    revision: str
    times: int = 0
    """How often the deal has been posted: part of its accruals' ids."""
    signed_e8: int = 0
    position: str = ""
    posted: tuple[Posted, ...] = ()
    replaced: tuple[str, ...] = ()
    """The newest of the older revisions; those before have keys of their own."""
    ended: bool = False
    """The platform cancelled or deleted the deal; no older record of it changes that."""
    tallied: tuple[Tally, ...] = ()
    first_posted: tuple[Posted, ...] = ()
    """What it posted, once some was taken back for a dispute, a verdict or a refund: that may be undone."""
    first_tallied: tuple[Tally, ...] = ()
    opened_e8: int = 0
    """What an in/out opened: its position may be forgotten when it is rated again."""
    charged: dict[str, int] = field(default_factory=dict)
    """Of a later commission charge, the volumes it was shared by: server's symbol → 1e-8 standard lots."""
    hedge: str = ""
    """State key of the hedged volume it counts in."""
    leg: str = ""
    """State key of the close-by it is a leg of."""
    volume: str = ""
    """The server's symbol under which it counts towards later charges."""
    volume_e8: int = 0
    """As how many 1e-8 standard lots."""
    account: str = ""
    """Its account, where it was charged or counts towards later charges."""
    symbol: str = ""
    """The server's symbol, where it was charged; "" of a later charge, which is for several."""
    charge: Decimal = Decimal(0)
    """What it charged the client, where some plan shares that."""
    refunds: tuple[Refund, ...] = ()
    """What later deals gave back of its charge."""
    refund_times: int = 0
    """How often that changed: part of the ids of what it takes."""
    refunded: tuple[str, ...] = ()
    """Business keys of the deals whose charges it refunds."""
    waiting: int | None = None
    """The slot among the client's deals that wait for its registration."""
    parked: int | None = None
    """The slot among the partition's deals that wait for terms."""
    number: int = 0
    """Of an account with several owners, that of the newest record, whichever of them it gave the deal to."""
    moved_to: str = ""
    """The client who has the deal by that record, where this one does not."""


class OldRevision(Value):
    """A revision that has left its deal's own state: a record of it, however late, brings nothing back."""

    at: datetime
    """When the deal happened, as that revision told it."""


class Parked(Value):
    """A deal that waits for terms, already in its position; without a deal, a client's CRM facts do."""

    client_id: str
    deal: Deal | None = None
    opened_e8: int = 0
    closed_e8: int = 0


class Parking(Value):
    """The slots in use of one partition: from `first` to before `next`, with gaps."""

    first: int = 0
    next: int = 0


class EventState(Value):
    """A CRM event that has had its effect, or a fact that the CRM names by itself."""

    at: datetime
    type: str = ""
    content: str = ""
    """A digest of everything the event says: another content is another event."""


class Cause(NamedTuple):
    """What made a row: a deal or a CRM event, when it happened, and for deals which one."""

    key: str
    occurred_at: datetime
    account_key: str = ""
    revision: str = ""
    symbol: str = ""
    effect: str = ""
    """What its rows are known by, where one cause takes of the same accrual more than once."""
