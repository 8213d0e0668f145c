"""The log of payouts in a test: records written one after another.

A batch of September: north 12.34, south 9.00, and west, left out from the beginning.
"""

from collections.abc import Sequence
from typing import Any

from commission.payouts.batch import Batch
from commission.payouts.batch_commands import commands as commands_of
from commission.payouts.log import Payouts
from commission.payouts.records import (
    BatchApproved,
    BatchCreated,
    BatchExported,
    BatchSubmitted,
    ChangeDecided,
    ChangeRequested,
    Line,
    LineResult,
    PayoutRecord,
    PayoutsHeld,
    ResultsImported,
    StatementsWithheld,
)
from tests.build import D, at


def line(ib_id: str, amount: str, *statement_ids: str, excluded: str = "") -> Line:
    """A line by the name of its IB."""
    names = statement_ids or (f"st-{ib_id}",)
    return Line(
        line_id=ib_id, ib_id=ib_id, name=ib_id, amount=D(amount), statement_ids=names, excluded=excluded
    )


LINES = (line("north", "12.34"), line("south", "9"), line("west", "2", excluded="the IB's KYC is open"))


class Log:
    """Records written one after another, each where its maker expects it."""

    def __init__(self) -> None:
        self.known, self.place = Payouts(), 0

    def says(self, kind: type, /, by: str = "ann", **fields: Any) -> str:
        """Write a record; why it does not count, "" if it does."""
        values: dict[str, Any] = {"place": self.place, "by": by, "at": at(40, self.place)}
        if kind not in (StatementsWithheld, ChangeRequested, ChangeDecided, PayoutsHeld):
            values["batch_id"] = "b1"
        record: PayoutRecord = kind(**(values | fields))
        why = self.known.why_not(record)
        assert self.known.add(record, self.place) is (not why)
        self.place += 1
        return why

    def create(self, lines: Sequence[Line] = LINES, **fields: Any) -> str:
        """A batch."""
        told = {"period": "2026-09", "currency": "USD", "minimum": D(0), "lines": tuple(lines)}
        return self.says(BatchCreated, **(told | fields))

    def result(self, *told: str, **fields: Any) -> str:
        """`result("north settled", "south rejected")`."""
        results = tuple(
            LineResult(line_id=one.split()[0], outcome=one.split()[1], reason="AC04")  # type: ignore[arg-type]
            for one in told
        )
        return self.says(ResultsImported, by="cat", source="camt", results=results, **fields)

    @property
    def batch(self) -> Batch:
        """The batch."""
        return self.known.batches["b1"]

    @property
    def commands(self) -> list[str]:
        """What the books are commanded: `lock_line north`."""
        return [f"{one.type} {one.line_id}" for one in commands_of(self.batch)]


def exported() -> Log:
    """Made by ann, approved by ben, and given out."""
    log = Log()
    assert [log.create(), log.says(BatchSubmitted), log.says(BatchApproved, by="ben")] == ["", "", ""]
    assert log.says(BatchExported, format="csv", sha256="x") == ""
    return log
