"""A ledger of any size, written straight into ClickHouse by ClickHouse: what reports are measured on.

500 IBs, or as many as are asked for, in a tree of eight under each, 20,000 clients, 30 symbols, a year. Each
deal pays its client's IB and the two above it by lots, every fourth one a share of the spread too; every 50th
is charged back a week later, every 20th client's KYC is open. As many openings are refused, as a plan that
pays closings does.
"""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from clickhouse_connect.driver.client import Client

IBS, CLIENTS, SYMBOLS, DAYS = 500, 20_000, 30, 365
FANOUT = 8
CENT = Decimal("0.01")
START = datetime(2025, 12, 1, tzinfo=UTC)
ROWS_OF_DEAL = 3.24
"""Transfers that a deal makes on average, reversals included."""
BLOCK_DEALS = 250_000
WRITE = {"async_insert": 0, "max_partitions_per_insert_block": 0, "max_threads": 2}

_PARENT = f"intDiv(toInt64({{0}}) - 1, {FANOUT})"
_UP_1, _UP_2, _UP_3 = (
    _PARENT.format("ib"),
    _PARENT.format(_PARENT.format("ib")),
    _PARENT.format(_PARENT.format(_PARENT.format("ib"))),
)
_PATH = (
    "arrayFilter((x, i) -> x >= 0 AND (i = 1 OR parents[i - 1] > 0), "
    f"[toInt64(ib), {_UP_1}, {_UP_2}, {_UP_3}] AS parents, [1, 2, 3, 4])"
)
_DEALS = f"""
SELECT number AS n, cityHash64(n) AS h, h % {CLIENTS} AS client, 1 + client % ({{ibs:UInt32}} - 1) AS ib,
    addMicroseconds(toDateTime64({{start:UInt32}}, 6, 'UTC'),
        toInt64(n * {{step_us:UInt64}} + h % {{step_us:UInt64}})) AS at,
    least(intDiv(h, 256) % {SYMBOLS}, intDiv(h, 16777216) % {SYMBOLS}) AS number_of_symbol,
    concat('SYM', leftPad(toString(number_of_symbol), 2, '0')) AS sym,
    toDecimal128(1 + intDiv(h, 1099511627776) % 300, 8) / 100 AS volume, client % 20 = 0 AS is_held,
    arrayMap(x -> concat('ib-', leftPad(toString(x), {{digits:UInt8}}, '0')), {_PATH}) AS up
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_ACCRUALS = f"""
SELECT lower(hex(MD5(concat('t', toString(n), '/', toString(part.1), part.2)))) AS transfer_id,
    'accrual' AS code, concat('broker:expense:', part.2) AS debit,
    concat('ib:', up[part.1], if(is_held, ':held', ':pending')) AS credit,
    volume * part.3 AS amount, 'USD' AS currency, up[part.1] AS ib_id, at AS occurred_at,
    concat('live|', toString(10000000 + n)) AS caused_by, CAST(NULL AS Nullable(String)) AS reverses,
    concat('c-', toString(client)) AS client_id, concat('live/', toString(client)) AS account_key,
    'r1' AS revision,
    part.2 AS component, concat(part.2, '/*') AS rule, if(part.1 = 1, 'silver', 'gold') AS plan_id,
    1 AS plan_version, part.1 - 1 AS depth, up AS path, sym AS symbol, volume AS lots, n
FROM (
    SELECT *, arrayJoin(arrayConcat(
        arrayMap(i -> (i, 'per_lot', toDecimal64([4, 2, 1][i], 2)), range(1, 1 + least(length(up), 3))),
        if(n % 4 = 0, [(toUInt64(1), 'spread_share', toDecimal64(0.55, 2))], []))) AS part
    FROM ({_DEALS})
)
"""  # noqa: S608  - as above
_COLUMNS = (
    "transfer_id, code, debit, credit, amount, currency, ib_id, occurred_at, caused_by, reverses, client_id, "
    "account_key, revision, component, rule, plan_id, plan_version, depth, path, symbol, lots, factors, "
    "_topic, _partition, _offset"
)
_TRANSFERS = f"""
INSERT INTO transfers ({_COLUMNS})
SELECT * EXCEPT (n),
    map('lots', toString(lots), 'rate per lot', toString(amount / lots), 'amount', toString(amount)),
    'partner-book', cityHash64(ib_id) % 4, n FROM ({_ACCRUALS})
"""  # noqa: S608  - as above
_REVERSALS = f"""
INSERT INTO transfers ({_COLUMNS})
SELECT concat(transfer_id, 'r'), 'reversal', credit, debit, amount, currency, ib_id,
    addDays(occurred_at, 7), concat('chargeback-', toString(n)), transfer_id, client_id,
    '', '', component, '', '', 0, 0, [], symbol, toDecimal128(0, 8), map(),
    'partner-book', cityHash64(ib_id) % 4, n FROM ({_ACCRUALS}) WHERE n % 50 = 0
"""  # noqa: S608  - as above
_PLAIN_DEAL = "'mt5', 'live', client, toString(10000000 + n + if(is_in, 500000000, 0)), 'trade', at, 'buy'"
_DEAL_ROWS = f"""
INSERT INTO deals (platform, server, login, deal_id, kind, occurred_at, side, entry, symbol, volume_e8,
    position_id, profit, commission, fee, swap, currency, revision, source, _topic, _partition, _offset)
SELECT {_PLAIN_DEAL}, if(is_in, 'in', 'out'), sym, toInt64(volume * 100000000), toString(n),
    toDecimal128(0, 8), toDecimal128(0, 8), toDecimal128(0, 8), toDecimal128(0, 8), 'USD', 'r1', 'deals.csv',
    'account-book', client % 4, n
FROM (SELECT *, arrayJoin([true, false]) AS is_in FROM ({_DEALS}))
"""  # noqa: S608  - as above
_REFUSALS = f"""
INSERT INTO rejections (deal_key, revision, status, code, text, account_key, client_id, occurred_at,
    _topic, _partition, _offset)
SELECT concat('live|', toString(510000000 + n)), 'r1', 'rejected', 'entry_not_paid', 'an opening',
    concat('live/', toString(client)), concat('c-', toString(client)), at, 'rejections', client % 4, n
FROM ({_DEALS})
"""  # noqa: S608  - as above
_PARTNERS = f"""
INSERT INTO partners (ib_id, name, currency, parent, kyc_approved, definition, _topic, _partition, _offset)
SELECT concat('ib-', leftPad(toString(number), {{digits:UInt8}}, '0')) AS id, id, 'USD',
    if(number = 0, NULL,
        concat('ib-', leftPad(toString({_PARENT.format("number")}), {{digits:UInt8}}, '0'))), true,
    '{{}}', 'terms', 0, number
FROM numbers({{ibs:UInt32}})
"""  # noqa: S608  - as above
_CLIENTS = f"""
INSERT INTO clients (client_id, occurred_at, ib_id, country, click, event_id, _topic, _partition, _offset)
SELECT concat('c-', toString(number)), toDateTime64('2025-11-01', 6, 'UTC'),
    concat('ib-', leftPad(toString(1 + number % ({{ibs:UInt32}} - 1)), {{digits:UInt8}}, '0')),
    ['CY', 'DE', 'ZA', 'BR'][1 + number % 4],
    map(), concat('r', toString(number)), 'client-book', number % 4, number
FROM numbers({CLIENTS})
"""  # noqa: S608  - as above
_PERIODS = """
INSERT INTO periods (period, starts_at, ends_at, _topic, _partition, _offset)
SELECT formatDateTime(month, '%Y-%m'), month, addMonths(month, 1), 'terms', 0, number
FROM (
    SELECT number, addMonths(toDateTime64('2025-12-01 00:00:00', 6, 'UTC'), number) AS month FROM numbers(12)
)
"""


_STORED = """
INSERT INTO day_marks SELECT DISTINCT day, toUInt64(toUnixTimestamp64Nano(now64(9))), false FROM day_marks
"""


def fill(client: Client, rows: int, days: int = DAYS, ibs: int = IBS) -> int:
    """Make about so many transfers within so many days, and their deals, whose number is given."""
    deals = int(rows / ROWS_OF_DEAL)
    step_us = days * 86_400_000_000 // deals
    tree = {"ibs": ibs, "digits": digits(ibs)}
    for statement in (_PARTNERS, _CLIENTS):
        client.command(statement, parameters=tree, settings=WRITE)
    client.command(_PERIODS, settings=WRITE)
    for first in range(0, deals, BLOCK_DEALS):
        values = tree | {
            "start": int(START.timestamp()),
            "step_us": step_us,
            "first": first,
            "count": min(BLOCK_DEALS, deals - first),
        }
        for statement in (_TRANSFERS, _REVERSALS, _DEAL_ROWS, _REFUSALS):
            client.command(statement, parameters=values, settings=WRITE)
    client.command(_STORED)
    return deals


def digits(ibs: int) -> int:
    """In the ids of so many IBs, at least three."""
    return max(3, len(str(ibs - 1)))


def months() -> list[tuple[datetime, datetime]]:
    """The months of the year, from `START` on."""
    starts = [START, *(datetime(2026, number, 1, tzinfo=UTC) for number in range(1, 13))]
    return list(pairwise(starts))
