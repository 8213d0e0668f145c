"""One record of a CRM, by field names, to the event it tells: the last step of every CRM source.

A file's reader or an endpoint gathers the fields; what they mean, and which an event needs, is decided here,
once. `event` is the word that says which event it is; empty and absent fields are one.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, get_args

from commission.events import (
    MAX_CLICK_IDS,
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
from ingest.crm.fields import MAX_NAME_CHARS, Fields, check_clicks, fields_of, positive
from ingest.formats.cells import shown, to_number
from ingest.sources import RowRejected, check_server

MAX_CLICK_ID_CHARS = 200

CrmEvent = AccountLinked | ClientEvent | PartnerChanged

PartnerStatus = Literal["active", "suspended", "terminated"]
Application = Literal["received", "approved", "declined"]
Loss = Literal["chargeback", "refund", "deposit_reversal"]


def to_event(record: Mapping[str, object], source: str = "") -> CrmEvent:
    """Make the event of a record; raise `RowRejected` if it is none, saying which field and what to do."""
    fields = fields_of(record, source)
    word = fields.get("event").lower()
    make = _EVENTS.get(word)
    if make is None:
        raise RowRejected("unknown_event", f"event `{shown(word)}` is not one of {', '.join(_EVENTS)}")
    return make(fields)


# Clients


def _registration(fields: Fields) -> ClientRegistered:
    check_clicks(fields.clicks)
    return ClientRegistered(
        **fields.ids,
        ib_id=fields.optional_identity("ib_id"),
        country=fields.country(),
        identity=fields.optional_identity("identity") or "",
        click=fields.clicks,
        click_ids=_click_ids(fields),
    )


def _click_ids(fields: Fields) -> tuple[str, ...]:
    """What the landing page had of us, the oldest first; what is no click id is judged unknown later."""
    told = tuple(dict.fromkeys(fields.get("click_ids").split()))
    if len(told) > MAX_CLICK_IDS:
        raise RowRejected(
            "too_many_click_ids", f"{len(told)} click ids; send the newest {MAX_CLICK_IDS}, spaces between"
        )
    if long := [one for one in told if len(one) > MAX_CLICK_ID_CHARS]:
        raise RowRejected(
            "bad_click_id", f"`{shown(long[0])}` is longer than {MAX_CLICK_ID_CHARS} characters: no click id"
        )
    return told


def _account_link(fields: Fields) -> AccountLinked:
    text = fields.needed("server")
    try:
        server = check_server(text)
    except ValueError as error:
        raise RowRejected("bad_server", str(error)) from None
    return AccountLinked(**fields.ids, server=server, login=to_number(fields.needed("login"), "login"))


def _reassignment(fields: Fields) -> ClientReassigned:
    return ClientReassigned(**fields.ids, ib_id=fields.optional_identity("ib_id"))


def _deposit(fields: Fields) -> DepositCleared | DepositAnnounced | ChargebackReceived:
    """Only what cleared counts; what is under way or was given up is kept to be seen."""
    status = fields.status(("pending", "cleared", "failed", "reversed"), "cleared")
    if status == "reversed":
        return _taken_back(fields, "deposit_reversal")
    told = {**fields.ids, **fields.money, "deposit_id": fields.identity("deposit_id")}
    if status == "cleared":
        return DepositCleared(**told)
    return DepositAnnounced(**told, status="pending" if status == "pending" else "failed")


def _loss(reason: Loss) -> Callable[[Fields], ChargebackReceived]:
    return lambda fields: _taken_back(fields, reason)


def _taken_back(fields: Fields, reason: Loss) -> ChargebackReceived:
    """All of a deposit, or with an amount that much of it."""
    return ChargebackReceived(
        **fields.ids,
        deposit_id=fields.identity("deposit_id"),
        amount=fields.part(),
        reason=reason,
        chargeback_id=fields.optional_identity("chargeback_id") or "",
    )


def _won(fields: Fields) -> ChargebackWon:
    """All of what was taken, or with an amount that much of it."""
    return ChargebackWon(
        **fields.ids,
        deposit_id=fields.identity("deposit_id"),
        amount=fields.part(),
        chargeback_id=fields.optional_identity("chargeback_id") or "",
    )


def _withdrawal(fields: Fields) -> WithdrawalPaid:
    if fields.get("status").lower() not in ("", "paid"):
        raise RowRejected(
            "unknown_status", f"status `{shown(fields.get('status'))}`: send a withdrawal once it is paid"
        )
    withdrawal_id = fields.optional_identity("withdrawal_id") or ""
    return WithdrawalPaid(**fields.ids, **fields.money, withdrawal_id=withdrawal_id)


def _verdict(verdict: Literal["fraud", "bonus_removed"]) -> Callable[[Fields], ClientFlagged]:
    return lambda fields: ClientFlagged(**fields.ids, verdict=verdict)


def _kyc(fields: Fields) -> KycChanged:
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


def _partner(fields: Fields, **told: Any) -> PartnerChanged:
    return PartnerChanged(
        event_id=fields.identity("event_id"),
        ib_id=fields.identity("ib_id"),
        occurred_at=fields.instant("occurred_at"),
        source=fields.source,
        **told,
    )


def _application(fields: Fields) -> PartnerChanged:
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


def _reparenting(fields: Fields) -> PartnerChanged:
    return _partner(fields, parents=(_parent(fields),))


def _tier(fields: Fields) -> PartnerChanged:
    return _partner(fields, schedule=(_assignment(fields),))


def _status(fields: Fields) -> PartnerChanged:
    words: tuple[PartnerStatus, ...] = get_args(PartnerStatus)
    return _partner(
        fields, statuses=(StatusChange(since=fields.instant("occurred_at"), status=fields.status(words)),)
    )


def _agreement(fields: Fields) -> PartnerChanged:
    words = ("accepted", "withdrawn")
    return _partner(fields, agreement_accepted=fields.status(words) == "accepted")


def _ib_kyc(fields: Fields) -> PartnerChanged:
    words: tuple[KycStatus, ...] = get_args(KycStatus)
    return _partner(fields, kyc_approved=fields.status(words) == "approved")


def _parent(fields: Fields) -> ParentLink:
    return ParentLink(since=fields.instant("occurred_at"), ib_id=fields.optional_identity("parent_ib_id"))


def _assignment(fields: Fields) -> PlanAssignment:
    """A CRM's tier is a plan and perhaps a rank of ours; the CRM's own words mean nothing here."""
    return PlanAssignment(
        since=fields.instant("occurred_at"),
        plan_id=fields.identity("plan_id"),
        rank=fields.bounded("rank"),
        factor=positive(fields.get("factor"), "factor") if fields.get("factor") else Decimal(1),
    )


_EVENTS: dict[str, Callable[[Fields], CrmEvent]] = {
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
