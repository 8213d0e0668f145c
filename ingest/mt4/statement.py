"""MT4's Statement and DetailedStatement as HTML, or saved again as a workbook: one account's tickets.

A closed ticket is two deals. Rows are told apart in `statement_rows`, columns in `statement_columns`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commission.events import Deal, Side
from ingest.counts import Counts, counted
from ingest.formats import grid
from ingest.formats.cells import (
    ZERO,
    AmountColumn,
    shown,
    to_amount,
    to_comment,
    to_currency,
    to_kind,
    to_number,
    to_symbol,
    to_volume_e8,
)
from ingest.formats.grid import GridRow, check_whole, page_rows
from ingest.mt4.partial_closes import reopened_volumes
from ingest.mt4.record import ARCHIVED, Mt4Record, to_close_reason, to_deals
from ingest.mt4.statement_columns import Layout, Role, columns_of
from ingest.mt4.statement_rows import (
    Table,
    TableKind,
    is_pending,
    is_record,
    is_time,
    split_tables,
    workbook_rows,
)
from ingest.server_time import RepeatedHour, ServerClock, parse_server_time
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    MissingOptions,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
    check_size,
)

KIND = "mt4-statement"
MAX_HTML_BYTES = 64_000_000
CODE_PAGES = ("cp932",)
"""Tried where a file is not UTF-8 and names no charset: only what shows by its own letters."""

UNSPELLED = (
    "symbols are spelled as the statement has them, in small letters; with --terms they are spelled as the"
    " server does, and only so are revisions those of `ibflow ingest`"
)

_ZIP = b"PK\x03\x04"
_BOMS = (b"\xff\xfe", b"\xfe\xff")
_CHARSET = re.compile(rb"charset=[\"']?([A-Za-z0-9_-]{2,40})")
_KANA = re.compile("[\u3041-\u30ff]")
_HALF_KANA = re.compile("[\uff61-\uff9f]")
_MAGIC = re.compile(r"#([0-9]+)(?:\s+(.*))?", re.DOTALL)
_ACCOUNT = re.compile(r"Account:\s*([0-9]{1,20})")
_CURRENCY = re.compile(r"Currency:\s*(\S{1,12})")
_ANY_NUMBER = re.compile(r"[^:\uff1a]{1,40}[:\uff1a]\s*([0-9]{1,20})")
_ANY_CURRENCY = re.compile(r"[^:\uff1a]{1,40}[:\uff1a]\s*([A-Z]{3,4})")
_TOP_CELLS = 8


@dataclass(frozen=True, slots=True)
class Account:
    """Whose statement it is, as far as it says; 0 and "" where it does not."""

    login: int
    currency: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A ticket's row with its number in the document and the section it stands in."""

    number: int
    section: TableKind
    cells: tuple[str, ...]
    title: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Ticket:
    """One trade of the statement; `closed_at` None means that it is open."""

    row: _Row
    number: int
    side: Side
    opened_at: datetime
    closed_at: datetime | None


@dataclass(slots=True)
class _Found:
    """What the rows are, before times are told apart."""

    tickets: list[_Ticket] = field(default_factory=list)
    deals: list[tuple[datetime, int, int, Deal]] = field(default_factory=list)
    buried: list[Item] = field(default_factory=list)

    def add(self, number: int, phase: int, deal: Deal) -> None:
        self.deals.append((deal.occurred_at, number, phase, deal))


def read(
    path: Path,
    profile: ServerProfile,
    received_at: datetime,
    counts: Counts | None = None,
    *,
    encoding: str = "",
) -> Iterator[Item]:
    """Yield a statement's dead letters, then its deals in order of time, then ticket.

    `encoding` names the PC's code page, such as `gbk`. What the columns of an unknown template were
    taken for is in the remarks of `counts`.
    """
    check_platform(profile, "mt4", path)
    top, tables = split_tables(_grid(path, encoding))
    if not tables:
        raise UnreadableSource(
            f"{path.name} is not an MT4 statement: no row begins with a ticket, a time and a type such as buy"
        )
    account = _settled(find_account(top), profile, path)
    layout = columns_of(tables, profile.columns, path.name)
    tally = counts if counts is not None else Counts()
    if layout.note:
        tally.remarks.append(f"{path.name}: {layout.note}")
    items = _Statement(
        path.name,
        profile,
        account,
        layout,
        DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server),
        tally,
    )
    found = items.read(tables)
    return iter(found) if counts is None else counted(found, counts)


def decoded(path: Path, encoding: str = "") -> str:
    """Read the file as text; raise `UnreadableSource` if it cannot be.

    Without `encoding` it is what its byte order mark says, UTF-8, the charset it declares, a code page whose
    letters it shows, or cp1252: numbers, times and types are alike in all of them.
    """
    check_size(path, MAX_HTML_BYTES)
    raw = path.read_bytes()
    try:
        if encoding:
            return raw.decode(encoding)
    except LookupError:
        raise UnreadableSource(
            f"there is no encoding `{encoding}`; write one such as cp1252 or gbk"
        ) from None
    except UnicodeError:
        raise UnreadableSource(f"{path.name} is not in {encoding}; try another encoding") from None
    if raw.startswith(_BOMS):
        return grid.decoded(raw)
    with suppress(UnicodeError):
        return raw.decode("utf-8-sig")
    declared = _CHARSET.search(raw[:4_096])
    if declared is not None:
        with suppress(UnicodeError, LookupError):
            return raw.decode(declared[1].decode())
    for code_page in CODE_PAGES:
        with suppress(UnicodeError):
            text = raw.decode(code_page)
            if len(_KANA.findall(text)) > len(_HALF_KANA.findall(text)):
                return text
    return raw.decode("cp1252", errors="replace")


def find_account(top: Sequence[GridRow]) -> Account:
    """Read login and currency from above the tables; the client's name there is left alone.

    In another language the first cell that has a label has the login, the third or a later one the
    currency: a client, who is named in the second, may be called anything.
    """
    cells = [cell for row in top for cell in row.cells if cell]
    # Cell by cell and from its start: a client may be called `Account: 1`.
    login = next(filter(None, map(_ACCOUNT.match, cells[:_TOP_CELLS])), None)
    currency = next(filter(None, map(_CURRENCY.match, cells[:_TOP_CELLS])), None)
    labelled = next((filled for row in top if len(filled := [cell for cell in row.cells if cell]) > 2), None)
    if labelled is not None:
        login = login or _ANY_NUMBER.fullmatch(labelled[0])
        currency = currency or next(filter(None, map(_ANY_CURRENCY.fullmatch, labelled[2:])), None)
    return Account(int(login[1]) if login else 0, currency[1] if currency else "")


def _settled(found: Account, profile: ServerProfile, path: Path) -> Account:
    """What the file says of its account, completed by the profile; raise where the two differ."""
    wanted = {"--login": profile.login, "--currency": profile.currency}
    if lacking := [option for option in _missing(found) if not wanted[option]]:
        what = " and ".join(option.removeprefix("--") for option in lacking)
        raise MissingOptions(f"{path.name} is an MT4 statement without its account's {what}", tuple(lacking))
    number = found.login or profile.login or 0
    if profile.login not in (None, number):
        raise UnreadableSource(f"{path.name} is of account {number}, but the profile says {profile.login}")
    try:
        return Account(to_number(str(number), "Account"), to_currency(found.currency or profile.currency))
    except RowRejected as bad:
        raise UnreadableSource(f"{path.name}: {bad.reason}") from None


def _missing(found: Account) -> list[str]:
    return [*([] if found.login else ["--login"]), *([] if found.currency else ["--currency"])]


def _grid(path: Path, encoding: str) -> Sequence[GridRow]:
    with path.open("rb") as file:
        is_workbook = file.read(len(_ZIP)) == _ZIP
    if is_workbook:
        if encoding:
            raise UnreadableSource(f"{path.name} is a workbook, which has no code page; leave --encoding out")
        return workbook_rows(path)
    page = decoded(path, encoding)
    check_whole(page, path)
    return list(page_rows(page, path))


def split_title(title: str) -> tuple[int, str]:
    """Part a ticket's title into magic number and comment: `#8015 EA[tp]` is 8015 and `EA[tp]`.

    A comment `from #12` has its number later, so it is not taken for a magic number.
    """
    parts = _MAGIC.fullmatch(title.strip())
    return (int(parts[1][:20]), (parts[2] or "").strip()) if parts else (0, title.strip())


class _Statement:
    """Makes the deals of one statement."""

    def __init__(
        self,
        name: str,
        profile: ServerProfile,
        account: Account,
        layout: Layout,
        graveyard: DeadLetterWriter,
        counts: Counts,
    ) -> None:
        self._name, self._profile, self._account, self._layout = name, profile, account, layout
        self._graveyard, self._counts = graveyard, counts
        self._clock: ServerClock = profile.clock
        self._spellings: dict[str, tuple[str, ...]] = {}
        for symbol in profile.symbols:
            folded = symbol.casefold()
            self._spellings[folded] = (*self._spellings.get(folded, ()), symbol)

    def read(self, tables: Sequence[Table]) -> list[Item]:
        """Read all rows: buried ones first, then deals in order."""
        found = _Found()
        for row in _records(tables, self._layout):
            self._counts.rows += 1
            try:
                self._sort_out(row, found)
            except RowRejected as bad:
                self._to_dead_letter(row, bad, found)
        self._add_trades(found)
        if found.tickets and not self._profile.symbols:
            self._counts.remarks.append(UNSPELLED)
        return [*found.buried, *(deal for *_, deal in sorted(found.deals, key=lambda entry: entry[:3]))]

    def _sort_out(self, row: _Row, found: _Found) -> None:
        kind_text = self._text(row, "type")
        if is_pending(kind_text) and not self._text(row, "profit"):
            is_dead = row.section == "closed" or is_time(self._text(row, "close_time"))
            self._counts.skipped["dead_pending" if is_dead else "working_order"] += 1
            return
        if not self._is_cash(row):
            found.tickets.append(self._to_ticket(row))
            return
        deal = self._cash(row)
        found.add(int(deal.deal_id), 0, deal)

    def _add_trades(self, found: _Found) -> None:
        """Add the deals of all tickets, in the order of ticket numbers: it tells repeated hours apart."""
        passes = RepeatedHour(self._clock)
        reopened = reopened_volumes(self._links(found.tickets)) if self._profile.close_reopen else {}
        for ticket in sorted(found.tickets, key=lambda ticket: (ticket.number, ticket.row.number)):
            opened_at = passes.to_utc(ticket.opened_at, ticket.number)
            try:
                deals = self._trade(ticket, opened_at, reopened.get(ticket.number))
            except RowRejected as bad:
                self._to_dead_letter(ticket.row, bad, found)
                continue
            if not deals:
                self._counts.skipped[ARCHIVED] += 1
            for phase, deal in enumerate(deals):
                found.add(ticket.number, phase, deal)

    def _trade(self, ticket: _Ticket, opened_at: datetime, reopened_e8: int | None) -> tuple[Deal, ...]:
        row = ticket.row
        _, comment = split_title(row.title or self._text(row, "comment"))
        record = Mt4Record(
            ticket=ticket.number,
            login=self._account.login,
            kind="trade",
            side=ticket.side,
            opened_at=opened_at,
            open_time=self._text(row, "open_time"),
            closed_at=self._closed_at(ticket, opened_at),
            close_time=self._text(row, "close_time"),
            symbol=self._to_symbol(self._text(row, "item")),
            volume_e8=to_volume_e8(self._text(row, "size")),
            open_price=self._amount(row, "price", "Price"),
            close_price=self._amount(row, "close_price", "Price"),
            profit=self._amount(row, "profit", "Profit"),
            commission=self._amount(row, "commission", "Commission"),
            taxes=self._amount(row, "taxes", "Taxes"),
            swap=self._amount(row, "swap", "Swap"),
            currency=self._account.currency,
            close_reason=to_close_reason(comment),
            reopened_e8=reopened_e8,
            comment=to_comment(comment),
            source=self._source(row),
        )
        return to_deals(record, self._profile)

    def _closed_at(self, ticket: _Ticket, opened_at: datetime) -> datetime | None:
        """The close in UTC; in a repeated hour the second pass, where the first is before the opening."""
        if ticket.closed_at is None:
            return None
        closed_at = self._clock.to_utc(ticket.closed_at)
        return closed_at if closed_at >= opened_at else self._clock.to_utc(ticket.closed_at, fold=1)

    def _is_cash(self, row: _Row) -> bool:
        """Tell a cash operation by its type; raise `RowRejected` for a row that is neither it nor a trade."""
        kind_text = self._text(row, "type")
        kind, side = to_kind(kind_text)
        if side is None:
            return True
        width = len(self._layout.roles)
        if len(row.cells) < width or any(row.cells[width:]):
            raise RowRejected(
                "wrong_cells",
                f"a {kind_text} with {len(row.cells)} cells; a trade of this statement has {width}",
            )
        if kind != "trade":
            raise RowRejected(
                "unknown_type", f"Type `{shown(kind_text)}` in a trade's row; a trade is buy or sell"
            )
        return False

    def _cash(self, row: _Row) -> Deal:
        """Read a cash operation: its comment stands behind its type, its amount last."""
        filled = [place for place, cell in enumerate(row.cells) if cell]
        comment_at = self._layout.at["type"] + 1
        if filled[-1] <= comment_at or any(comment_at < place < filled[-1] for place in filled):
            raise RowRejected(
                "wrong_cells",
                f"the row has {len(filled)} filled cells; a cash operation has five: ticket, time, type,"
                " comment and amount",
            )
        kind, _ = to_kind(self._text(row, "type"))
        server_time = self._text(row, "open_time")
        record = Mt4Record(
            ticket=to_number(self._text(row, "ticket"), "Ticket"),
            login=self._account.login,
            kind=kind,
            side=None,
            opened_at=self._clock.to_utc(_to_time(server_time)),
            open_time=server_time,
            profit=to_amount(row.cells[filled[-1]], "Amount"),
            currency=self._account.currency,
            comment=to_comment(row.cells[comment_at]),
            source=self._source(row),
        )
        (deal,) = to_deals(record, self._profile)
        return deal

    def _to_ticket(self, row: _Row) -> _Ticket:
        _, side = to_kind(self._text(row, "type"))
        closed = self._text(row, "close_time")
        if row.section == "closed" and not closed:
            raise RowRejected("bad_time", "a closed trade has no close time")
        if row.section == "open" and closed:
            raise RowRejected("bad_time", f"an open trade has the close time `{shown(closed)}`")
        if side is None or row.section in ("working", "after"):
            raise RowRejected("wrong_section", "a trade that is neither among the closed nor the open ones")
        return _Ticket(
            row=row,
            number=to_number(self._text(row, "ticket"), "Ticket"),
            side=side,
            opened_at=_to_time(self._text(row, "open_time")),
            closed_at=_to_time(closed) if closed else None,
        )

    def _to_symbol(self, text: str) -> str:
        """Spell a symbol as the server does: statements write `EURUSD.e` as `eurusd.e`.

        Another source must find the same revision. A symbol that the terms lack stays as it is written.
        """
        symbol = to_symbol(text)
        fits = self._spellings.get(symbol.casefold(), (symbol,))
        if len(fits) > 1:
            raise RowRejected(
                "ambiguous_symbol",
                f"Item `{shown(symbol)}` may be {' or '.join(sorted(fits))}: a statement loses the case; read"
                " these deals from another source, such as the report server's database",
            )
        return fits[0]

    def _links(self, tickets: list[_Ticket]) -> Iterator[tuple[int, int, str]]:
        for ticket in tickets:
            with suppress(RowRejected):  # a volume that is none is told when the ticket's deals are made
                comment = ticket.row.title or self._text(ticket.row, "comment")
                yield ticket.number, to_volume_e8(self._text(ticket.row, "size")), split_title(comment)[1]

    def _text(self, row: _Row, role: Role) -> str:
        return self._layout.cell(row.cells, role)

    def _amount(self, row: _Row, role: Role, column: AmountColumn) -> Decimal:
        """An amount; 0 where the template has no such column."""
        return to_amount(self._text(row, role), column) if role in self._layout.at else ZERO

    def _source(self, row: _Row) -> str:
        return f"{KIND} {self._name}:{row.number}"

    def _to_dead_letter(self, row: _Row, bad: RowRejected, found: _Found) -> None:
        found.buried.append(self._graveyard.to_dead_letter(row.payload, f"row {row.number}", bad))


def _records(tables: Sequence[Table], layout: Layout) -> Iterator[_Row]:
    """The rows that are tickets, each with its section: as the banner says, or else what stands in it."""
    for table in tables:
        kind = table.kind
        if kind == "unknown":
            is_closed = any(is_time(layout.cell(row.cells, "close_time")) for row in table.rows)
            kind = "closed" if is_closed else "open"
        for row in table.rows:
            if is_record(row, table.kind):
                number = int(row.place.rpartition(" ")[2])
                payload = "\t".join(filter(None, (row.title, *row.cells))).encode(errors="replace")
                yield _Row(number, kind, row.cells, row.title, payload)


def _to_time(text: str) -> datetime:
    try:
        return parse_server_time(text)
    except ValueError as error:
        raise RowRejected("bad_time", f"the time {error}") from None
