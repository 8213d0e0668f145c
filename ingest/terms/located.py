"""Records of terms with the lines they were read from, and the problems of their meaning at those lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from commission.terms.checks.check import check_terms
from commission.terms.checks.published import Subject, TermsProblem, named
from commission.terms.market import SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord
from ingest.terms.yaml_page import Fields, Page, Place, Problem
from ingest.terms.yaml_values import line_at, read_value
from schemas.wire import MAX_RECORD_BYTES, encode


@dataclass(frozen=True, slots=True)
class LocatedRecord:
    """A record and where it was read; `data` has the names of the record's fields."""

    record: TermsRecord
    file: str
    data: Fields

    def place(self, path: Subject) -> Place:
        """The place of a part of the record; `()` is the record."""
        return (self.file, line_at(self.data, path))


def read_records(
    page: Page, kind: type[PlanDefined | PartnerDefined], entries: Iterable[tuple[Any, int]], what: str
) -> list[LocatedRecord]:
    """Those of the entries that can be read, each with its line."""
    read = [
        read_record(page, kind, item, str(item.get("id", what)) if isinstance(item, Fields) else what, line)
        for item, line in entries
    ]
    return [located for located in read if located is not None]


def read_record(
    page: Page,
    kind: type[PlanDefined | PartnerDefined | SymbolDefined],
    data: Any,
    label: str,
    line: int,
) -> LocatedRecord | None:
    """The record of one entry; None, and the problem, if it is none."""
    record, shaped = read_value(page, kind, data, label, line)
    return LocatedRecord(record, page.file, shaped) if record is not None else None


def check_meaning(
    found: Sequence[LocatedRecord],
    problems: list[Problem],
    warnings: list[Problem],
    taken: set[Place],
    noise: set[str],
) -> None:
    """Check the records together; errors go to `problems`, the rest (warnings, traps, notes) to `warnings`.

    What lies at a place in `taken` or has a code in `noise` only follows from a problem already found.
    """
    by_subject: dict[Subject, LocatedRecord] = {}
    for (subject, record), located in zip(named(r.record for r in found), found, strict=True):
        by_subject[subject] = located
        if (size := len(encode([record])[0])) > MAX_RECORD_BYTES:
            text = f"this has {size} bytes as a record; the limit is {MAX_RECORD_BYTES}, so split it"
            problems.append(Problem(*located.place(()), text))
    for problem in check_terms(r.record for r in found):
        place = _place_of(problem, by_subject)
        # A value that could not be read was replaced by a harmless one; what that leads to is no finding.
        if place not in taken and problem.code not in noise:
            told = Problem(*place, problem.text, problem.severity, problem.code, problem.plans)
            (problems if problem.severity == "error" else warnings).append(told)


def _place_of(problem: TermsProblem, by_subject: dict[Subject, LocatedRecord]) -> Place:
    for length in range(len(problem.subject), 0, -1):
        if (located := by_subject.get(problem.subject[:length])) is not None:
            return located.place(problem.subject[length:])
    raise AssertionError(f"{problem.subject} has no place")
