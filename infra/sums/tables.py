"""The tables of sums of days, each with the SQL that makes it of rows, as reports do without sums."""

from dataclasses import dataclass

from api.queries.day_rows import ACCOUNTS, DEALS, MEASURES, REFUSALS, SUM_KEYS, SUMS
from api.queries.money import TAKEN_BACK
from api.queries.periods import DAY

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
        return self.of_rows.format(when=DAY, rows=OF_DAYS, taken_back=TAKEN_BACK)


TABLES = (
    SumsTable("day_sums", tuple(SUM_KEYS.split(", ")), MEASURES, SUMS),
    SumsTable("day_deals", ("server", "symbol", "shape"), ("deals", "lots"), DEALS),
    SumsTable("day_accounts", ("account", "currency"), ("debit", "credit"), ACCOUNTS),
    SumsTable("day_refusals", ("status", "code"), ("deals",), REFUSALS),
)
