"""The commission report's SQL: of sums of days where they know all that is asked, and of rows else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from api.queries import sources
from api.queries.days import Days
from api.queries.dimensions import DIMENSIONS, TIMES, GroupBy, have_sums, joins
from api.queries.money import EARNING, FROM_IB, IS_DEAL, TO_IB, grown
from api.queries.periods import INSIDE, Interval
from api.queries.sources import When
from api.scope import Scope, sees
from commission.accounts import HELD

_PAGE = """
SELECT {keys}currency, sum(lots_of) AS lots, sum(accrued_of) AS accrued, sum(reversed_of) AS reversed,
    accrued - reversed AS net, sum(held_of) AS held, sum(deals_of) AS deals, [{place}currency] AS place
FROM ({parts}) GROUP BY {keys}currency
HAVING place > {{after:Array(String)}}{or_over} {order}
"""
BY_PLACE = "ORDER BY place LIMIT {limit:UInt32}"
MAX_CURRENCIES = 1_000
TOTALS_FIRST = f"ORDER BY over DESC, place LIMIT {{limit:UInt32}} + {MAX_CURRENCIES}"
"""With totals, `over` of which is above 0, before the groups: as many of these at least as the limit says."""
ALL = "ORDER BY place"
LARGEST = "ORDER BY {measure} DESC, place LIMIT {{limit:UInt32}} BY over, currency"
LARGEST_ALONE = "ORDER BY {measure} DESC, place LIMIT {{limit:UInt32}} BY currency"
"""Without the totals."""
# Each row once for its group, once for the total of its currency, and once for that of all of them: what is
# read is read once. Lots and money of several currencies together mean nothing, deals do.
_OVER = "arrayJoin(range({})) AS over, "
_GROUPS, _AND_TOTALS, _AND_ALL = 1, 2, 3
# Added up before anything becomes text: columns of few values are grouped by their numbers.
_MONEY = """
SELECT {columns}toString(currency) AS currency, toDecimal128(0, 8) AS lots_of, sum(s.accrued) AS accrued_of,
    sum(s.reversed) AS reversed_of, sum(s.held) AS held_of, 0 AS deals_of
FROM ({sums}) AS s WHERE is_earning{conditions} GROUP BY {groups}s.currency
"""
# Shapes are few: deals are added up by them, each is opened once, and what is not asked for of its parts is
# left out, so that most have one. Of a deal whose rows differ in lots the most of what is asked for counts.
_DEALS = """
SELECT {keys}currency, max(lots_of_part) AS lots_of, toDecimal128(0, 8) AS accrued_of,
    toDecimal128(0, 8) AS reversed_of, toDecimal128(0, 8) AS held_of, any(deals) AS deals_of
FROM (
    SELECT {told_by}shape, deals, {columns}{currency} AS currency,
        if(part[6] = '', lots, toDecimal128OrZero(part[6], 8) * deals) AS lots_of_part
    FROM (
        SELECT shape, arrayJoin(counts) AS count, {of_count}, arrayJoin(parts) AS part
        FROM (
            SELECT shape, groupArray(({told_by}deals, lots)) AS counts,
                JSONExtract(toString(shape), 'Array(Array(String))') AS opened,
                arrayDistinct(arrayMap(p -> [{fields}], opened)) AS parts
            FROM (
                SELECT {told_by}shape, sum(s.deals) AS deals, sum(s.lots) AS lots
                FROM ({deals}) AS s GROUP BY {told_by}shape HAVING deals != 0
            )
            GROUP BY shape
        )
    ) AS s WHERE 1{conditions}
) GROUP BY {told_by}shape, {keys}currency
"""
_FIELDS: tuple[tuple[GroupBy, ...], ...] = (
    ("ib",), ("component",), (), ("plan",), ("symbol", "class"), (),
)  # fmt: skip
"""Who asks for which field of a part; for currency and lots everybody does."""

_BY_ROWS = f"""
SELECT {{keys}}currency, maxIf(lots, is_standing) AS lots_of, sumIf(amount, to_ib) AS accrued_of,
    sumIf(amount, from_ib) AS reversed_of, {grown(HELD)} AS held_of, max(is_standing) AS deals_of
FROM (
    SELECT {{columns}}toString(currency) AS currency, amount, debit, credit, caused_by, lots,
        toDate32(occurred_at) AS day, {TO_IB} AS to_ib, {FROM_IB} AS from_ib,
        {IS_DEAL} AND transfer_id NOT IN ({{taken_back}}) AS is_standing
    FROM {{rows}} WHERE {{inside}} AND {EARNING}{{conditions}}
) GROUP BY {{keys}}currency, day, caused_by
"""  # noqa: S608  - the parts are constants of this room; values are parameters
MAX_NEEDLES = 255
"""Of ClickHouse's search for several texts at once."""
_JOINED = "(SELECT * FROM transfers FINAL WHERE {inside}) AS t {joins}"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What is reported: what the scope sees of an interval of event time.

    Optionally of IBs, of a currency, of single dimensions. `known_at` leaves out what was stored later.
    """

    scope: Scope
    interval: Interval
    ibs: tuple[str, ...] = ()
    currency: str = ""
    of: Mapping[GroupBy, str] = field(default_factory=dict)
    """Dimension → the one value that is reported."""
    known_at: datetime | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """For the conditions of `_conditions`."""
        values = {f"of_{name}": value for name, value in self.of.items()}
        return {"ibs": list(self.ibs), "currency": self.currency, **values, **self.scope.parameters}


def report_sql(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], order: str = BY_PLACE) -> str:
    """The query of a report, whose values are the parameters of the filter and of the days.

    If the order is by `over`, it has a row of each currency over all groups beside these, whose `over` is 1.
    """
    parts = _by_sums if have_sums((*group_by, *wanted.of)) else _by_rows
    return _page(wanted, read, group_by, order, parts)


def volume_sql(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], order: str = BY_PLACE) -> str:
    """The same for lots and deals alone, by what sums know: half of what a report costs.

    If it has totals, a row whose `over` is 2 has the deals of all currencies, each once.
    """
    return _page(wanted, read, group_by, order, _deals, _AND_ALL)


def money_sql(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], order: str = BY_PLACE) -> str:
    """The same for money; lots and deals are 0 where sums know all that is asked, and not looked at."""
    if not have_sums((*group_by, *wanted.of)):
        return report_sql(wanted, read, group_by, order)
    return _page(wanted, read, group_by, order, _money)


def _page(
    wanted: ReportFilter,
    read: Days,
    group_by: tuple[GroupBy, ...],
    order: str,
    parts: Callable[..., str],
    most_overs: int = _AND_TOTALS,
) -> str:
    overs = most_overs if "over" in order else _GROUPS
    return _PAGE.format(
        keys=_keys(group_by, overs),
        place=_keys(group_by, _GROUPS),
        or_over=" OR over > 0" if overs > _GROUPS else "",
        parts=parts(wanted, read, group_by, overs),
        order=order,
    )


def _by_sums(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], overs: int) -> str:
    money, deals = (part(wanted, read, group_by, overs) for part in (_money, _deals))
    return f"{money} UNION ALL {deals}"


def _money(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], overs: int) -> str:
    return _MONEY.format(
        columns=_columns(group_by, [DIMENSIONS[group].of_sum for group in group_by], overs),
        groups="".join(f"{DIMENSIONS[group].of_sum}, " for group in group_by),
        sums=sources.sums(read, _when(group_by), _of_ibs(wanted)),
        conditions=_conditions(wanted, "s.ib_id", "s.currency", {n: DIMENSIONS[n].of_sum for n in wanted.of}),
    )


def _deals(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], overs: int) -> str:
    asked = (*group_by, *wanted.of, *(("ib",) if wanted.ibs or not wanted.scope.is_whole else ()))
    told_by = _told_by(asked)
    return _DEALS.format(
        keys=_keys(group_by, overs),
        columns=_columns(group_by, [DIMENSIONS[group].of_part for group in group_by], overs),
        currency="if(over = 2, '', part[3])" if overs == _AND_ALL else "part[3]",
        told_by="".join(f"{name}, " for name in told_by),
        of_count=", ".join(f"count.{n} AS {name}" for n, name in enumerate((*told_by, "deals", "lots"), 1)),
        fields=", ".join(
            f"p[{number}]" if not askers or {*askers} & {*asked} else "''"
            for number, askers in enumerate(_FIELDS, 1)
        ),
        deals=sources.deals(read, _when(asked), _of_ibs(wanted), _of_shapes(wanted)),
        conditions=_conditions(wanted, "part[1]", "part[3]", {n: DIMENSIONS[n].of_part for n in wanted.of}),
    )


def _told_by(asked: Sequence[GroupBy]) -> list[str]:
    """What deals are told apart by beside their shape; each of these makes more sums to open."""
    apart = {
        "at": _when(asked) is not sources.WHENEVER,
        "server": "server" in asked,
        "symbol": "symbol" in asked or "class" in asked,
    }
    return [name for name, is_asked in apart.items() if is_asked]


def _by_rows(wanted: ReportFilter, read: Days, group_by: tuple[GroupBy, ...], overs: int) -> str:
    inside = f"{INSIDE} AND {read.known}"
    joined = joins((*group_by, *wanted.of), INSIDE)
    return _BY_ROWS.format(
        keys=_keys(group_by, overs),
        inside=inside,
        rows=_JOINED.format(inside=inside, joins=joined) if joined else f"transfers FINAL{_first(wanted)}",
        taken_back=read.taken_back(f"{INSIDE}{_of_ibs(wanted)}"),
        columns=_columns(group_by, [DIMENSIONS[group].of_row for group in group_by], overs),
        conditions=_conditions(wanted, "ib_id", "currency", {n: DIMENSIONS[n].of_row for n in wanted.of}),
    )


def _keys(group_by: Sequence[GroupBy], overs: int) -> str:
    return ("over, " if overs > _GROUPS else "") + "".join(f"by_{group}, " for group in group_by)


def _columns(group_by: Sequence[GroupBy], expressions: Sequence[str], overs: int) -> str:
    pairs = zip(group_by, expressions, strict=True)
    named = "if(over > 0, '', toString({}))" if overs > _GROUPS else "toString({})"
    columns = "".join(f"{named.format(expression)} AS by_{group}, " for group, expression in pairs)
    return (_OVER.format(overs) if overs > _GROUPS else "") + columns


def _conditions(wanted: ReportFilter, ib: str, currency: str, of: Mapping[GroupBy, str]) -> str:
    """What a filter asks for, by the expressions that have it; the values are parameters."""
    asked = [sees(ib), *(f"{expression} = {{of_{name}:String}}" for name, expression in of.items())]
    if wanted.ibs:
        asked.append(f"{ib} IN {{ibs:Array(String)}}")
    if wanted.currency:
        asked.append(f"{currency} = {{currency:String}}")
    return "".join(f" AND {condition}" for condition in asked)


def _of_ibs(wanted: ReportFilter) -> str:
    """The IBs that are asked for, where rows are read: those of others are far from them in the table."""
    asked = [] if wanted.scope.is_whole else [sees("ib_id")]
    asked += ["ib_id IN {ibs:Array(String)}"] if wanted.ibs else []
    asked += ["ib_id = {of_ib:String}"] if "ib" in wanted.of else []
    return "".join(f" AND {condition}" for condition in asked)


def _first(wanted: ReportFilter) -> str:
    """Rows of others are left out before copies are: these have the same IB."""
    return " PREWHERE ib_id = {of_ib:String}" if "ib" in wanted.of else ""


def _of_shapes(wanted: ReportFilter) -> str:
    """Shapes that name one of them, where there are few: a shape is JSON, and searched once."""
    lists = {"ibs": wanted.ibs, "seen_ibs": wanted.scope.ibs or ()}
    return "".join(
        f" AND multiSearchAny(toString(shape), arrayMap(x -> toJSONString(x), {{{name}:Array(String)}}))"
        for name, ibs in lists.items()
        if 0 < len(ibs) <= MAX_NEEDLES
    ) + (" AND position(toString(shape), toJSONString({of_ib:String})) > 0" if "ib" in wanted.of else "")


def _when(asked: Sequence[GroupBy]) -> When:
    return next((TIMES[group] for group in asked if group in TIMES), sources.WHENEVER)
