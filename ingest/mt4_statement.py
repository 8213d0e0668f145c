"""MT4's Statement and DetailedStatement: one account's tickets as HTML, each two deals once closed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from commission.events import Deal, Side
from ingest.cells import (
    shown,
    to_amount,
    to_comment,
    to_currency,
    to_kind,
    to_number,
    to_symbol,
    to_volume_e8,
)
from ingest.counts import Counts, counted
from ingest.grid import check_whole
from ingest.mt4_record import Mt4Record, reopened_volumes, to_close_reason, to_deals
from ingest.server_time import RepeatedHour, ServerClock, parse_server_time
from ingest.sources import (
    BadRow,
    Graveyard,
    Item,
    ServerProfile,
    UnreadableSource,
    check_platform,
    check_size,
)

KIND = "mt4-statement"
MAX_HTML_BYTES = 64_000_000
HEADINGS = (
    "Ticket", "Open Time", "Type", "Size", "Item", "Price", "S / L", "T / P",
    "Close Time", "Price", "Commission", "Taxes", "Swap", "Profit",
)  # fmt: skip
TRADE_CELLS, CASH_CELLS, PENDING_CELLS = 14, 5, 11

_CLOSED, _OPEN, _WORKING = "Closed Transactions:", "Open Trades:", "Working Orders:"
_AFTER = ("Summary:", "Details:")
_MAGIC = re.compile(r"#([0-9]+)(?:\s+(.*))?", re.DOTALL)
_ACCOUNT = re.compile(r"Account:\s*([0-9]{1,20})")
_CURRENCY = re.compile(r"Currency:\s*(\S{1,12})")
_PENDING = re.compile(r"(?:buy|sell) (?:limit|stop)")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose statement it is."""

    login: int
    currency: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One table row with its number in the document, its cells' texts and its ticket's title."""

    number: int
    section: str
    cells: tuple[str, ...]
    title: str
    html: str


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

    `encoding` names the PC's code page, such as `gbk`; without it UTF-8 is tried, then cp1252.
    """
    page = decoded(path, encoding)
    document = LexborHTMLParser(page)
    check_platform(profile, "mt4", path)
    account = find_account(document, profile, path)
    table_rows = list(_rows(document, path))
    check_whole(page, path)
    tally = counts if counts is not None else Counts()
    items = _Statement(
        path.name, profile, account, Graveyard(f"{KIND} {path.name}", received_at, profile.server), tally
    )
    found = items.read(table_rows)
    return iter(found) if counts is None else counted(found, counts)


def decoded(path: Path, encoding: str = "") -> str:
    """Read the file as text; raise `UnreadableSource` if it cannot be."""
    check_size(path, MAX_HTML_BYTES)
    raw = path.read_bytes()
    try:
        return raw.decode(encoding or "utf-8-sig")
    except LookupError:
        raise UnreadableSource(
            f"there is no encoding `{encoding}`; write one such as cp1252 or gbk"
        ) from None
    except UnicodeError:
        if encoding:
            raise UnreadableSource(f"{path.name} is not in {encoding}; try another encoding") from None
    return raw.decode("cp1252", errors="replace")


def find_account(document: LexborHTMLParser, profile: ServerProfile, path: Path) -> Account:
    """Read login and currency from the statement's first rows; the client's name there is left alone."""
    top = [_text(cell) for cell in document.css("td")[:8]]
    # Cell by cell and from its start: a client may be called `Account: 1`.
    login = next(filter(None, map(_ACCOUNT.match, top)), None)
    currency = next(filter(None, map(_CURRENCY.match, top)), None)
    if login is None and profile.login is None:
        raise UnreadableSource(
            f"{path.name} is not an MT4 statement: no `Account:` at its start. If it is one,"
            " give the profile a login"
        )
    number = int(login[1]) if login else profile.login or 0
    if profile.login not in (None, number):
        raise UnreadableSource(f"{path.name} is of account {number}, but the profile says {profile.login}")
    try:
        return Account(
            to_number(str(number), "Account"), to_currency(currency[1] if currency else profile.currency)
        )
    except BadRow as bad:
        raise UnreadableSource(f"{path.name}: {bad.reason}") from None


def split_title(title: str) -> tuple[int, str]:
    """Part a ticket's title into magic number and comment: `#8015 EA[tp]` is 8015 and `EA[tp]`.

    A comment `from #12` has its number later, so it is not taken for a magic number.
    """
    parts = _MAGIC.fullmatch(title.strip())
    return (int(parts[1][:20]), (parts[2] or "").strip()) if parts else (0, title.strip())


def _rows(document: LexborHTMLParser, path: Path) -> Iterator[_Row]:
    """Yield the rows of the three sections; raise `UnreadableSource` if there is none or it differs."""
    section, seen = "", False
    for number, node in enumerate(document.css("tr"), start=1):
        cells = tuple(_text(cell) for cell in node.css("td"))
        if len(cells) == 1 and cells[0] in (_CLOSED, _OPEN, _WORKING, *_AFTER):
            section, seen = cells[0], seen or cells[0] == _CLOSED
        elif section in (_CLOSED, _OPEN, _WORKING) and cells:
            if HEADINGS[0] in cells[:2]:  # the layout of 2006 has a column before it
                _check_headings(cells, section, path)
                continue
            yield _Row(number, section, cells, _title(node), node.html or "")
    if not seen:
        raise UnreadableSource(f"{path.name} is not an MT4 statement: it has no section `{_CLOSED}`")


def _check_headings(cells: tuple[str, ...], section: str, path: Path) -> None:
    if section != _WORKING and (cells[:8] != HEADINGS[:8] or cells[9:] != HEADINGS[9:]):
        raise UnreadableSource(
            f"{path.name}, {section} the columns are {', '.join(cells)[:200]}; known are"
            f" {', '.join(HEADINGS)}. Save the report with a current MT4 terminal in English"
        )


class _Statement:
    """Makes the deals of one statement."""

    def __init__(
        self, name: str, profile: ServerProfile, account: Account, graveyard: Graveyard, counts: Counts
    ) -> None:
        self._name, self._profile, self._account = name, profile, account
        self._graveyard, self._counts = graveyard, counts
        self._clock: ServerClock = profile.clock
        self._spellings: dict[str, tuple[str, ...]] = {}
        for symbol in profile.symbols:
            folded = symbol.casefold()
            self._spellings[folded] = (*self._spellings.get(folded, ()), symbol)

    def read(self, table_rows: list[_Row]) -> list[Item]:
        """Read all rows: buried ones first, then deals in order."""
        found = _Found()
        for row in table_rows:
            if _is_furniture(row):
                continue
            self._counts.rows += 1
            try:
                self._sort_out(row, found)
            except BadRow as bad:
                payload = row.html.encode(errors="replace")
                found.buried.append(self._graveyard.bury(payload, f"row {row.number}", bad))
        self._add_trades(found)
        return [*found.buried, *(deal for *_, deal in sorted(found.deals, key=lambda entry: entry[:3]))]

    def _sort_out(self, row: _Row, found: _Found) -> None:
        if row.section == _WORKING:
            self._counts.skipped["working_order"] += 1
        elif len(row.cells) == PENDING_CELLS and _PENDING.fullmatch(row.cells[2]):
            self._counts.skipped["dead_pending"] += 1
        elif len(row.cells) == TRADE_CELLS:
            found.tickets.append(_to_ticket(row))
        elif len(row.cells) == CASH_CELLS:
            deal = self._cash(row)
            found.add(int(deal.deal_id), 0, deal)
        else:
            raise BadRow(
                "wrong_cells",
                f"the row has {len(row.cells)} cells; a trade has {TRADE_CELLS}, a cash operation"
                f" {CASH_CELLS}, a dead pending order {PENDING_CELLS}",
            )

    def _add_trades(self, found: _Found) -> None:
        """Add the deals of all tickets, in the order of ticket numbers: it tells repeated hours apart."""
        passes = RepeatedHour(self._clock)
        reopened = reopened_volumes(_links(found.tickets)) if self._profile.close_reopen else {}
        for ticket in sorted(found.tickets, key=lambda ticket: (ticket.number, ticket.row.number)):
            opened_at = passes.to_utc(ticket.opened_at, ticket.number)
            try:
                deals = self._trade(ticket, opened_at, reopened.get(ticket.number))
            except BadRow as bad:
                payload = ticket.row.html.encode(errors="replace")
                found.buried.append(self._graveyard.bury(payload, f"row {ticket.row.number}", bad))
                continue
            for phase, deal in enumerate(deals):
                found.add(ticket.number, phase, deal)

    def _trade(self, ticket: _Ticket, opened_at: datetime, reopened_e8: int | None) -> tuple[Deal, ...]:
        _, _, _, _, symbol, price, _, _, _, close_price, commission, taxes, swap, profit = ticket.row.cells
        _, comment = split_title(ticket.row.title)
        record = Mt4Record(
            ticket=ticket.number,
            login=self._account.login,
            kind="trade",
            side=ticket.side,
            opened_at=opened_at,
            open_time=ticket.row.cells[1],
            closed_at=self._closed_at(ticket, opened_at),
            close_time=ticket.row.cells[8],
            symbol=self._to_symbol(symbol),
            volume_e8=to_volume_e8(ticket.row.cells[3]),
            open_price=to_amount(price, "Price"),
            close_price=to_amount(close_price, "Price"),
            profit=to_amount(profit, "Profit"),
            commission=to_amount(commission, "Commission"),
            taxes=to_amount(taxes, "Taxes"),
            swap=to_amount(swap, "Swap"),
            currency=self._account.currency,
            close_reason=to_close_reason(comment),
            reopened_e8=reopened_e8,
            comment=to_comment(comment),
            source=self._source(ticket.row),
        )
        return to_deals(record, self._profile)

    def _closed_at(self, ticket: _Ticket, opened_at: datetime) -> datetime | None:
        """The close in UTC; in a repeated hour the second pass, where the first is before the opening."""
        if ticket.closed_at is None:
            return None
        closed_at = self._clock.to_utc(ticket.closed_at)
        return closed_at if closed_at >= opened_at else self._clock.to_utc(ticket.closed_at, fold=1)

    def _cash(self, row: _Row) -> Deal:
        ticket, server_time, kind_text, comment, amount = row.cells
        kind, side = to_kind(kind_text)
        if side is not None:
            raise BadRow("wrong_cells", f"a {kind_text} with {CASH_CELLS} cells; a trade has {TRADE_CELLS}")
        record = Mt4Record(
            ticket=to_number(ticket, "Ticket"),
            login=self._account.login,
            kind=kind,
            side=None,
            opened_at=self._clock.to_utc(_to_time(server_time)),
            open_time=server_time,
            profit=to_amount(amount, "Amount"),
            currency=self._account.currency,
            comment=to_comment(comment),
            source=self._source(row),
        )
        (deal,) = to_deals(record, self._profile)
        return deal

    def _to_symbol(self, text: str) -> str:
        """Spell a symbol as the server does: statements write `EURUSD.e` as `eurusd.e`.

        Another source must find the same revision. A symbol that the terms lack stays as it is written.
        """
        symbol = to_symbol(text)
        fits = self._spellings.get(symbol.casefold(), (symbol,))
        if len(fits) > 1:
            raise BadRow(
                "ambiguous_symbol",
                f"Item `{shown(symbol)}` may be {' or '.join(sorted(fits))}: a statement loses the case; read"
                " these deals from another source, such as the report server's database",
            )
        return fits[0]

    def _source(self, row: _Row) -> str:
        return f"{KIND} {self._name}:{row.number}"


def _to_ticket(row: _Row) -> _Ticket:
    kind, side = to_kind(row.cells[2])
    if side is None or kind != "trade":
        raise BadRow("unknown_type", f"Type `{shown(row.cells[2])}` in a trade's row; a trade is buy or sell")
    if row.section == _CLOSED and not row.cells[8]:
        raise BadRow("bad_time", "a closed trade has no close time")
    return _Ticket(
        row=row,
        number=to_number(row.cells[0], "Ticket"),
        side=side,
        opened_at=_to_time(row.cells[1]),
        closed_at=_to_time(row.cells[8]) if row.section == _CLOSED else None,
    )


def _links(tickets: list[_Ticket]) -> Iterator[tuple[int, int, str]]:
    for ticket in tickets:
        with suppress(BadRow):  # a volume that is none is told when the ticket's deals are made
            yield ticket.number, to_volume_e8(ticket.row.cells[3]), split_title(ticket.row.title)[1]


def _to_time(text: str) -> datetime:
    try:
        return parse_server_time(text)
    except ValueError as error:
        raise BadRow("bad_time", f"the time {error}") from None


def _is_furniture(row: _Row) -> bool:
    """Tell rows without a ticket: spacers, sums, and the line that repeats magic number and comment."""
    cells = row.cells
    if len(cells) == 1:
        return not cells[0] or cells[0] == "No transactions"
    if not cells[0]:
        return len(cells) in (3, 5) and not cells[1].startswith(("buy", "sell"))
    return cells[0].endswith("P/L:")


def _text(cell: LexborNode) -> str:
    return cell.text().replace("\u00a0", " ").strip()


def _title(row: LexborNode) -> str:
    first = row.css_first("td")
    return (first.attributes.get("title") or "") if first is not None else ""
