"""`ibflow verify`: the invariants of the ledger, measured on what the database holds."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from commission.ledger import ledger_hash
from commission.money import plain
from commission.outputs import Transfer
from schemas import topics
from schemas.operations import Operations, decode_operation
from schemas.wire import decode_batch
from streams.partition import Partition
from streams.stages import CLIENTS, PARTNERS, Stage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return all(finding.holds for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "holds": self.holds}


def verify(client: Client) -> Report:
    """Check every invariant; read-only."""
    stored = ledger_hash(read_transfers(client))
    checks: tuple[Callable[[Client], Finding], ...] = (
        _trial_balance,
        _earned_stands,
        _statements_add_up,
        _every_deal_once,
        _reversals_exact,
        _no_output_without_cause,
    )
    return Report((_same_book_same_ledger(client, stored), *(check(client) for check in checks)), stored)


def read_transfers(client: Client) -> Iterator[Transfer]:
    """Every transfer in the database, once."""
    names = [field.name for field in fields(Transfer) if field.name != "type"]
    with client.query_row_block_stream(f"SELECT {', '.join(names)} FROM transfers FINAL") as blocks:  # noqa: S608 # our own names
        for block in blocks:
            for row in block:
                values = dict(zip(names, row, strict=True))
                values["path"] = tuple(values["path"])
                yield Transfer(**values)


def _same_book_same_ledger(client: Client, stored: str) -> Finding:
    """Fold the archived books again, from nothing, and compare."""
    counts, operations = _counts(client), read_operations(client)
    replayed: list[Transfer] = []
    messages = 0
    for stage in (CLIENTS, PARTNERS):
        for number in range(counts[stage.topic]):
            for step_outputs in _replay(client, stage, number, counts, operations):
                messages += 1
                replayed.extend(step_outputs)
    digest = ledger_hash(replayed)
    figures = f"{messages} messages folded again: {digest[:16]}…, stored {stored[:16]}…"
    figures += "".join(
        f"; {topic}/{number} stands at {stop.offset}"
        for (topic, number), stop in sorted(operations.stops.items())
    )
    return Finding("same books, same ledger", figures, digest == stored)


def read_operations(client: Client) -> Operations:
    """The log of operations, folded: what is stopped, and what was skipped."""
    rows = client.query("SELECT record FROM operations FINAL ORDER BY _offset").result_rows
    return Operations.of(decode_operation(str(row[0])) for row in rows)


def _counts(client: Client) -> dict[str, int]:
    rows = client.query(
        "SELECT topic, toInt32(max(partition)) + 1 FROM sink_positions GROUP BY topic"
    ).result_rows
    known = {str(topic): int(count) for topic, count in rows}
    return {topic.name: known.get(topic.name, 0) for topic in topics.TOPICS}


def _replay(
    client: Client, stage: Stage, number: int, counts: dict[str, int], operations: Operations
) -> Iterator[list[Transfer]]:
    place = stage.topic, number
    partition = Partition(stage, number, counts, {}, skips=operations.skips[place])
    stop = operations.stops.get(place)
    sql = (
        "SELECT _offset, source, message FROM books FINAL "
        "WHERE _topic = {topic:String} AND _partition = {partition:UInt32} ORDER BY _offset"
    )
    with client.query_row_block_stream(sql, {"topic": stage.topic, "partition": number}) as blocks:
        for block in blocks:
            for offset, source, message in block:
                if stop is not None and int(offset) >= stop.offset:
                    return  # the ledger goes as far as this, too
                step = partition.step(int(offset), str(message).encode(), str(source), EPOCH)
                assert step is not None, "an archive is read from its beginning"
                partition.commit(step)
                yield [
                    record
                    for sent in step.messages
                    if sent.topic in (topics.PARTNER_BOOK, topics.SETTLEMENTS)
                    for record in decode_batch(sent.value)
                    if isinstance(record, Transfer)
                ]


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
        """
        SELECT ib_id, currency,
            sumIf(amount, startsWith(debit, 'broker:'))
                - sumIf(amount, startsWith(credit, 'broker:')) AS earned,
            sumIf(amount, match(credit, '^(ib|client):|^rounding$'))
                - sumIf(amount, match(debit, '^(ib|client):|^rounding$')) AS stands
        FROM transfers FINAL GROUP BY ib_id, currency HAVING earned != stands
        """
    ).result_rows
    count = client.query("SELECT uniqExact(ib_id, currency) FROM transfers FINAL").result_rows[0][0]
    differ = "".join(f"; {r[0]}: {r[2]} against {r[3]} {r[1]}" for r in rows)
    figures = f"{count} IB balances, {len(rows)} differ{differ}"
    return Finding("earned stands in accounts", figures, not rows)


def _statements_add_up(client: Client) -> Finding:
    rows = client.query(
        """
        SELECT s.ib_id, s.period FROM statements AS s FINAL
        LEFT JOIN (
            SELECT ib_id, period, currency, sumIf(amount, code = 'statement') AS paid,
                sumIf(amount, code = 'rounding' AND credit = 'rounding')
                    - sumIf(amount, code = 'rounding' AND debit = 'rounding') AS residue
            FROM transfers FINAL WHERE period != '' GROUP BY ib_id, period, currency
        ) AS t ON s.ib_id = t.ib_id AND s.period = t.period AND s.currency = t.currency
        WHERE opening + accrued - reversed - payable - rounding != closing
            OR payable != t.paid OR rounding != t.residue
        """
    ).result_rows
    count, chained = client.query(
        """
        SELECT count(), countIf(previous != opening AND number > 1) FROM (
            SELECT opening, row_number() OVER w AS number, lagInFrame(closing) OVER w AS previous
            FROM statements FINAL WINDOW w AS (
                PARTITION BY ib_id, currency ORDER BY period ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            )
        )
        """
    ).result_rows[0]
    figures = f"{count} statements, {len(rows)} do not add up, {chained} do not open where the last closed"
    return Finding("statements add up", figures, not rows and not chained)


def _every_deal_once(client: Client) -> Finding:
    seen, rated, rejected, waiting, skipped, lost = client.query(
        """
        SELECT count(), countIf(rated), countIf(NOT rated AND status = 'rejected'),
            countIf(NOT rated AND status = 'waiting'), countIf(NOT rated AND status = '' AND skipped),
            countIf(NOT rated AND status = '' AND NOT skipped)
        FROM (
            SELECT deal_key, r.status AS status,
                deal_key IN (SELECT caused_by FROM transfers WHERE code = 'accrual') AS rated,
                deal_key IN (
                    SELECT if(JSONHas(payload, 'deal'),
                        concat(JSONExtractString(payload, 'deal', 'server'), '|',
                            JSONExtractString(payload, 'deal', 'deal_id')),
                        concat(JSONExtractString(payload, 'server'), '|',
                            JSONExtractString(payload, 'deal_id')))
                    FROM dead_letters WHERE code = 'skipped'
                ) AS skipped
            FROM deals AS d FINAL
            LEFT JOIN (SELECT deal_key, status FROM rejections FINAL) AS r USING (deal_key)
        )
        """
    ).result_rows[0]
    # A skipped deal is among the deals already: it was read, and left out by a person.
    dead = client.query("SELECT count() FROM dead_letters FINAL WHERE code != 'skipped'").result_rows[0][0]
    figures = (
        f"{seen + dead} seen = {rated} rated + {rejected} rejected + {waiting} waiting + {dead} dead letters"
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
