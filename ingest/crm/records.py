"""One record of a CRM, by field names, to the event it tells: the last step of every CRM source.

A file's reader or an endpoint gathers the fields; what they mean, and which an event needs, is decided here,
once. `event` is the word that says which event it is; empty and absent fields are one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar, get_args

from commission.events import (
    AccountLinked,
    ChargebackReceived,
    ChargebackWon,
    ClientEvent,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    DepositAnnounced,
    DepositCleared,
    KycChanged,
    KycStatus,
    WithdrawalPaid,
)
from commission.terms.partners import ParentLink, PartnerChanged, PlanAssignment, StatusChange
from ingest.formats.cells import shown, to_amount, to_number
from ingest.iso_codes import COUNTRY_HINT, CURRENCY_HINT, is_currency, to_country
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import RowRejected, check_server

CrmEvent = AccountLinked | ClientEvent | PartnerChanged

FIELDS = (
    "event",
    "event_id",
    "occurred_at",
    "client_id",
    "ib_id",
    "server",
    "login",
    "deposit_id",
    "chargeback_id",
    "withdrawal_id",
    "amount",
    "currency",
    "status",
    "country",
    "identity",
    "jurisdiction",
    "expires_at",
    "name",
    "parent_ib_id",
    "plan_id",
    "rank",
    "factor",
)
CLICK = "click"
"""A mapping of the entry URL's parameters, or fields `click.<name>`."""
MAX_CLICKS = 30
MAX_CLICK_CHARS = 200
MAX_WORD_CHARS = 64
"""Of a jurisdiction, a rank."""
MAX_NAME_CHARS = 200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=#~-]{0,127}")
_CLICK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Word = TypeVar("Word", bound=str)
PartnerStatus = Literal["active", "suspended", "terminated"]
Application = Literal["received", "approved", "declined"]
Loss = Literal["chargeback", "refund", "deposit_reversal"]


def to_event(record: Mapping[str, object], source: str = "") -> CrmEvent:
    """Make the event of a record; raise `RowRejected` if it is none, saying which field and what to do."""
    fields = _fields(record, source)
    word = fields.get("event").lower()
    make = _EVENTS.get(word)
    if make is None:
        raise RowRejected("unknown_event", f"event `{shown(word)}` is not one of {', '.join(_EVENTS)}")
    return make(fields)


def is_field(name: str) -> bool:
    """Tell whether records may have a field of this name."""
    click = name.removeprefix(f"{CLICK}.")
    return name in FIELDS or (click != name and _CLICK_NAME.fullmatch(click) is not None)


@dataclass(frozen=True, slots=True)
class _Fields:
    """One record's fields as text."""

    by_name: dict[str, str]
    clicks: dict[str, str]
    source: str

    def get(self, name: str) -> str:
        return self.by_name.get(name, "").strip()

    def needed(self, name: str) -> str:
        text = self.get(name)
        if not text:
            raise RowRejected("missing_cell", f"a {self.get('event')} needs {name}, which is empty")
        return text

    def identity(self, name: str) -> str:
        text = self.needed(name)
        if not _ID.fullmatch(text):
            raise RowRejected(
                "bad_id",
                f"{name} `{shown(text)}`: an id has 1 to 128 letters, digits and . _ @ + = # ~ -, no spaces",
            )
        return text

    def optional_identity(self, name: str) -> str | None:
        return self.identity(name) if self.get(name) else None

    def status(self, words: tuple[Word, ...], otherwise: Word | None = None) -> Word:
        """The status, one of `words`; `otherwise` where it is empty, if that says it all."""
        text = self.get("status").lower()
        if not text and otherwise is not None:
            return otherwise
        found = next((word for word in words if word == (text or self.needed("status"))), None)
        if found is None:
            raise RowRejected("unknown_status", f"status `{shown(text)}` is not one of {', '.join(words)}")
        return found

    def bounded(self, name: str, limit: int = MAX_WORD_CHARS) -> str:
        text = self.get(name)
        if len(text) > limit:
            raise RowRejected(f"bad_{name}", f"{name} is longer than {limit} characters")
        return text

    def instant(self, name: str) -> datetime:
        return _to_instant(self.needed(name), name)

    @property
    def ids(self) -> dict[str, Any]:
        """What every event of a client has."""
        return {
            "event_id": self.identity("event_id"),
            "client_id": self.identity("client_id"),
            "occurred_at": self.instant("occurred_at"),
            "source": self.source,
        }

    @property
    def money(self) -> dict[str, Any]:
        """A positive amount and its currency."""
        return {"amount": _positive(self.needed("amount")), "currency": self.currency("currency")}

    def part(self) -> Decimal | None:
        """A positive amount of a deposit; None is all of it."""
        return _positive(self.get("amount")) if self.get("amount") else None

    def currency(self, name: str) -> str:
        text = self.needed(name)
        if not is_currency(text):
            raise RowRejected("bad_currency", f"currency `{shown(text)}` is unknown; {CURRENCY_HINT}")
        return text

    def country(self) -> str:
        """Two capitals, however the CRM spells the country; empty where it tells none."""
        text = self.get("country")
        code = to_country(text) if text else ""
        if code is None:
            raise RowRejected("bad_country", f"country `{shown(text)}` is unknown; {COUNTRY_HINT}")
        return code


def _fields(record: Mapping[str, object], source: str) -> _Fields:
    by_name: dict[str, str] = {}
    clicks: dict[str, str] = {}
    for name, told in record.items():
        if name == CLICK and isinstance(told, Mapping):
            clicks |= {str(key): _text(f"{CLICK}.{key}", part) for key, part in told.items()}
        elif name.startswith(f"{CLICK}."):
            clicks[name.removeprefix(f"{CLICK}.")] = _text(name, told)
        elif name in FIELDS:
            by_name[name] = _text(name, told)
        else:
            raise RowRejected(
                "unknown_field",
                f"the field `{shown(name)}` is unknown; known are {', '.join(FIELDS)} and click.<name>."
                " Leave out what is not needed, personal data above all",
            )
    return _Fields(by_name, {name: text for name, text in clicks.items() if text}, source)


def _text(name: str, told: object) -> str:
    """A field as text; a number is one as it was written, never a float."""
    if told is None:
        return ""
    if isinstance(told, str):
        return told
    if isinstance(told, Decimal) and told.is_finite():
        return f"{told:f}"
    if isinstance(told, int) and not isinstance(told, bool):
        return str(told)
    raise RowRejected(
        "bad_field", f"{shown(name)} must be text: write amounts as such as '250.50', in quotes"
    )


# Clients


def _registration(fields: _Fields) -> ClientRegistered:
    _check_clicks(fields.clicks)
    return ClientRegistered(
        **fields.ids,
        ib_id=fields.optional_identity("ib_id"),
        country=fields.country(),
        identity=fields.optional_identity("identity") or "",
        click=fields.clicks,
    )


def _check_clicks(clicks: dict[str, str]) -> None:
    if len(clicks) > MAX_CLICKS:
        raise RowRejected("too_many_clicks", f"{len(clicks)} click parameters; the limit is {MAX_CLICKS}")
    for name, text in clicks.items():
        if not _CLICK_NAME.fullmatch(name):
            raise RowRejected(
                "bad_click", f"click parameter `{shown(name)}`: a name has letters, digits and _ . - only"
            )
        if len(text) > MAX_CLICK_CHARS:
            raise RowRejected(
                "click_too_long",
                f"click.{name} has {len(text)} characters; the limit is {MAX_CLICK_CHARS}",
            )


def _account_link(fields: _Fields) -> AccountLinked:
    text = fields.needed("server")
    try:
        server = check_server(text)
    except ValueError as error:
        raise RowRejected("bad_server", str(error)) from None
    return AccountLinked(**fields.ids, server=server, login=to_number(fields.needed("login"), "login"))


def _reassignment(fields: _Fields) -> ClientReassigned:
    return ClientReassigned(**fields.ids, ib_id=fields.optional_identity("ib_id"))


def _deposit(fields: _Fields) -> DepositCleared | DepositAnnounced | ChargebackReceived:
    """Only what cleared counts; what is under way or was given up is kept to be seen."""
    status = fields.status(("pending", "cleared", "failed", "reversed"), "cleared")
    if status == "reversed":
        return _taken_back(fields, "deposit_reversal")
    told = {**fields.ids, **fields.money, "deposit_id": fields.identity("deposit_id")}
    if status == "cleared":
        return DepositCleared(**told)
    return DepositAnnounced(**told, status="pending" if status == "pending" else "failed")


def _loss(reason: Loss) -> Callable[[_Fields], ChargebackReceived]:
    return lambda fields: _taken_back(fields, reason)


def _taken_back(fields: _Fields, reason: Loss) -> ChargebackReceived:
    """All of a deposit, or with an amount that much of it."""
    return ChargebackReceived(
        **fields.ids,
        deposit_id=fields.identity("deposit_id"),
        amount=fields.part(),
        reason=reason,
        chargeback_id=fields.optional_identity("chargeback_id") or "",
    )


def _won(fields: _Fields) -> ChargebackWon:
    """All of what was taken, or with an amount that much of it."""
    return ChargebackWon(
        **fields.ids,
        deposit_id=fields.identity("deposit_id"),
        amount=fields.part(),
        chargeback_id=fields.optional_identity("chargeback_id") or "",
    )


def _withdrawal(fields: _Fields) -> WithdrawalPaid:
    if fields.get("status").lower() not in ("", "paid"):
        raise RowRejected(
            "unknown_status", f"status `{shown(fields.get('status'))}`: send a withdrawal once it is paid"
        )
    withdrawal_id = fields.optional_identity("withdrawal_id") or ""
    return WithdrawalPaid(**fields.ids, **fields.money, withdrawal_id=withdrawal_id)


def _verdict(verdict: Literal["fraud", "bonus_removed"]) -> Callable[[_Fields], ClientFlagged]:
    return lambda fields: ClientFlagged(**fields.ids, verdict=verdict)


def _kyc(fields: _Fields) -> KycChanged:
    words: tuple[KycStatus, ...] = get_args(KycStatus)
    told, status = fields.ids, fields.status(words)
    expires_at = fields.instant("expires_at") if fields.get("expires_at") else None
    if expires_at is not None and (status != "approved" or expires_at <= told["occurred_at"]):
        raise RowRejected(
            "bad_expiry",
            "expires_at belongs to an approval and lies after it; once documents have expired, send"
            " status expired with the time as occurred_at",
        )
    jurisdiction = fields.bounded("jurisdiction")
    return KycChanged(**told, status=status, jurisdiction=jurisdiction, expires_at=expires_at)


# IBs


def _partner(fields: _Fields, **told: Any) -> PartnerChanged:
    return PartnerChanged(
        event_id=fields.identity("event_id"),
        ib_id=fields.identity("ib_id"),
        occurred_at=fields.instant("occurred_at"),
        source=fields.source,
        **told,
    )


def _application(fields: _Fields) -> PartnerChanged:
    """An approved one makes the IB, with its currency; its place and its plan may come with it or later."""
    words: tuple[Application, ...] = get_args(Application)
    status = fields.status(words)
    if status == "approved":
        fields.needed("name")
    currency = fields.currency("currency") if status == "approved" or fields.get("currency") else ""
    return _partner(
        fields,
        application=status,
        name=fields.bounded("name", MAX_NAME_CHARS),
        currency=currency,
        identity=fields.optional_identity("identity") or "",
        parents=(_parent(fields),) if fields.get("parent_ib_id") else (),
        schedule=(_assignment(fields),) if fields.get("plan_id") else (),
    )


def _reparenting(fields: _Fields) -> PartnerChanged:
    return _partner(fields, parents=(_parent(fields),))


def _tier(fields: _Fields) -> PartnerChanged:
    return _partner(fields, schedule=(_assignment(fields),))


def _status(fields: _Fields) -> PartnerChanged:
    words: tuple[PartnerStatus, ...] = get_args(PartnerStatus)
    return _partner(
        fields, statuses=(StatusChange(since=fields.instant("occurred_at"), status=fields.status(words)),)
    )


def _agreement(fields: _Fields) -> PartnerChanged:
    words = ("accepted", "withdrawn")
    return _partner(fields, agreement_accepted=fields.status(words) == "accepted")


def _ib_kyc(fields: _Fields) -> PartnerChanged:
    words: tuple[KycStatus, ...] = get_args(KycStatus)
    return _partner(fields, kyc_approved=fields.status(words) == "approved")


def _parent(fields: _Fields) -> ParentLink:
    return ParentLink(since=fields.instant("occurred_at"), ib_id=fields.optional_identity("parent_ib_id"))


def _assignment(fields: _Fields) -> PlanAssignment:
    """A CRM's tier is a plan and perhaps a rank of ours; the CRM's own words mean nothing here."""
    return PlanAssignment(
        since=fields.instant("occurred_at"),
        plan_id=fields.identity("plan_id"),
        rank=fields.bounded("rank"),
        factor=_positive(fields.get("factor"), "factor") if fields.get("factor") else Decimal(1),
    )


_EVENTS: dict[str, Callable[[_Fields], CrmEvent]] = {
    "registration": _registration,
    "account_link": _account_link,
    "reassignment": _reassignment,
    "deposit": _deposit,
    "chargeback": _loss("chargeback"),
    "refund": _loss("refund"),
    "deposit_reversal": _loss("deposit_reversal"),
    "chargeback_won": _won,
    "withdrawal": _withdrawal,
    "fraud": _verdict("fraud"),
    "bonus_removed": _verdict("bonus_removed"),
    "kyc": _kyc,
    "ib_application": _application,
    "ib_agreement": _agreement,
    "ib_tier": _tier,
    "ib_status": _status,
    "ib_kyc": _ib_kyc,
    "ib_reparenting": _reparenting,
}
EVENTS = tuple(_EVENTS)
"""Words for `event`."""


def _positive(text: str, what: str = "amount") -> Decimal:
    amount = to_amount(text, "Amount")
    if amount <= 0:
        raise RowRejected(
            "bad_amount", f"{what} `{shown(text)}` is not positive; what is taken back is an event of its own"
        )
    return amount


def _to_instant(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not MIN_YEAR < at.year < MAX_YEAR:
        raise RowRejected(
            "bad_time", f"{name} `{shown(text)}` is not ISO 8601 with a zone, such as 2026-09-01T08:30:00Z"
        )
    return at.astimezone(UTC)
