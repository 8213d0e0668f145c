"""The shape of a golden case: its clients, their events and deals, and what is expected."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from commission.events import LOT_E8, KycStatus
from commission.money import Money
from ingest.iso_codes import COUNTRY_HINT, to_country
from ingest.terms.yaml_page import to_moment

MAX_TIMES = 1_000
"""Clients one entry may stand for."""
MAX_LOTS = 1_000_000_000

DEAL_HINT = "write: id side lots symbol entry key=value …, such as 1 buy 0.5 EURUSD in at=2026-09-03T10:00Z"


def _to_money(value: Any) -> Money:
    amount, _, currency = str(value).partition(" ")
    try:
        money = Money(Decimal(amount), currency)
    except InvalidOperation:
        raise ValueError("write an amount and its currency, such as 4.20 USD") from None
    if not currency:
        raise ValueError(f"{amount} has no currency; write {amount} USD or whichever it is")
    return money


def _to_time(value: Any, info: ValidationInfo) -> datetime:
    if isinstance(value, datetime):
        return value
    if (moment := to_moment(str(value), (info.context or {}).get("zone", UTC))) is None:
        raise ValueError("write a date 2026-09-01 or a time 2026-09-01T12:00Z")
    return moment


def _to_month(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
        raise ValueError("periods are months here; write year and month as 2026-09")
    return _to_text(value)


def _to_zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of zones
        raise ValueError("write an IANA zone such as Europe/Nicosia") from None


def _is_fine(lots: Decimal) -> Decimal:
    if not 0 <= lots <= MAX_LOTS or lots * LOT_E8 != int(lots * LOT_E8):
        raise ValueError(f"write lots from 0 to {MAX_LOTS}, with at most 8 decimals")
    return lots


def _to_code(text: str) -> str:
    code = to_country(text) if text else ""
    if code is None:
        raise ValueError(COUNTRY_HINT)
    return code


def _to_text(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


Amount = Annotated[Money, BeforeValidator(_to_money)]
Time = Annotated[datetime, BeforeValidator(_to_time)]
Text = Annotated[str, BeforeValidator(_to_text)]
Country = Annotated[Text, AfterValidator(_to_code)]
Lots = Annotated[Decimal, AfterValidator(_is_fine)]
Month = Annotated[str, BeforeValidator(_to_month)]
Zone = Annotated[str, BeforeValidator(_to_zone)]

DAY_1 = datetime(2026, 9, 1, tzinfo=UTC)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DealLine(_Value):
    """One deal as a line: what it is, then `key=value` for what differs from the usual."""

    deal_id: Text
    side: Literal["buy", "sell"] | None
    lots: Lots
    symbol: Text
    entry: Literal["in", "out", "inout", "out_by"] | None
    at: Time = DAY_1 + timedelta(days=2, hours=10)
    price: Decimal = Decimal(1)
    bid: Decimal | None = None
    ask: Decimal | None = None
    position: Text = ""
    """The deals of one account and symbol are one position unless told."""
    login: int | None = None
    closed: Lots | None = None
    """Of an in/out: the lots it closes."""
    contract_size: Decimal | None = None
    profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    currency: Text = "USD"
    rate_profit: Decimal | None = None
    balance: Decimal | None = None
    equity: Decimal | None = None
    credit: Decimal | None = None
    reason: Text = "client"
    group: Text = ""
    kind: Text = "trade"
    revision: Text = "a"
    platform: Literal["mt4", "mt5"] = "mt5"


def _to_deal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = str(value).split()
    plain = [word for word in words if "=" not in word]
    if len(plain) != 5:
        raise ValueError(f"{str(value)!r} has {len(plain)} words before its keys, not 5; {DEAL_HINT}")
    names = ("deal_id", "side", "lots", "symbol", "entry")
    told = {name: None if word == "-" else word for name, word in zip(names, plain, strict=True)}
    told["symbol"] = told["symbol"] or ""
    keys = dict(word.split("=", 1) for word in words if "=" in word)
    return told | keys


AnyDealLine = Annotated[DealLine, BeforeValidator(_to_deal)]
EVENT_KINDS = (
    "deposit",
    "chargeback",
    "refund",
    "deposit_reversal",
    "chargeback_won",
    "withdrawal",
    "kyc",
    "flag",
    "reassigned",
    "period_end",
)


class EventLine(_Value):
    """One CRM event or the end of a period; exactly one of the kinds is named."""

    at: Time | None = None
    amount: Amount | None = None
    deposit: Text | None = None
    chargeback: Text | None = None
    refund: Text | None = None
    deposit_reversal: Text | None = None
    chargeback_won: Text | None = None
    """The deposit whose dispute was won."""
    withdrawal: Amount | None = None
    kyc: KycStatus | None = None
    flag: Literal["fraud", "bonus_removed"] | None = None
    reassigned: Text | None = None
    """The new IB, or `nobody`."""
    period_end: Month | None = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in EVENT_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_whole(self) -> "EventLine":
        kinds = [kind for kind in EVENT_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"an event names exactly one of {', '.join(EVENT_KINDS)}")
        if self.at is None and kinds[0] != "period_end":
            raise ValueError("an event needs `at`, its time")
        if kinds[0] == "deposit" and self.amount is None:
            raise ValueError("a deposit needs `amount`, such as 500 USD")
        return self


class ClientLine(_Value):
    """One client, or `times` equal ones, with its events and deals."""

    id: Text = "c-1"
    times: int = Field(default=1, ge=1, le=MAX_TIMES)
    ib: Text = ""
    """The first partner without sub-IBs unless told; `nobody` for none."""
    country: Country = ""
    channel: Text = ""
    identity: Text = ""
    kyc: KycStatus = "approved"
    registered: Time = DAY_1
    events: tuple[EventLine, ...] = ()
    deals: tuple[AnyDealLine, ...] = ()


class Case(_Value):
    """A golden case: what clients did, and what every IB gets for it. See examples/plans/README.md."""

    case: Text
    client: ClientLine = ClientLine()
    clients: tuple[ClientLine, ...] = ()
    events: tuple[EventLine, ...] = ()
    deals: tuple[AnyDealLine, ...] = ()
    server: Text = ""
    zone: Zone = "UTC"
    """Where days and months begin; in a folder of terms, where its calendar says unless told."""
    pays: dict[Text, Amount]
    pays_by_component: dict[Text, dict[Text, Amount]] = {}
    rejects: dict[Text, Text] = {}
    paid_by_deal: dict[Text, Amount] = {}
    balances: dict[Text, Amount] = {}
    shown: dict[Text, Amount] = {}

    @property
    def all_clients(self) -> tuple[ClientLine, ...]:
        """The clients with their deals, in whichever of the two forms the case is written."""
        return self.clients or (self.client.model_copy(update={"deals": (*self.client.deals, *self.deals)}),)

    @model_validator(mode="after")
    def _is_whole(self) -> "Case":
        if self.clients and (self.deals or self.client != ClientLine()):
            raise ValueError("a case has either `client` and `deals`, or `clients` with deals of their own")
        return self
