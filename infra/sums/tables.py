"""The tables of sums of days, each with the SQL that makes it of rows, as reports do without sums."""

from dataclasses import dataclass

from api.queries.day_rows import ACCOUNTS, DEALS, MEASURES, REFUSALS, STANDING, SUM_KEYS, SUMS
from api.queries.money import TAKEN_BACK
from api.queries.periods import DAY
from api.queries.stretches import IS_BELOW, TAKEN_BACK_BELOW

SETTINGS: dict[str, int] = {
    "async_insert": 0,
    "do_not_merge_across_partitions_select_final": 1,
    "max_threads": 1,
    "max_bytes_before_external_group_by": 1 << 30,
    "max_partitions_per_insert_block": 0,
}
"""One thread, for reports come first; bounded memory."""
OF_DAYS = f"{DAY} IN {{days:Array(Date32)}}"


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
        return self._made(OF_DAYS, TAKEN_BACK)

    def made_below(self) -> str:
        """The query over those rows of `days` that are below some offsets, as they were then."""
        return self._made(f"{OF_DAYS} AND {IS_BELOW}", TAKEN_BACK_BELOW, f"PREWHERE {IS_BELOW}")

    def _made(self, rows: str, taken_back: str, only: str = "") -> str:
        return self.of_rows.format(
            when=DAY,
            rows=rows,
            only=only,
            sign="1",
            standing=STANDING.format(taken_back=taken_back),
            days="{days:Array(Date32)}",
        )


TABLES = (
    SumsTable("day_sums", tuple(SUM_KEYS.split(", ")), MEASURES, SUMS),
    SumsTable("day_deals", ("server", "symbol", "shape"), ("deals", "lots"), DEALS),
    SumsTable("day_accounts", ("account", "currency"), ("debit", "credit"), ACCOUNTS),
    SumsTable("day_refusals", ("status", "code"), ("deals",), REFUSALS),
)
STRETCHED = TABLES[:3]
"""Those that a stretch of a day has: what is refused depends on all of the day's rows."""
