"""What the commission report can be grouped by and filtered by, over rows and over sums of days."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from api.queries.day_rows import SERVER
from api.queries.periods import DAY
from api.queries.sources import BY_DAY, When
from schemas import topics

GroupBy = Literal[
    "ib", "level", "client", "country", "server", "group", "symbol", "class", "component", "plan",
    "day", "week", "month", "period",
]  # fmt: skip

_PERIOD_OF = """
arrayFirst(p -> p.2 <= {at} AND {at} < p.3,
    (SELECT groupArray((period, starts_at, ends_at)) FROM periods FINAL)).1
"""
TIMES: dict[GroupBy, When] = {
    "day": BY_DAY,
    "week": When(f"toMonday({DAY})", "toMonday(day)"),
    "month": When(f"toStartOfMonth({DAY})", "toStartOfMonth(day)"),
    "period": When(_PERIOD_OF.format(at="occurred_at"), _PERIOD_OF.format(at="toDateTime64(day, 6, 'UTC')")),
}
"""Groups by event time, in UTC but for periods; a report has one of them at the most."""

# The terms say the class of each canonical symbol; they may be one line of several, as all that is published.
_CLASS_OF = f"""
(
    SELECT (groupArray(canonical), groupArray(class)) FROM (
        SELECT JSONExtractString(line, 'canonical') AS canonical,
            argMax(JSONExtractString(line, 'asset_class'), _offset) AS class
        FROM (
            SELECT _offset, arrayJoin(splitByChar('\\n', message)) AS line FROM books FINAL
            WHERE _topic = '{topics.TERMS}' AND position(message, 'symbol_defined') > 0
        )
        WHERE JSONExtractString(line, 'type') = 'symbol_defined' GROUP BY canonical
    )
)
"""  # noqa: S608  - the parts are constants of this file
_CLASS = f"transform(toString({{symbol}}), {_CLASS_OF}.1, {_CLASS_OF}.2, '')"

_COUNTRY = "ANY LEFT JOIN (SELECT client_id, country FROM clients FINAL) AS of_client USING client_id"
_GROUP = """
ANY LEFT JOIN (
    SELECT deal_key AS caused_by, `group` AS account_group FROM deals FINAL
    WHERE deal_key IN (SELECT caused_by FROM transfers WHERE {inside} AND account_key != '')
) AS of_deal USING caused_by
"""


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a group goes by: its expression over rows, over sums, and over one part of a deal's shape."""

    of_row: str
    of_sum: str = ""
    of_part: str = ""
    join: str = ""
    """What rows must be joined with, if they do not have it."""
    tables: tuple[str, ...] = ()
    """What is read beside transfers."""


_SYMBOL_OF_PART = "if(part[5] = '', symbol, part[5])"
DIMENSIONS: dict[GroupBy, Dimension] = {
    "ib": Dimension("ib_id", "s.ib_id", "part[1]"),
    "level": Dimension("toString(depth)"),
    "client": Dimension("client_id"),
    "country": Dimension("of_client.country", join=_COUNTRY, tables=("clients",)),
    "server": Dimension(SERVER, "s.server", "server"),
    "group": Dimension("of_deal.account_group", join=_GROUP, tables=("deals",)),
    "symbol": Dimension("symbol", "s.symbol", _SYMBOL_OF_PART),
    "class": Dimension(
        _CLASS.format(symbol="symbol"),
        _CLASS.format(symbol="s.symbol"),
        _CLASS.format(symbol=_SYMBOL_OF_PART),
        tables=("books",),
    ),
    "component": Dimension("component", "s.component", "part[2]"),
    "plan": Dimension("plan_id", "s.plan_id", "part[4]"),
    **{name: Dimension(when.of_row, "s.at", "at", tables=("periods",)) for name, when in TIMES.items()},
}
"""Clients trade about once a day, so that sums by them would be as many as rows: they, their countries, the
groups of their accounts and levels are read by rows."""


def have_sums(asked: Iterable[GroupBy]) -> bool:
    """Whether sums of days know all of these."""
    return all(DIMENSIONS[one].of_sum for one in asked)


def joins(asked: Iterable[GroupBy], inside: str) -> str:
    """What rows are joined with for these."""
    return " ".join(dict.fromkeys(DIMENSIONS[one].join for one in asked)).format(inside=inside).strip()


def tables_of(asked: Iterable[GroupBy]) -> tuple[str, ...]:
    """What a report by these reads beside transfers."""
    return tuple(table for one in asked for table in DIMENSIONS[one].tables)
