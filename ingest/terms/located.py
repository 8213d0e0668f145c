"""Problems of terms with the line they are on."""

from collections.abc import Sequence
from dataclasses import dataclass

from commission.terms.checks import Subject, TermsProblem, check_terms, named
from commission.terms.records import TermsRecord
from ingest.terms.yaml_page import Fields, Place, Problem
from ingest.terms.yaml_values import line_at
from schemas.wire import MAX_RECORD_BYTES, encode


@dataclass(frozen=True, slots=True)
class _Located:
    """A record and where it was read; `data` has the names of the record's fields."""

    record: TermsRecord
    file: str
    data: Fields

    def place(self, path: Subject) -> Place:
        """The place of a part of the record; `()` is the record."""
        return (self.file, line_at(self.data, path))


def _check_meaning(
    found: Sequence[_Located],
    problems: list[Problem],
    warnings: list[Problem],
    taken: set[Place],
    noise: set[str],
) -> None:
    by_subject: dict[Subject, _Located] = {}
    for (subject, record), located in zip(named(r.record for r in found), found, strict=True):
        by_subject[subject] = located
        if (size := len(encode([record])[0])) > MAX_RECORD_BYTES:
            text = f"this has {size} bytes as a record; the limit is {MAX_RECORD_BYTES}, so split it"
            problems.append(Problem(*located.place(()), text))
    for problem in check_terms(r.record for r in found):
        place = _place_of(problem, by_subject)
        # A value that could not be read was replaced by a harmless one; what that leads to is no finding.
        if place not in taken and problem.code not in noise:
            (problems if problem.severity == "error" else warnings).append(Problem(*place, problem.text))


def _place_of(problem: TermsProblem, by_subject: dict[Subject, _Located]) -> Place:
    for length in range(len(problem.subject), 0, -1):
        if (located := by_subject.get(problem.subject[:length])) is not None:
            return located.place(problem.subject[length:])
    raise AssertionError(f"{problem.subject} has no place")
