"""What platforms pay by themselves beside what the ledger pays the direct IB for the same, by IB and day.

MT4 has it on each ticket (`commission_agent`). MT5 writes agent deals; those that name a client's deal are
compared. Where only one side pays that is a difference too, on servers where the platform pays at all.
"""

from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_place, page
from api.queries.native import AGENT
from api.queries.periods import INSIDE, Interval
from api.scope import Scope
from commission import accounts
from commission.money import MINOR_DIGITS

_OF_SERVER = "({server:String} = '' OR server = {server:String})"
_BY_MT4 = f"""
SELECT server, concat(server, '/', toString(login)) AS account_key, concat(server, '|', position_id) AS unit,
    toDate(occurred_at) AS day, currency AS native_currency, abs(amount) AS native
FROM (SELECT * FROM deals FINAL WHERE kind = 'trade' AND entry = 'out' AND {_OF_SERVER} AND {INSIDE}
    AND deal_key IN (SELECT deal_key FROM agent_commissions)) AS d
INNER JOIN (SELECT deal_key, amount FROM agent_commissions FINAL) AS a ON a.deal_key = d.deal_key
WHERE server IN (SELECT splitByChar('|', deal_key)[1] FROM agent_commissions WHERE amount != 0)
"""  # noqa: S608  - the parts are constants; values are parameters
_BY_MT5 = f"""
SELECT server, concat(server, '/', client_login) AS account_key, concat(server, '|', client_deal) AS unit,
    toDate(min(paid_at)) AS day, native_currency, sum(native_amount) AS native
FROM ({AGENT}) WHERE client_deal != '' GROUP BY server, client_login, client_deal, native_currency
"""  # noqa: S608  - as above

# What stands of an accrual is what no reversal has taken back, in whole or in part.
_ACCRUALS = f"""
SELECT a.caused_by AS caused_by, a.account_key AS account_key, a.path[1] AS ib_id, a.currency AS currency,
    a.occurred_at AS occurred_at, a.amount - ifNull(b.back, toDecimal128(0, 8)) AS amount
FROM (
    SELECT transfer_id, caused_by, account_key, path, currency, occurred_at, amount FROM transfers FINAL
    WHERE code = 'accrual' AND account_key != '' AND ib_id = path[1] AND startsWith(credit, '{accounts.IB}')
      AND {{where}}
) AS a
LEFT JOIN (
    SELECT assumeNotNull(reverses) AS transfer_id, sum(amount) AS back FROM transfers FINAL
    WHERE code = 'reversal' AND isNotNull(reverses) GROUP BY transfer_id
) AS b ON b.transfer_id = a.transfer_id
"""  # noqa: S608  - as above
# A ticket has two deals, which may have had two IBs: the one of the later deal stands for both.
_PAID = """
SELECT {unit} AS unit, argMax(ib_id, occurred_at) AS ib, argMax(currency, occurred_at) AS paid_in,
    sumMap(map(currency, amount))[argMax(currency, occurred_at)] AS amount,
    any(account_key) AS account_key, max(occurred_at) AS last_at
FROM ({accruals}) GROUP BY unit
"""
_TICKET = "replaceRegexpOne(caused_by, ':(open|close)$', '')"
_TOLD = f"{_TICKET} IN (SELECT unit FROM ({_BY_MT4}))"  # noqa: S608  - as above
_OF_MT4 = _PAID.format(unit=_TICKET, accruals=_ACCRUALS.format(where=_TOLD))
_NAMED = f"""
(splitByChar('/', account_key)[1] IN (SELECT server FROM ({_BY_MT5})) AND {INSIDE}
    OR caused_by IN (SELECT unit FROM ({_BY_MT5})))
"""  # noqa: S608  - as above
_OF_MT5 = _PAID.format(unit="caused_by", accruals=_ACCRUALS.format(where=_NAMED))
_JOINED = """
SELECT n.server AS server, n.day AS day, n.account_key AS account_key, n.native_currency AS native_currency,
    n.native AS native, o.ib AS ib, o.paid_in AS paid_in, o.amount AS ours
FROM ({native}) AS n LEFT JOIN ({ours}) AS o ON o.unit = n.unit
"""
_ONLY_OURS = f"""
SELECT splitByChar('/', account_key)[1] AS server, toDate(last_at) AS day, account_key,
    paid_in AS native_currency, toDecimal128(0, 8) AS native, ib, paid_in, amount AS ours
FROM ({_OF_MT5}) WHERE unit NOT IN (SELECT unit FROM ({_BY_MT5}))
"""  # noqa: S608  - as above
# Whose deals nobody earns from here: the IB that earned from the account, or that brought its client.
_ACCOUNTS = f"""
account_key IN (SELECT account_key FROM ({_BY_MT4}) UNION ALL SELECT account_key FROM ({_BY_MT5}))
"""  # noqa: S608  - as above
_BY_ACCOUNT = f"""
SELECT account_key, argMax(path[1], occurred_at) AS ib FROM transfers
WHERE code = 'accrual' AND {_ACCOUNTS} GROUP BY account_key
"""  # noqa: S608  - as above
_BY_CLIENT = f"""
SELECT account_key, any(c.ib_id) AS ib
FROM (SELECT DISTINCT account_key, client_id FROM rejections WHERE {_ACCOUNTS}) AS r
INNER JOIN (SELECT client_id, ifNull(ib_id, '') AS ib_id FROM clients FINAL) AS c ON c.client_id = r.client_id
GROUP BY account_key
"""  # noqa: S608  - as above
_DAYS = f"""
SELECT day, server, ib_id, native_currency, deals, native_amount, currency, amount,
    if(currency = native_currency, amount - native_amount, NULL) AS difference,
    ifNull(abs(difference) * 2 * intExp10(transform(native_currency, {{names:Array(String)}},
        {{digits:Array(UInt8)}}, toUInt8(2))) > deals, false) AS differs,
    [toString(day), server, ib_id, native_currency, currency] AS place
FROM (
    SELECT f.day AS day, f.server AS server, f.native_currency AS native_currency,
        if(f.paid_in = '', f.native_currency, f.paid_in) AS currency,
        multiIf(f.ib != '', f.ib, a.ib != '', a.ib, c.ib) AS ib_id,
        count() AS deals, sum(f.native) AS native_amount, sum(f.ours) AS amount
    FROM (
        {_JOINED.format(native=_BY_MT4, ours=_OF_MT4)} UNION ALL
        {_JOINED.format(native=_BY_MT5, ours=_OF_MT5)} UNION ALL
        {_ONLY_OURS}
    ) AS f
    LEFT JOIN ({_BY_ACCOUNT}) AS a ON a.account_key = f.account_key
    LEFT JOIN ({_BY_CLIENT}) AS c ON c.account_key = f.account_key
    GROUP BY day, server, native_currency, currency, ib_id
)
WHERE place > {{after:Array(String)}} AND (NOT {{differing:Bool}} OR differs)
ORDER BY place LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_HAS_NATIVE = """
SELECT 1 AS found FROM agent_commissions WHERE amount != 0 LIMIT 1
UNION ALL SELECT 1 AS found FROM agent_deals LIMIT 1
"""


def days(
    ledger: Ledger,
    scope: Scope,
    interval: Interval,
    server: str,
    limit: int,
    cursor: str = "",
    *,
    differing: bool = False,
) -> dict[str, Any]:
    """One page of what platforms pay and the ledger pays, by day and IB; perhaps only where they differ.

    Amounts differ if rounding every deal to the currency's digits cannot explain it: half a unit each.
    """
    scope.check_whole()
    rows: list[Row] = []
    if has_native(ledger):
        values = _values(interval, server, limit + 1, decode_place(cursor, 5), differing=differing)
        rows = ledger.rows(_DAYS, **values)
    result = page(rows, limit, key=lambda row: row["place"])
    for row in result["items"]:
        del row["place"]
    return result


def has_native(ledger: Ledger) -> bool:
    """Whether a platform has paid anything by itself."""
    return bool(ledger.rows(_HAS_NATIVE))


def _values(
    interval: Interval, server: str, limit: int, after: list[str], *, differing: bool
) -> dict[str, Any]:
    return {
        "server": server,
        "limit": limit,
        "after": after,
        "differing": differing,
        "names": [*MINOR_DIGITS],
        "digits": [*MINOR_DIGITS.values()],
        **interval.parameters,
    }
