"""Our own CSV of CRM events: registrations, account links, reassignments, deposits and their losses, KYC.

One event a line, UTF-8, comma, with a header. `event` says which of the other cells must be filled.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

from commission.events import (
    AccountLinked,
    ChargebackReceived,
    ClientEvent,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    DepositCleared,
    KycChanged,
    KycStatus,
    WithdrawalPaid,
)
from ingest.cells import shown, to_amount, to_number
from ingest.counts import Counts, counted
from ingest.rows import Header, cells_of, check_row, read_header, rows
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import BadRow, Graveyard, Item, ServerProfile, UnreadableSource, check_server

KIND = "crm-csv"
MANDATORY = ("event", "event_id", "occurred_at", "client_id")
COLUMNS = (
    *MANDATORY,
    "ib_id",
    "server",
    "login",
    "deposit_id",
    "amount",
    "currency",
    "status",
    "country",
    "identity",
)
CLICK = "click."
MAX_CLICKS = 30
MAX_CLICK_CHARS = 200
MAX_COUNTRY_CHARS = 64

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=#~-]{0,127}")
_CLICK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3,4}")
_STATUSES: dict[str, KycStatus] = {status: status for status in get_args(KycStatus)}


def read(
    path: Path, profile: ServerProfile | None, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the events of a file in its order, bad rows as dead letters; the profile is not needed.

    Raise `UnreadableSource` at once for a file that is not ours.
    """
    del profile  # every source has the same signature; a CRM event names its server itself
    header = read_header(path)
    check_header(header, path)
    tally = counts if counts is not None else Counts()
    items = _read(path, header, Graveyard(f"{KIND} {path.name}", received_at), tally)
    return items if counts is None else counted(items, counts)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of our own format, perhaps with a column wrong."""
    return {"event", "event_id"} <= header.columns.keys()


def check_header(header: Header, path: Path) -> None:
    """Raise `UnreadableSource`, naming the column that is missing or unknown."""
    missing = [name for name in MANDATORY if name not in header.columns]
    if missing:
        raise UnreadableSource(
            f"{path.name} is not a CSV of CRM events: the column {', '.join(missing)} is missing"
        )
    clicks = [name for name in header.columns if name.startswith(CLICK)]
    if len(clicks) > MAX_CLICKS:
        raise UnreadableSource(f"{path.name} has {len(clicks)} click parameters; the limit is {MAX_CLICKS}")
    for name in header.columns:
        known = name in COLUMNS or (
            name.startswith(CLICK) and _CLICK_NAME.fullmatch(name.removeprefix(CLICK))
        )
        if not known:
            raise UnreadableSource(
                f"{path.name}: the column `{shown(name)}` is unknown; known are {', '.join(COLUMNS)}"
                " and click.<name>. Leave out what is not needed, personal data above all"
            )


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row's cells by column name; a column that the file lacks is empty."""

    by_name: dict[str, str]
    clicks: dict[str, str]
    source: str

    def get(self, name: str) -> str:
        return self.by_name.get(name, "").strip()

    def needed(self, name: str) -> str:
        text = self.get(name)
        if not text:
            raise BadRow("missing_cell", f"a {self.get('event')} needs {name}, which is empty")
        return text

    def identity(self, name: str) -> str:
        text = self.needed(name)
        if not _ID.fullmatch(text):
            raise BadRow(
                "bad_id",
                f"{name} `{shown(text)}`: an id has 1 to 128 letters, digits and . _ @ + = # ~ -, no spaces",
            )
        return text

    def optional_identity(self, name: str) -> str | None:
        return self.identity(name) if self.get(name) else None

    def occurred_at(self) -> datetime:
        return _to_instant(self.needed("occurred_at"))


def _read(path: Path, header: Header, graveyard: Graveyard, counts: Counts) -> Iterator[Item]:
    # A click parameter keeps its case, unlike other columns: a postback macro asks for `subId`.
    clicks = {
        index: header.cells[index].strip()[len(CLICK) :]
        for name, index in header.columns.items()
        if name.startswith(CLICK)
    }
    for row in rows(path, header.offset):
        if not row.raw:
            counts.skipped["blank_line"] += 1
            continue
        counts.rows += 1
        try:
            cells = cells_of(row.raw, header.delimiter)
            check_row(row, len(cells), header)
            yield _to_event(
                _Cells(
                    {name: cells[index] for name, index in header.columns.items()},
                    {name: cells[index] for index, name in clicks.items() if cells[index]},
                    f"{KIND} {path.name}:{row.line}",
                )
            )
        except BadRow as bad:
            yield graveyard.bury(row.raw, f"line {row.line}", bad)


def _to_event(cells: _Cells) -> ClientEvent | AccountLinked:
    word = cells.get("event").lower()
    make = _EVENTS.get(word)
    if make is None:
        raise BadRow("unknown_event", f"event `{shown(word)}` is not one of {', '.join(_EVENTS)}")
    return make(cells)


def _registration(cells: _Cells) -> ClientRegistered:
    for name, text in cells.clicks.items():
        if len(text) > MAX_CLICK_CHARS:
            raise BadRow(
                "click_too_long",
                f"click.{name} has {len(text)} characters; the limit is {MAX_CLICK_CHARS}",
            )
    country = cells.get("country")
    if len(country) > MAX_COUNTRY_CHARS:
        raise BadRow(
            "bad_country", f"country `{shown(country)}` is longer than {MAX_COUNTRY_CHARS} characters"
        )
    return ClientRegistered(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        occurred_at=cells.occurred_at(),
        ib_id=cells.optional_identity("ib_id"),
        country=country,
        identity=cells.optional_identity("identity") or "",
        click=cells.clicks,
        source=cells.source,
    )


def _account_link(cells: _Cells) -> AccountLinked:
    try:
        server = check_server(cells.needed("server"))
    except ValueError as error:
        if isinstance(error, BadRow):
            raise
        raise BadRow("bad_server", str(error)) from None
    return AccountLinked(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        server=server,
        login=to_number(cells.needed("login"), "login"),
        occurred_at=cells.occurred_at(),
        source=cells.source,
    )


def _reassignment(cells: _Cells) -> ClientReassigned:
    return ClientReassigned(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        occurred_at=cells.occurred_at(),
        ib_id=cells.optional_identity("ib_id"),
        source=cells.source,
    )


def _deposit(cells: _Cells) -> DepositCleared:
    return DepositCleared(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        deposit_id=cells.identity("deposit_id"),
        amount=_positive(cells.needed("amount")),
        currency=_currency(cells),
        occurred_at=cells.occurred_at(),
        source=cells.source,
    )


def _currency(cells: _Cells) -> str:
    currency = cells.needed("currency")
    if not _CURRENCY.fullmatch(currency):
        raise BadRow(
            "bad_currency", f"currency `{shown(currency)}` is not 3 or 4 capital letters such as USD"
        )
    return currency


def _chargeback(cells: _Cells) -> ChargebackReceived:
    """All of a deposit, or with an amount that much of it; `refund` and `deposit_reversal` alike."""
    reason = cells.get("event").lower()
    return ChargebackReceived(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        deposit_id=cells.identity("deposit_id"),
        occurred_at=cells.occurred_at(),
        amount=_positive(cells.get("amount")) if cells.get("amount") else None,
        reason=_LOSSES[reason],
        source=cells.source,
    )


def _withdrawal(cells: _Cells) -> WithdrawalPaid:
    return WithdrawalPaid(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        amount=_positive(cells.needed("amount")),
        currency=_currency(cells),
        occurred_at=cells.occurred_at(),
        source=cells.source,
    )


def _verdict(cells: _Cells) -> ClientFlagged:
    return ClientFlagged(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        verdict="fraud" if cells.get("event").lower() == "fraud" else "bonus_removed",
        occurred_at=cells.occurred_at(),
        source=cells.source,
    )


def _kyc(cells: _Cells) -> KycChanged:
    word = cells.needed("status").lower()
    status = _STATUSES.get(word)
    if status is None:
        raise BadRow("unknown_status", f"status `{shown(word)}` is not one of {', '.join(_STATUSES)}")
    return KycChanged(
        event_id=cells.identity("event_id"),
        client_id=cells.identity("client_id"),
        status=status,
        occurred_at=cells.occurred_at(),
        source=cells.source,
    )


_LOSSES: dict[str, Literal["chargeback", "refund", "deposit_reversal"]] = {
    "chargeback": "chargeback",
    "refund": "refund",
    "deposit_reversal": "deposit_reversal",
}
_EVENTS: dict[str, Callable[[_Cells], ClientEvent | AccountLinked]] = {
    "registration": _registration,
    "account_link": _account_link,
    "reassignment": _reassignment,
    "deposit": _deposit,
    "chargeback": _chargeback,
    "refund": _chargeback,
    "deposit_reversal": _chargeback,
    "withdrawal": _withdrawal,
    "fraud": _verdict,
    "bonus_removed": _verdict,
    "kyc": _kyc,
}


def _positive(text: str) -> Decimal:
    amount = to_amount(text, "Amount")
    if amount <= 0:
        raise BadRow(
            "bad_amount", f"amount `{shown(text)}` is not positive; a deposit taken back is a chargeback"
        )
    return amount


def _to_instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not MIN_YEAR < at.year < MAX_YEAR:
        raise BadRow(
            "bad_time",
            f"occurred_at `{shown(text)}` is not ISO 8601 with a zone, such as 2026-09-01T08:30:00Z",
        )
    return at.astimezone(UTC)
