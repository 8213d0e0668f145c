"""What one pushed row means: a platform's event or a CRM's, to events of the pipeline or a dead letter.

A row of a platform is `{"event": "OnDealAdd", "record": {…}}`, the record in the platform's own spelling.
A row of the dialect `ibflow` is an event as `ibflow normalise` prints it, for those who normalise themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from msgspec.structs import replace

from commission.events import Deal
from commission.revision import revision_of
from ingest.crm import records as crm_records
from ingest.crm.fields import FIELDS
from ingest.formats.cells import check_price
from ingest.formats.typed_cells import typed_number
from ingest.ids import check_texts
from ingest.mt4 import dialects as mt4_json
from ingest.mt4 import record as mt4_record
from ingest.mt4.enums import to_transaction
from ingest.mt5 import dialects as mt5_json
from ingest.mt5 import record as mt5_record
from ingest.push.body import Row, to_payload
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile
from schemas.wire import InvalidRecord, decode

DealDialect = Literal["mt5-manager", "mt5-terminal", "mt4manager", "mt4-cplugin", "ibflow"]
DEAL_DIALECTS: tuple[str, ...] = get_args(DealDialect)

MT5_EVENTS = {"OnDealAdd": False, "OnDealUpdate": False, "OnDealDelete": True}
"""Events that carry a deal, and whether they end it."""
CLEAN = "OnDealClean"

Raw = Mapping[str, object]


class Outcome(NamedTuple):
    """What became of a row: its events or its dead letter, or why it is rightly none."""

    items: tuple[Item, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: `to_items` makes the events of one, `kept` are the fields a dead letter may hold.

    Whatever else a sender adds to a record might be a client's name.
    """

    source: str
    to_items: Callable[[Raw, bytes], Outcome]
    kept: frozenset[str]
    server: str = ""
    keeps_broken: bool = True
    """Whether bytes that cannot be read are kept; a CRM's may hold a name anywhere."""


def read_row(row: Row, reading: Reading, received_at: datetime) -> Outcome:
    """Make the events of a row, or its dead letter; the same bad row sent again is the same dead letter."""
    try:
        if isinstance(row.value, RowRejected):
            raise row.value
        return reading.to_items(row.value, row.payload)
    except RowRejected as bad:
        grave, payload = (
            DeadLetterWriter(reading.source, received_at, reading.server),
            _kept_payload(row, reading),
        )
        # A bridge's record is whole without what is not kept; a CRM's may lack its click or an IB's name.
        is_blanked = not payload or (not reading.keeps_broken and payload != row.payload)
        return Outcome((grave.to_dead_letter(payload, "row", bad, is_blanked=is_blanked),))


def deals_of(dialect: DealDialect, profile: ServerProfile, sender: str) -> Reading:
    """How a bridge's rows are read, for its own server only; raise ValueError for the other platform's."""
    source, server = f"push {dialect} {sender}", profile.server
    if dialect == "ibflow":
        return Reading(source, lambda raw, line: _own_deal(raw, line, profile), _fields(Deal), server)
    if not dialect.startswith(profile.platform):
        raise ValueError(f"{profile.server} is {profile.platform.upper()}; dialect {dialect} is not")
    if dialect in _MT5:
        spelling = _MT5[dialect]
        kept = frozenset(("event", "record", "login", *spelling.fields))
        return Reading(source, lambda raw, _: _mt5_deals(raw, profile, spelling, source), kept, server)
    spelled: mt4_json.Dialect = "mt4manager" if dialect == "mt4manager" else "cplugin"
    return Reading(source, lambda raw, _: _mt4_deals(raw, profile, spelled, source), _MT4_FIELDS, server)


def client_events_of(sender: str) -> Reading:
    """How a CRM's rows are read: records of `crm.records`, or events as the wire has them."""
    kept = frozenset(FIELDS).union(*map(_fields, CRM_EVENTS)) - {"click", "name"}
    source = f"push crm {sender}"
    return Reading(source, lambda raw, line: _crm_event(raw, line, source), kept, keeps_broken=False)


CRM_EVENTS: tuple[type, ...] = get_args(crm_records.CrmEvent)
_MT5 = {dialect.name: dialect for dialect in (mt5_json.MANAGER, mt5_json.TERMINAL)}
_MT4_FIELDS = frozenset(
    (
        "event", "record", "id", "order", "login", "symbol", "digits", "cmd", "tradecommand", "volume",
        "volumelots", "opentime", "openprice", "sl", "tp", "closetime", "closeprice", "expiration", "reason",
        "traderecordreason", "convrates", "commission", "commissionagent", "swap", "storage", "profit",
        "taxes", "magic", "comment", "marginrate", "timestamp", "activation", "activationtype", "state",
        "traderecordstate", "currency", "group", "contractsize", "reopenedvolume",
    )
)  # fmt: skip
"""Fields of a record without case and underscores, as `mt4.dialects` reads them."""


def _mt5_deals(raw: Raw, profile: ServerProfile, dialect: mt5_json.Dialect, source: str) -> Outcome:
    event = raw.get("event")
    if event == CLEAN:
        raise _cleaned(raw, profile)
    if not isinstance(event, str) or event not in MT5_EVENTS:
        raise _unknown_event((*MT5_EVENTS, CLEAN))
    record = mt5_json.to_record(_record(raw), profile, dialect, source, is_deleted=MT5_EVENTS[event])
    return Outcome(mt5_record.to_deals(record, profile))


def _mt4_deals(raw: Raw, profile: ServerProfile, dialect: mt4_json.Dialect, source: str) -> Outcome:
    transaction = to_transaction(raw.get("event"))
    record = mt4_json.to_record(_record(raw), profile, dialect, source, transaction=transaction)
    if record is None:
        return Outcome((), "pending order")
    deals = mt4_record.to_deals(record, profile)
    return Outcome(deals, "" if deals else "sum of archived trades")


def _own_deal(raw: Raw, line: bytes, profile: ServerProfile) -> Outcome:
    deal = _decoded(raw, line)
    if not isinstance(deal, Deal):
        raise RowRejected("no_deal", f"a bridge sends deals; {deal.type} is for POST /v1/ingest/crm")
    if (deal.server, deal.platform) != (profile.server, profile.platform):
        raise RowRejected("wrong_server", f"this token writes for {profile.server} only, and its platform")
    check_texts(deal)
    if deal.kind == "trade":
        check_price(deal.price)
    return Outcome((replace(deal, revision=revision_of(deal)),))


def _crm_event(raw: Raw, line: bytes, source: str) -> Outcome:
    if "event" in raw:
        return Outcome((crm_records.to_event(raw, source),))
    event = _decoded(raw, line)
    if type(event) not in CRM_EVENTS:
        raise RowRejected(
            "no_crm_event", f"a CRM reports clients, accounts and IBs; {event.type} is not one of them"
        )
    check_texts(event)
    return Outcome((replace(event, source=event.source or source),))


def _decoded(raw: Raw, line: bytes) -> Any:
    if not isinstance(raw.get("type"), str):
        raise RowRejected(
            "no_event", "the row has neither `event` nor `type`; `ibflow schema` prints every event"
        )
    try:
        return decode(line)
    except InvalidRecord as error:
        raise RowRejected("invalid_record", str(error)) from None


def _record(raw: Raw) -> Raw:
    record = raw.get("record")
    if not isinstance(record, Mapping):
        raise RowRejected("no_record", "the row has no `record`: the whole deal as the platform spells it")
    return record


def _cleaned(raw: Raw, profile: ServerProfile) -> RowRejected:
    """Which deals a login had is not known here, so their tombstones cannot be made here."""
    login = typed_number(raw.get("login"), "login")
    return RowRejected(
        "deals_cleaned",
        f"all deals of login {login} were removed from {profile.server}, and the event does not name them;"
        f" run `ibflow reconcile --server {profile.server}` over the login's whole history, and let it"
        " delete what is extra",
    )


def _unknown_event(known: tuple[str, ...]) -> RowRejected:
    return RowRejected("unknown_event", f"`event` is not one of {', '.join(known)}")


def _kept_payload(row: Row, reading: Reading) -> bytes:
    if isinstance(row.value, RowRejected):
        return row.payload if reading.keeps_broken else b""
    kept = _kept(row.value, reading.kept)
    return row.payload if kept == row.value else to_payload(kept)


def _kept(value: Raw, names: frozenset[str]) -> dict[str, object]:
    return {
        name: _kept(inner, names) if isinstance(inner, Mapping) else inner
        for name, inner in value.items()
        if name in names or name.replace("_", "").lower() in names
    }


def _fields(kind: Any) -> frozenset[str]:
    return frozenset(("type", *kind.__struct_fields__))
