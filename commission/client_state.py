"""What the client book remembers: of a client, of each of its deals, of its CPA."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from commission.events import WIRE, Deal, KycStatus
from commission.terms import Cpa


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedDeal:
    """A deal in the client book: the account book has looked up whose account it is."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["routed_deal"] = "routed_deal"
    client_id: str
    deal: Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class KycMark:
    """A KYC status and when it began."""

    at: datetime
    status: KycStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class IbLink:
    """From `since` on the client belongs to `ib_id`; the first link also covers the time before."""

    since: datetime
    ib_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A deposit as far as it is known: the chargeback may arrive before the deposit itself."""

    deposit_id: str
    amount: Decimal | None = None
    currency: str = ""
    cleared_at: datetime | None = None
    charged_back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """An accrual as it stands in the ledger: what reversing it needs, and nothing to re-rate."""

    transfer_id: str
    ib_id: str
    component: str
    amount: Decimal
    currency: str
    held: bool
    release: int
    """How often the client's held money had been released when this was posted as held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientState:
    """One client, of constant size however many deals it has traded."""

    client_id: str
    registered_at: datetime | None = None
    country: str = ""
    click: dict[str, str] = field(default_factory=dict)
    links: tuple[IbLink, ...] = ()
    kyc: tuple[KycMark, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    traded: bool = False
    waiting: int = 0
    """Deals that wait for the registration, numbered from 0 in the state."""
    held: dict[str, Decimal] = field(default_factory=dict)
    """`ib|component|currency` → what waits for KYC."""
    releases: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    """`server/login|position` → signed open volume in 1e-8 lots; flat positions are absent."""
    cpa: tuple[Posted, ...] = ()
    """The CPA that stands, if one does."""
    cpa_conditions: tuple[Cpa, str] | None = None
    """What the newest CPA was granted for, and its currency: later terms do not undo it."""
    cpa_grants: int = 0

    @property
    def is_kyc_approved(self) -> bool:
        """Whether the newest status, by its own time, is approved."""
        return bool(self.kyc) and self.kyc[-1].status == "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class DealState:
    """One deal: its newest revision and what it caused. Kept at any age, written once a revision."""

    revision: str
    replaced: tuple[str, ...] = ()
    """Older revisions: an old export read again does not bring them back."""
    ended: bool = False
    """The platform cancelled or deleted the deal; no older record of it changes that."""
    posted: tuple[Posted, ...] = ()
    position: str = ""
    signed_e8: int = 0
    times: int = 0
    """How often the deal has been posted: part of its accruals' ids."""
    waiting: int | None = None
    """The slot among the client's deals that wait for its registration."""
    parked: int | None = None
    """The slot among the partition's deals that wait for terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A deal that waits for terms, already in its position; without a deal, a client's CPA does."""

    client_id: str
    deal: Deal | None = None
    opened_e8: int = 0
    closed_e8: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """The slots in use of one partition: from `first` to before `next`, with gaps."""

    first: int = 0
    next: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """A CRM event that has had its effect."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """Standard lots a deal closed, while the client still has to trade for its CPA."""

    at: datetime
    deal_key: str
    lots: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualifying:
    """The earliest deals that together reach the lots a CPA asks for and some more, by their time."""

    trades: tuple[Traded, ...] = ()
