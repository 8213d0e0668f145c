"""The tables of sums of days, each with the SQL that makes it of rows, as reports do without sums."""

from dataclasses import dataclass

from api.queries.day_rows import ACCOUNTS, DEALS, MEASURES, REFUSALS, ROWS, STANDING, SUM_KEYS, SUMS
from api.queries.money import first_of, taken_back
from api.queries.periods import DAY, OF_DAYS
from api.queries.stretches import IN_STRETCH, IS_BELOW, IS_BELOW_NEXT, anew, rows_above

SETTINGS: dict[str, int] = {
    "async_insert": 0,
    "do_not_merge_across_partitions_select_final": 1,
    "max_threads": 1,
    "priority": 2,
    "low_priority_query_wait_time_ms": 2,
    "max_bytes_before_external_group_by": 1 << 30,
    "max_partitions_per_insert_block": 0,
}
"""One thread, which rests while a report is asked for (`low_priority_query_wait_time_ms`); bounded memory."""


@dataclass(frozen=True, slots=True)
class SumsTable:
    """One table: its columns beside day and build, and the query that makes them of rows."""

    name: str
    keys: tuple[str, ...]
    measures: tuple[str, ...]
    of_rows: str

    @property
    def columns(self) -> str:
        """Without day and build."""
        return ", ".join((*self.keys, *self.measures))

    def made(self) -> str:
        """The query over the rows of `days`."""
        return self._made(OF_DAYS, taken_back(OF_DAYS))

    def made_below(self) -> str:
        """The query over those rows of `days` that are below some offsets, as they were then."""
        return self._made(
            f"{OF_DAYS} AND {IS_BELOW}", taken_back(OF_DAYS, IS_BELOW), f"{ROWS} PREWHERE {IS_BELOW}"
        )

    def made_since(self) -> str:
        """What the rows between a stretch and the next one add to its days, and what they change."""
        if self.of_rows is DEALS:
            deals = anew(IS_BELOW_NEXT)
            return DEALS.format(
                when=DAY, read=deals.rows, rows=IN_STRETCH, sign=deals.sign, standing=deals.standing
            )
        return self._made("1", "", rows_above(until=IS_BELOW_NEXT))

    def _made(self, rows: str, gone: str, read: str = ROWS) -> str:
        return self.of_rows.format(
            when=DAY,
            rows=rows,
            read=read,
            sign="1",
            standing=STANDING.format(taken_back=gone),
            days="{days:Array(Date32)}",
            first=first_of(OF_DAYS),
        )


TABLES = (
    SumsTable("day_sums", tuple(SUM_KEYS.split(", ")), MEASURES, SUMS),
    SumsTable("day_deals", ("server", "symbol", "shape"), ("deals", "lots"), DEALS),
    SumsTable("day_accounts", ("account", "currency"), ("debit", "credit"), ACCOUNTS),
    SumsTable("day_refusals", ("status", "code"), ("deals",), REFUSALS),
)
STRETCHED = TABLES[:3]
"""Those that a stretch of a day has: what is refused depends on all of the day's rows."""
