"""MT5's Trade History Report, saved by a terminal as HTML or XLSX, or by a spreadsheet as CSV: one account.

The report has no position numbers, reasons or milliseconds. Positions are found in
`report_positions`; a stop is known by its comment; revisions count time to the second.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from commission.events import Deal
from ingest.counts import Counts, counted
from ingest.formats.cells import to_currency, to_number
from ingest.formats.grid import GridRow, decoded, html_rows, text_rows
from ingest.formats.xlsx import xlsx_rows
from ingest.mt5.record import Mt5Record, to_deals
from ingest.mt5.report_mode import proof_of
from ingest.mt5.report_positions import PositionOfDeal, Untold, hedging_positions, netting_positions
from ingest.mt5.report_rows import ListedPosition, ReportDeal, to_deal, to_listed
from ingest.mt5.report_tables import (
    ACCOUNT,
    ReportAccount,
    Table,
    deal_columns,
    find_account,
    is_deal_headings,
    split_tables,
)
from ingest.server_time import RepeatedHour
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    MarginMode,
    MissingOptions,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
)

KIND = "mt5-report"
ZIP = b"PK\x03\x04"
CREDIT_KINDS = frozenset({"credit", "bonus", "so_compensation"})
"""Their amount may go to the credit and leave the balance as it is."""
HEAD_LINES = 60
UNTOLD = "without their position, so rated by what needs no opening until another file has it"

_REASONS = {"sl": "stop_loss", "tp": "take_profit", "so": "stop_out"}
_STOP = re.compile(r"\[(sl|tp|so)\b", re.IGNORECASE)
_TESTER = "strategy tester report"


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield a report's dead letters, then its deals in order of time, within a second as the file has them.

    Raise `UnreadableSource` at once for a file that is no such report, contradicts the profile, or
    leaves open whose it is.
    """
    check_platform(profile, "mt5", path)
    top, tables = split_tables(_grid(path))
    account, lacking = _settled(find_account(top), profile, path)
    if any(_TESTER in cell.lower() for row in top for cell in row.cells):
        raise UnreadableSource(f"{path.name} is a strategy tester's report: its deals never happened")
    if not any(table.kind == "deals" for table in tables):
        raise UnreadableSource(
            f"{path.name} is not an MT5 Trade History Report with deals: no table has types such as buy and"
            " directions such as in, with times as MetaTrader writes them (2025.03.13 00:36:37)"
        )
    tally = counts if counts is not None else Counts()
    settled = replace(profile, login=account.login, currency=account.currency)
    report = _Report(path, settled, account, DeadLetterWriter(f"{KIND} {path.name}", received_at), tally)
    try:
        items = report.read(tables)
    except MissingOptions as mode:
        raise mode.beside(lacking) from None
    if lacking is not None:
        raise lacking
    return iter(items) if counts is None else counted(items, counts)


def is_report(head: bytes) -> bool:
    """Tell a report by its beginning: a workbook, an account's line, or the headings of its deals."""
    if head.startswith(ZIP):
        return True
    text = decoded(head).replace("&nbsp;", " ").replace("\u00a0", " ")
    if "<html" in text.lower() or "<table" in text.lower():
        return ACCOUNT.search(text) is not None or _TESTER in text.lower()
    lines = [re.split(r"[,;\t]", line) for line in text.splitlines()[:HEAD_LINES]]
    return any(is_deal_headings(cells) for cells in lines) or (
        any(len(cells) > 1 for cells in lines) and re.search(rf'["\t;,]{ACCOUNT.pattern}', text) is not None
    )


def _grid(path: Path) -> Iterator[GridRow] | list[GridRow]:
    with path.open("rb") as file:
        head = file.read(4_096)
    if head.startswith(ZIP):
        return xlsx_rows(path)
    is_html = "<html" in decoded(head).lower() or "<table" in decoded(head).lower()
    return html_rows(path) if is_html else text_rows(path)


def _settled(
    found: ReportAccount | None, profile: ServerProfile, path: Path
) -> tuple[ReportAccount, MissingOptions | None]:
    """What the file says of its account, completed by the profile, and what neither says.

    Raise where the two differ.
    """
    login = found.login if found else profile.login
    currency = found.currency if found else profile.currency
    lacking = tuple(option for option, known in (("--login", login), ("--currency", currency)) if not known)
    lacks = MissingOptions(
        f"{path.name} has no account's line such as `80000001 (USD, Broker-Live, real, Hedge)`; if it is a"
        " report, its account must be given",
        lacking,
    )
    if profile.login not in (None, login):
        raise UnreadableSource(f"{path.name} is of account {login}, but the profile says {profile.login}")
    mode = found.margin_mode if found else None
    if mode and profile.margin_mode not in (None, mode):
        raise UnreadableSource(
            f"{path.name} is of a {mode} account, but the profile says {profile.margin_mode}"
        )
    try:
        account = ReportAccount(to_number(str(login or 1), "Account"), to_currency(currency or "USD"), mode)
    except RowRejected as bad:
        raise UnreadableSource(f"{path.name}: {bad.reason}") from None
    return account, lacks if lacking else None


@dataclass(slots=True)
class _Rows:
    """The rows of the deals, in the order of the file; None where one could not be read."""

    deals: list[ReportDeal | None] = field(default_factory=list)
    positions: list[ListedPosition] = field(default_factory=list)
    has_all_positions: bool = True
    has_closed_table: bool = False
    """Whether the report has a table of closed positions."""
    buried: list[Item] = field(default_factory=list)
    by_number: dict[int, ReportDeal] = field(default_factory=dict)

    def is_known(self, deal: ReportDeal) -> bool:
        """Tell whether the same deal was read before, as in joined reports; else raise `RowRejected`."""
        known = self.by_number.setdefault(deal.deal, deal)
        if known is not deal and known.row.cells != deal.row.cells:
            raise RowRejected(
                "deal_twice", f"deal {deal.deal} is also at {known.row.place}, with other values"
            )
        return known is not deal


class _Report:
    """Makes the deals of one report."""

    def __init__(
        self,
        path: Path,
        profile: ServerProfile,
        account: ReportAccount,
        graveyard: DeadLetterWriter,
        counts: Counts,
    ) -> None:
        self._path, self._profile, self._account = path, profile, account
        self._graveyard, self._counts = graveyard, counts

    def read(self, tables: list[Table]) -> list[Item]:
        """Read all tables: buried rows first, then deals in order."""
        rows = _Rows()
        for table in tables:
            self._counts.rows += len(table.rows)
            rows.has_closed_table |= table.kind == "positions"
            if table.kind in ("positions", "open_positions"):
                self._read_positions(table, rows)
            elif table.kind in ("orders", "working_orders"):
                self._counts.skipped[table.kind] += len(table.rows)
            elif table.kind == "deals":
                self._read_deals(table, rows)
            else:
                self._bury_unknown(table, rows)
        rows.deals = self._in_order(rows.deals)
        gaps = self._check_balances(rows.deals)
        deals: list[Deal] = []
        for deal, found in zip(rows.deals, self._positions(rows, gaps), strict=True):
            if deal is None:
                continue
            try:
                deals += self._to_deals(deal, found)
            except RowRejected as bad:
                self._to_dead_letter(deal.row, bad, rows)
        return [*rows.buried, *deals]

    def _read_deals(self, table: Table, rows: _Rows) -> None:
        columns = deal_columns(table.headings, self._path)
        width = len(table.headings.cells)
        for row in table.rows:
            try:
                deal = to_deal(row, columns, width)
                if rows.is_known(deal):
                    self._counts.skipped["repeated_row"] += 1
                    continue
            except RowRejected as bad:
                rows.deals.append(None)
                self._to_dead_letter(row, bad, rows)
            else:
                rows.deals.append(deal)

    def _read_positions(self, table: Table, rows: _Rows) -> None:
        for row in table.rows:
            try:
                rows.positions.append(to_listed(row, table))
            except RowRejected as bad:
                # The row is no deal; but without it a closing might be matched with its twin.
                rows.has_all_positions = False
                self._to_dead_letter(row, bad, rows)
            else:
                self._counts.skipped[table.kind] += 1

    def _bury_unknown(self, table: Table, rows: _Rows) -> None:
        for row in table.rows:
            bad = RowRejected(
                "unknown_table", f"the table at {table.headings.place} is not one that a report has"
            )
            self._to_dead_letter(row, bad, rows)

    def _to_dead_letter(self, row: GridRow, bad: RowRejected, rows: _Rows) -> None:
        rows.buried.append(self._graveyard.to_dead_letter(row.payload, row.place, bad))

    def _in_order(self, deals: list[ReportDeal | None]) -> list[ReportDeal | None]:
        """Tell repeated hours apart by deal numbers, then sort by time.

        Within a second the file's order stands; a row that could not be read stays behind the one before.
        """
        passes, utc = RepeatedHour(self._profile.clock), {}
        for deal in sorted((deal for deal in deals if deal is not None), key=lambda deal: deal.deal):
            utc[id(deal)] = passes.to_utc(deal.server_time, deal.deal)
        timed = [None if deal is None else replace(deal, occurred_at=utc[id(deal)]) for deal in deals]
        times = [deal.occurred_at for deal in timed if deal is not None]
        if times and times[0] > times[-1]:
            timed.reverse()
        keyed: list[tuple[datetime, int, ReportDeal | None]] = []
        at = min(times, default=datetime.min)  # noqa: DTZ901 - nothing to sort then
        for place, timed_deal in enumerate(timed):
            at = at if timed_deal is None else timed_deal.occurred_at
            keyed.append((at, place, timed_deal))
        return [entry[2] for entry in sorted(keyed, key=lambda entry: entry[:2])]

    def _positions(self, rows: _Rows, gaps: frozenset[int]) -> list[PositionOfDeal]:
        listed = list(dict.fromkeys(rows.positions))
        from_start = _is_from_start(rows.deals)
        if self._margin_mode(rows.deals, listed, gaps) == "hedging":
            is_all = from_start and not gaps and None not in rows.deals
            return hedging_positions(
                rows.deals,
                listed,
                is_whole=rows.has_all_positions,
                by_comment=is_all and not rows.has_closed_table,
            )
        found = netting_positions(rows.deals, listed, from_start=from_start, gaps=gaps)
        if self._account.margin_mode is None and self._profile.margin_mode is not None:
            for deal, position in zip(rows.deals, found, strict=True):
                if deal is not None and isinstance(position, Untold) and position.misfit:
                    raise self._contradicted("netting", deal.row.place, position.misfit)
        return found

    def _margin_mode(
        self, deals: list[ReportDeal | None], listed: list[ListedPosition], gaps: frozenset[int]
    ) -> MarginMode:
        """The margin mode as the file says, else as the profile does unless a row proves another."""
        if self._account.margin_mode is not None:
            return self._account.margin_mode
        said, proof = self._profile.margin_mode, proof_of(deals, listed, gaps)
        if said is not None:
            if proof is not None and proof.mode != said:
                raise self._contradicted(said, proof.place, proof.what)
            return said
        if proof is not None:
            return proof.mode
        if {deal.entry for deal in deals if deal is not None} <= {None}:
            return "netting"
        raise MissingOptions(
            f"{self._path.name} does not say whether the account is hedging or netting (margin_mode in"
            " broker.yaml), and no row proves it",
            ("--margin-mode",),
        )

    def _contradicted(self, said: MarginMode, place: str, what: str) -> UnreadableSource:
        return UnreadableSource(
            f"{self._path.name}, {place}: {what}; but the margin mode was given as {said}. Correct"
            " --margin-mode, or margin_mode in broker.yaml; or save the report again if rows are missing"
        )

    def _to_deals(self, deal: ReportDeal, found: PositionOfDeal) -> tuple[Deal, ...]:
        if isinstance(found, RowRejected):
            raise found
        position_id: str | None = found if isinstance(found, str) else None
        if isinstance(found, Untold):
            self._counts.note(f"{UNTOLD}: {found.why}", f"{deal.deal} at {deal.row.place}")
        stop = _STOP.match(deal.comment)
        record = Mt5Record(
            deal=deal.deal,
            login=self._account.login,
            kind=deal.kind,
            side=deal.side,
            entry=deal.entry,
            occurred_at=deal.occurred_at,
            server_time=deal.row.cells[0],
            money=deal.money,
            currency=self._account.currency,
            symbol=deal.symbol,
            volume_e8=deal.volume_e8,
            price=deal.price,
            volume_closed_e8=found.closed_e8 if isinstance(found, Untold) else None,
            position_id=position_id,
            order=deal.order,
            balance=deal.balance,
            reason=_REASONS[stop[1].lower()] if stop and deal.side else "",
            comment=deal.comment,
            source=f"{KIND} {self._path.name}:{deal.row.place.rpartition(' ')[2]}",
        )
        return to_deals(record, self._profile)

    def _check_balances(self, deals: list[ReportDeal | None]) -> frozenset[int]:
        """Compare each balance with the one before; tell the places before which deals may be missing."""
        before: ReportDeal | None = None
        gaps: set[int] = set()
        for number, deal in enumerate(deals):
            if deal is not None and before is not None:
                self._counts.balance_steps += 1
                step, amounts = deal.balance - before.balance, sum(deal.money)
                if step != amounts and not (step == 0 and deal.kind in CREDIT_KINDS):
                    gaps.add(number)
                    self._counts.balance_breaks.append(
                        f"{self._path.name} {deal.row.place}: the balance moves by {step:f}, the deal's"
                        f" amounts are {amounts:f}; deals before it or a fee may be missing"
                    )
            before = deal
        return frozenset(gaps)


def _is_from_start(deals: list[ReportDeal | None]) -> bool:
    """Tell whether the first deal is the deposit that lifts the balance from zero: an account's first."""
    first = deals[0] if deals else None
    return first is not None and first.kind == "balance" and first.balance == sum(first.money) > 0
