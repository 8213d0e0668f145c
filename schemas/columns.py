"""Tables with a column for every field of a record: the columns' names, and their rows as records again."""

from collections.abc import Mapping
from typing import Any

from commission.outputs import Milestone, Statement, Transfer
from commission.value import TaggedValue


def columns_of(record: type[TaggedValue]) -> tuple[str, ...]:
    """The columns of a record's table, in the order of its fields; its type is the table."""
    return record.__struct_fields__


LOCAL = "_local"
"""How the name of a table ends that holds one shard's rows of the table before it."""
TRANSFER_COLUMNS = columns_of(Transfer)
STATEMENT_COLUMNS = columns_of(Statement)
MILESTONE_COLUMNS = columns_of(Milestone)


def to_transfer(row: Mapping[str, Any]) -> Transfer:
    """The transfer a row holds; columns that were not asked for have their defaults, others are left out."""
    values = {name: row[name] for name in TRANSFER_COLUMNS if name in row}
    if "path" in values:
        values["path"] = tuple(values["path"])
    return Transfer(**values)
