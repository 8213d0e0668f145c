"""SQL that makes a day's sums of its rows: for a build to keep them, and for a report of a day that has none.

`{read}` is what is read, `{rows}` which rows of it, `{when}` what of their time the sums are by, and
`{taken_back}` which accruals are not left.
"""

from api.queries.money import EARNING, FROM_IB, IS_DEAL, OF_BOOK, TAKEN_BACK, TO_IB, grown
from api.queries.periods import DAY
from api.queries.transfer_keys import HASH, near
from commission import accounts

ROWS = "transfers FINAL"
SERVER = "arrayStringConcat(arrayPopBack(splitByChar('/', account_key)), '/')"

SUM_KEYS = "ib_id, symbol, component, plan_id, server, period, currency, is_earning"
MEASURES = ("accrued", "reversed", "held", "pending", "payable")
SUMS = f"""
SELECT {{when}} AS at, ib_id, symbol, component, plan_id, {SERVER} AS server, period, currency,
    {EARNING} AS is_earning, sumIf(amount, {TO_IB}) AS accrued, sumIf(amount, {FROM_IB}) AS reversed,
    {grown(accounts.HELD)} AS held, {grown(accounts.PENDING)} AS pending, {grown(accounts.PAYABLE)} AS payable
FROM {{read}} WHERE {{rows}} GROUP BY at, {SUM_KEYS}
"""  # noqa: S608  - the parts are constants; values are parameters

# A deal pays several IBs and components, each row with the deal's lots, and counts once whichever of them are
# asked for. So deals are counted by their shape: who earns what of them that is not taken back. Symbol
# and lots are in the shape only where rows of one deal differ by them. `{sign}` is 1, or -1 for a row that
# counts no longer, or both for one whose deal is counted anew.
DEALS = f"""
SELECT at, server, symbol, shape, sum(toInt64(sign)) AS deals, sum(lots * sign) AS lots
FROM (
    SELECT at, sign, any(of_server) AS server, groupUniqArray(part) AS parts,
        arrayUniq(arrayMap(p -> p[5], parts)) = 1 AS has_symbol,
        arrayUniq(arrayMap(p -> p[6], parts)) = 1 AS has_lots,
        if(has_symbol, any(of_symbol), '') AS symbol,
        if(has_lots, any(of_lots), toDecimal128(0, 8)) AS lots,
        CAST(toJSONString(arraySort(arrayMap(
            p -> [p[1], p[2], p[3], p[4], if(has_symbol, '', p[5]), if(has_lots, '', p[6])], parts
        ))), 'LowCardinality(String)') AS shape
    FROM (
        SELECT {{when}} AS at, {{sign}} AS sign, {DAY} AS day, caused_by,
            {SERVER} AS of_server, symbol AS of_symbol, lots AS of_lots,
            [toString(ib_id), component, currency, plan_id, symbol, toString(lots)] AS part
        FROM {{read}}
        WHERE {{rows}} AND {IS_DEAL}{{standing}}
    )
    GROUP BY at, sign, day, caused_by
)
GROUP BY at, server, symbol, shape
"""  # noqa: S608  - as above
STANDING = " AND transfer_id NOT IN ({taken_back})"

ACCOUNTS = """
SELECT at, leg.1 AS account, currency, sum(leg.2) AS debit, sum(leg.3) AS credit
FROM (
    SELECT {when} AS at, currency, arrayJoin([
        (toString(debit), amount, amount - amount), (toString(credit), amount - amount, amount)
    ]) AS leg
    FROM {read} WHERE {rows}
)
GROUP BY at, account, currency
"""

# A refusal counts unless its deal is paid: by a row of the same day, for both have the deal's time; of a deal
# whose time was corrected, by a row of any day. Copies of a row say the same, so they need not be merged, and
# only deals that were refused are looked for: on most days they are few beside those that are paid.
_REFUSED = "SELECT deal_key FROM rejections WHERE toDate32(occurred_at) IN {days}"
_REFUSED_KEYS = f"SELECT {HASH.format('deal_key')} FROM ({_REFUSED})"  # noqa: S608  - as above
_MOVED = f"""
SELECT deal_key AS id FROM moved_deals
WHERE deal_key IN ({_REFUSED})
"""  # noqa: S608  - as above
_FIRST_MOVED = f"SELECT minOrNull(_offset) FROM transfers WHERE {OF_BOOK} AND {near(_MOVED)}"  # noqa: S608 # as above
# One condition of what is taken back for both, so that ClickHouse makes its set once: that follows on the log
# what it takes back, so that what is below `{first}`, where no row of the days is, is not looked at.
REFUSALS = f"""
SELECT {{when}} AS at, status, code, count() AS deals FROM rejections FINAL
WHERE {{rows}} AND deal_key NOT IN (
    SELECT caused_by FROM (
        SELECT caused_by, transfer_id FROM transfers PREWHERE cause_key IN ({_REFUSED_KEYS})
        WHERE {DAY} IN {{days}} AND {IS_DEAL}
        UNION ALL
        SELECT caused_by, transfer_id FROM transfers
        WHERE {near(_MOVED)} AND {IS_DEAL} AND caused_by IN ({_MOVED})
    ) WHERE transfer_id NOT IN (
        {TAKEN_BACK} WHERE NOT {OF_BOOK} OR _offset >= least({{first}}, ifNull(({_FIRST_MOVED}), {{first}}))
    )
) GROUP BY at, status, code
"""  # noqa: S608  - as above
