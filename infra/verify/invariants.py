"""`ibflow verify`: the invariants of the ledger, measured on what the database holds."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from clickhouse_connect.driver.client import Client
from rich.table import Table

from api.ledger import Ledger
from api.problems import Problem
from api.queries.completeness import holes
from api.queries.native import twice_count
from api.queries.periods import ALWAYS
from api.queries.quality import RATED_DEALS
from api.scope import EVERYTHING
from api.views.statement_file import statement_files
from commission import accounts
from commission.ledger import ledger_hash
from commission.money import plain
from commission.outputs import Transfer
from commission.partner.statement_hash import check
from infra.archive.clickhouse_log import OpenArchive
from infra.replay.compare import Replay, replay
from infra.sums.compare import differences
from infra.terminal import new_table
from infra.verify.decided import corrections_decided, payouts_add_up
from schemas.columns import MILESTONE_COLUMNS, TRANSFER_COLUMNS, to_transfer

MAX_FOLDED_DEALS = 50_000
"""A ledger of more is folded again by `verify --deep` only: this many take some ten seconds on one core."""
_OWED = f"^({accounts.IB}|{accounts.CLIENT})|^{accounts.ROUNDING}$"
SAME_BOOKS = "same books, same ledger"


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: what it says, what was measured, and whether it holds."""

    invariant: str
    figures: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All invariants, and the ledger's hash."""

    findings: tuple[Finding, ...]
    ledger_hash: str
    warnings: tuple[str, ...] = ()
    """What no invariant says and a person should know: the deals themselves may not be all there."""
    rows: int = 0
    """Deals, transfers and dead letters that were there to be checked."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was there: then nothing holds, and nothing is broken."""
        return not self.rows

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return all(finding.holds for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "holds": self.holds}


def verify(client: Client, *, folded: Finding | None = None) -> Report:
    """Check every invariant; read-only. `folded` is what a replay found, if one was made."""
    stored = ledger_hash(read_transfers(client))
    checks: tuple[Callable[[Client], Finding], ...] = (
        _trial_balance,
        _earned_stands,
        _statements_add_up,
        _statements_chained,
        _payouts_add_up,
        _corrections_decided,
        _every_deal_once,
        _reversals_exact,
        _no_output_without_cause,
        _one_row_an_id,
        _sums_equal_rows,
    )
    first = _same_book_same_ledger(client) if folded is None else folded
    findings = (first, *(check(client) for check in checks))
    return Report(findings, stored, tuple(_warnings(Ledger(lambda: client))), _rows(client))


def _rows(client: Client) -> int:
    sql = """
        SELECT (SELECT count() FROM deals) + (SELECT count() FROM transfers)
            + (SELECT count() FROM dead_letters)
    """
    return int(client.query(sql).result_rows[0][0])


def _warnings(ledger: Ledger) -> Iterator[str]:
    for hole in holes(ledger):
        yield (
            f"{hole.server} {hole.starts_at:%Y-%m-%d %H:%M} to {hole.ends_at:%Y-%m-%d %H:%M}: a sweep left"
            f" {hole.reconciliation.unresolved:,} unresolved; statements of this time may change"
        )
    if count := twice_count(ledger, EVERYTHING, ALWAYS):
        yield (
            f"{count:,} native agent payments of the platform for what is paid here as well;"
            " see the portal's page Completeness"
        )


def read_transfers(client: Client) -> Iterator[Transfer]:
    """Every transfer in the database, once."""
    columns = ", ".join(TRANSFER_COLUMNS)
    with client.query_row_block_stream(f"SELECT {columns} FROM transfers FINAL") as blocks:  # noqa: S608 # our own names
        for block in blocks:
            for row in block:
                yield to_transfer(dict(zip(TRANSFER_COLUMNS, row, strict=True)))


def _same_book_same_ledger(client: Client) -> Finding:
    """Fold the archived books again, from nothing, and compare; only a small ledger, in this process."""
    deals = int(client.query("SELECT count() FROM deals").result_rows[0][0])
    if deals > MAX_FOLDED_DEALS:
        told = f"{deals:,} deals, not folded again; `ibflow verify --deep` does"
        return Finding(SAME_BOOKS, told, holds=True)
    return same_books(replay(OpenArchive(client), "the archive", workers=0))


def same_books(found: Replay) -> Finding:
    """What folding the books again has found, as a finding."""
    figures = f"{found.messages} messages folded again: {found.hash[:16]}…, stored {found.stored_hash[:16]}…"
    differ = [f"{one.partition}: {one.note}" for one in found.partitions if one.note]
    if found.strays:
        differ.append(f"{found.strays} rows that no message brought")
    figures += f"; {found.repeated} records repeated and equal, {found.refused} refused"
    if behind := sum(one.behind for one in found.partitions):
        figures += f"; {behind} rows not stored yet"
    return Finding(SAME_BOOKS, "; ".join((figures, *differ)), found.holds)


def _trial_balance(client: Client) -> Finding:
    rows = client.query(
        """
        SELECT currency, sum(amount) FROM (
            SELECT currency, arrayJoin([-amount, amount]) AS amount FROM transfers FINAL
        ) GROUP BY currency ORDER BY currency
        """
    ).result_rows
    negative = client.query(
        "SELECT count() FROM transfers FINAL WHERE amount <= 0 OR debit = credit"
    ).result_rows[0][0]
    figures = ", ".join(f"{currency} {plain(total)}" for currency, total in rows) or "no transfers"
    figures += f"; {negative} rows that move nothing"
    return Finding("trial balance zero", figures, not negative and all(not r[1] for r in rows))


def _earned_stands(client: Client) -> Finding:
    """What an IB cost the broker equals what stands in its accounts, its clients' and in rounding."""
    rows = client.query(
        f"""
        SELECT ib_id, currency,
            sumIf(amount, startsWith(debit, '{accounts.BROKER}'))
                - sumIf(amount, startsWith(credit, '{accounts.BROKER}')) AS earned,
            sumIf(amount, match(credit, '{_OWED}')) - sumIf(amount, match(debit, '{_OWED}')) AS stands
        FROM transfers FINAL GROUP BY ib_id, currency HAVING earned != stands
        """  # noqa: S608 # our own names
    ).result_rows
    count = client.query("SELECT uniqExact(ib_id, currency) FROM transfers FINAL").result_rows[0][0]
    differ = "".join(f"; {r[0]}: {r[2]} against {r[3]} {r[1]}" for r in rows)
    figures = f"{count} IB balances, {len(rows)} differ{differ}"
    return Finding("earned stands in accounts", figures, not rows)


def _statements_add_up(client: Client) -> Finding:
    rows = client.query(
        """
        SELECT s.ib_id, s.period FROM statements_current AS s
        LEFT JOIN (
            SELECT ib_id, period, currency, sumIf(amount, code = 'statement') AS paid,
                sumIf(amount, code = 'rounding' AND credit = 'rounding')
                    - sumIf(amount, code = 'rounding' AND debit = 'rounding') AS residue
            FROM transfers FINAL WHERE period != '' AND code != 'reopening' AND transfer_id NOT IN (
                SELECT assumeNotNull(reverses) FROM transfers WHERE code = 'reopening'
            ) GROUP BY ib_id, period, currency
        ) AS t ON s.ib_id = t.ib_id AND s.period = t.period AND s.currency = t.currency
        WHERE opening + accrued - reversed - payable - rounding != closing
            OR payable != t.paid OR rounding != t.residue
        """
    ).result_rows
    count, chained = client.query(
        """
        SELECT count(), countIf(previous != opening AND number > 1) FROM (
            SELECT opening, row_number() OVER w AS number, lagInFrame(closing) OVER w AS previous
            FROM statements_current WINDOW w AS (
                PARTITION BY ib_id, currency ORDER BY starts_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            )
        )
        """
    ).result_rows[0]
    figures = f"{count} statements, {len(rows)} do not add up, {chained} do not open where the last closed"
    return Finding("statements add up", figures, not rows and not chained)


def _statements_chained(client: Client) -> Finding:
    """Every statement proves itself and the one before it, as it does to a partner who has its file."""
    count, broken = 0, []
    try:
        for file, previous in statement_files(Ledger(lambda: client)):
            count += 1
            statement = file.statement
            proofs = check(statement, file.transfers, previous)
            is_chained = previous is not None or not statement.previous
            if not is_chained or not all(proof.holds for proof in proofs):
                broken.append(f"{statement.ib_id} {statement.period} {statement.currency}")
    except Problem as problem:
        return Finding("statements chained", problem.detail, holds=False)
    named = ": " + ", ".join(broken[:3]) if broken else ""
    figures = f"{count} statements hashed again, {len(broken)} do not prove themselves{named}"
    return Finding("statements chained", figures, not broken)


def _payouts_add_up(client: Client) -> Finding:
    return Finding("payouts add up", *payouts_add_up(Ledger(lambda: client)))


def _corrections_decided(client: Client) -> Finding:
    return Finding("corrections decided", *corrections_decided(Ledger(lambda: client)))


def _every_deal_once(client: Client) -> Finding:
    seen, rated, unpaid_side, rejected, codes, waiting, taken_back, skipped, lost = client.query(
        f"""
        SELECT count(), countIf(rated),
            countIf(NOT rated AND status = 'rejected' AND code = 'entry_not_paid'),
            countIf(NOT rated AND status = 'rejected' AND code != 'entry_not_paid'),
            sumMapIf([code], [1], NOT rated AND status = 'rejected' AND code != 'entry_not_paid'),
            countIf(NOT rated AND status = 'waiting'), countIf(NOT rated AND status = '' AND was_rated),
            countIf(NOT rated AND status = '' AND NOT was_rated AND skipped),
            countIf(NOT rated AND status = '' AND NOT was_rated AND NOT skipped)
        FROM (
            SELECT deal_key, r.status AS status, r.code AS code,
                deal_key IN ({RATED_DEALS}) AS rated,
                deal_key IN (SELECT caused_by FROM transfers WHERE code = 'accrual') AS was_rated,
                deal_key IN (
                    SELECT if(JSONHas(payload, 'deal'),
                        concat(JSONExtractString(payload, 'deal', 'server'), '|',
                            JSONExtractString(payload, 'deal', 'deal_id')),
                        concat(JSONExtractString(payload, 'server'), '|',
                            JSONExtractString(payload, 'deal_id')))
                    FROM dead_letters WHERE code = 'skipped'
                ) AS skipped
            FROM deals AS d FINAL
            LEFT JOIN (SELECT deal_key, status, code FROM rejections FINAL) AS r USING (deal_key)
        )
        """  # noqa: S608  - the part is a constant
    ).result_rows[0]
    # A skipped deal is among the deals already: it was read, and left out by a person.
    # One that was replayed is among the deals too.
    dead = client.query(
        "SELECT count() FROM dead_letters FINAL WHERE code != 'skipped' AND dead_letter_id NOT IN "
        "(SELECT dead_letter_id FROM dead_letter_decisions WHERE action = 'replayed')"
    ).result_rows[0][0]
    by_code = ", ".join(
        f"{count} {code}"
        for code, count in sorted(zip(*codes, strict=True), key=lambda one: (-one[1], one[0]))
    )
    # Openings, where the plan pays at the closing: no fault of the deal's, and half of all deals.
    figures = (
        f"{seen + dead} seen = {rated} rated + {unpaid_side} on the side that the plan does not pay + "
        f"{rejected} rejected{f' ({by_code})' if by_code else ''} + {waiting} waiting + {dead} dead letters"
        + (f" + {taken_back} taken back by a chargeback or dispute" if taken_back else "")
        + (f" + {skipped} skipped" if skipped else "")
        + (f"; {lost} unaccounted for" if lost else "")
    )
    return Finding("every deal once", figures, not lost)


def _reversals_exact(client: Client) -> Finding:
    reversals, wrong, twice = client.query(
        """
        SELECT sum(r.rows),
            countIf(a.transfer_id = '' OR a.ib_id != r.ib_id OR (r.is_whole AND r.taken < a.amount)),
            countIf(r.taken > a.amount)
        FROM (
            SELECT reverses, any(ib_id) AS ib_id, sum(amount) AS taken, count() AS rows,
                max(NOT mapContains(factors, 'share')) AS is_whole
            FROM transfers FINAL WHERE code = 'reversal' GROUP BY reverses
        ) AS r
        LEFT JOIN (SELECT * FROM transfers FINAL WHERE code = 'accrual') AS a ON r.reverses = a.transfer_id
        """
    ).result_rows[0]
    figures = f"{reversals} reversals, {wrong} that do not add up to their original, {twice} beyond it"
    return Finding("reversals exact, once", figures, not wrong and not twice)


def _no_output_without_cause(client: Client) -> Finding:
    orphans = client.query(
        """
        SELECT count() FROM transfers FINAL
        WHERE code = 'accrual' AND account_key != '' AND caused_by NOT IN (SELECT deal_key FROM deals)
        """
    ).result_rows[0][0]
    rows, ids = client.query("SELECT count(), uniqExact(transfer_id) FROM transfers FINAL").result_rows[0]
    figures = f"{rows} rows under {ids} ids, {orphans} without a deal behind them"
    return Finding("no row without cause", figures, rows == ids and not orphans)


def _one_row_an_id(client: Client) -> Finding:
    """Of what was stored under one id all is the same: merging rows of an id would hide a second effect."""
    figures, clashes = [], list[str]()
    for table, name, columns in (
        ("transfers", "transfer_id", TRANSFER_COLUMNS),
        ("milestones", "milestone_id", MILESTONE_COLUMNS),
    ):
        sql = f"""
            SELECT count(), sum(rows), countIf(contents > 1), minIf({name}, contents > 1) FROM (
                SELECT {name}, count() AS rows, uniqExact(toString(tuple({", ".join(columns)}))) AS contents
                FROM {table} GROUP BY {name}
            )
        """  # noqa: S608 # our own names
        ids, rows, wrong, first = client.query(sql).result_rows[0]
        figures.append(f"{rows} {table} stored under {ids} ids")
        if wrong:
            clashes.append(f"{wrong} ids of {table} with two contents, such as {first}")
    return Finding("no two rows under one id", "; ".join((*figures, *clashes)), not clashes)


def _sums_equal_rows(client: Client) -> Finding:
    """What reports read of a day is what its rows add up to."""
    days, found = differences(client)
    figures = "; ".join((f"{days} days' sums added up again, {len(found)} differ", *found[:3]))
    return Finding("sums equal rows", figures, not found)


def findings_table(report: Report) -> Table:
    """The invariants, one a line, for people."""
    table = new_table("Invariants")
    for name in ("", "invariant", "measured"):
        table.add_column(name)
    for finding in report.findings:
        mark = "[green]✓[/]" if finding.holds else "[bold red]✗[/]"
        table.add_row(mark, finding.invariant, finding.figures)
    return table
