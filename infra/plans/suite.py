"""`ibflow plans`: find files of plans, lint them, run their golden cases, publish a folder of terms."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from commission.terms.plans import PlanDefined
from infra.connect.broker_name import broker_of_log, check_broker
from infra.connect.settings import prepared_kafka
from infra.plans.cases import PlanCases, load_cases
from infra.plans.run import CaseResult, run_file
from infra.plans.traps import edges_missed, refuse_traps, without_shown
from infra.terminal import new_table
from ingest.publish.publisher import publish_terms
from ingest.terms.folder import Broker, InvalidTerms, load_terms
from ingest.terms.yaml_page import Problem
from schemas.errors import Unusable
from schemas.settings import Settings

MAX_FILES = 2_000
BAR_FROM = 20
"""Cases from which on a progress bar is worth its lines."""
MARKER = "broker.yaml"
"""A folder with this file is a folder of terms; any other is a folder of files of plans."""
PLAN_PAGES = ("plans.yaml", "plans/*.yaml")


class NoPlans(Unusable):
    """There is nothing to work on; the message says what to give."""


class NotPublishable(Unusable):
    """The plans have failing cases, so nothing was published."""


@dataclass(frozen=True, slots=True)
class Lint:
    """What was read and what is wrong with it."""

    files: int
    plans: int
    cases: int
    problems: tuple[Problem, ...]
    traps: tuple[Problem, ...]
    """What pays more than is usually meant and nobody accepted; it is not published."""
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""

        def told(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
            return [{"file": p.file, "line": p.line, "code": p.code, "text": p.text} for p in problems]

        return {
            "files": self.files,
            "plans": self.plans,
            "cases": self.cases,
            "problems": told(self.problems),
            "traps": told(self.traps),
            "warnings": told(self.warnings),
            "notes": told(self.notes),
        }


def is_terms_folder(path: Path) -> bool:
    """Whether the folder holds a broker's terms, not files of plans that stand by themselves."""
    return path.is_dir() and (path / MARKER).is_file()


def lint(paths: Sequence[Path]) -> Lint:
    """Read everything under `paths`; collect every problem with its file and line."""
    problems: list[Problem] = []
    found: list[Problem] = []
    read: list[PlanCases] = []
    files = 0
    for path, broker in _sources(paths, problems, found):
        files += 1
        try:
            read.append(load_cases(path, broker))
        except InvalidTerms as error:
            problems.extend(error.problems)
    if not files and not problems:
        raise NoPlans(_nothing(paths))
    for file in read:
        found += (*file.warnings, *edges_missed(file))
    # A folder of terms and each of its pages tell the same problem.
    found = without_shown(dict.fromkeys(found), read)
    traps, warnings, notes = (
        tuple(problem for problem in found if problem.severity == severity)
        for severity in ("trap", "warning", "note")
    )
    plans = sum(isinstance(record, PlanDefined) for file in read for record in file.own)
    cases = sum(len(file.cases) for file in read)
    return Lint(files, plans, cases, tuple(dict.fromkeys(problems)), traps, warnings, notes)


def read_cases(paths: Sequence[Path]) -> list[PlanCases]:
    """Every file with golden cases under `paths`; raise `InvalidTerms` with all problems."""
    problems: list[Problem] = []
    read: list[PlanCases] = []
    for path, broker in _sources(paths, problems, []):
        try:
            read.append(load_cases(path, broker))
        except InvalidTerms as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidTerms(tuple(dict.fromkeys(problems)))
    return [file for file in read if file.cases]


def run_cases(files: Sequence[PlanCases], on_case: Callable[[CaseResult], None]) -> list[CaseResult]:
    """Run every case of every file; `on_case` hears of each."""
    results: list[CaseResult] = []
    for file in files:
        for result in run_file(file):
            on_case(result)
            results.append(result)
    return results


@contextmanager
def progress_bar(count: int, console: Console) -> Iterator[Callable[[CaseResult], None]]:
    """What to call after each case: it moves a bar if there are many cases."""
    if count < BAR_FROM:
        yield lambda _: None
        return
    columns = (TextColumn("cases"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=count)
        yield lambda _: bar.advance(task)


def no_cases(paths: Sequence[Path]) -> NoPlans:
    """What to say where files have plans and no cases."""
    where = ", ".join(str(path) for path in paths)
    return NoPlans(
        f"{where}: no file has `expect`, so there is nothing to test; see examples/plans/README.md"
    )


def results_table(results: Sequence[CaseResult]) -> Table:
    """One row a file: how many cases it has, and how many failed."""
    table = new_table("golden cases")
    table.add_column("file", overflow="fold")
    table.add_column("cases", justify="right")
    table.add_column("result", no_wrap=True)
    by_file: dict[Path, list[CaseResult]] = {}
    for result in results:
        by_file.setdefault(result.file.path, []).append(result)
    for path, found in by_file.items():
        failed = sum(not result.passed for result in found)
        told = f"[red]{failed} failed[/]" if failed else "[green]passed[/]"
        table.add_row(path.name, str(len(found)), told)
    return table


def failure_lines(results: Sequence[CaseResult]) -> Iterator[str]:
    """Every failing case with file and line, what was expected, what came, and what made it."""
    for result in results:
        if not result.passed:
            yield f"{result.file.path}:{result.line}: {result.case.case}"
            for mismatch in result.mismatches:
                yield from (f"  {line}" for line in str(mismatch).splitlines())


def results_json(results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    """Every case as plain data."""
    return [
        {
            "file": str(result.file.path),
            "line": result.line,
            "case": result.case.case,
            "passed": result.passed,
            "mismatches": [
                {"of": m.of, "expected": m.expected, "got": m.got, "made_by": list(m.made_by)}
                for m in result.mismatches
            ],
        }
        for result in results
    ]


def publish(folder: Path, settings: Settings, to_name: Callable[[str], None]) -> tuple[int, int]:
    """Lint and test the folder, then publish its terms; how many cases passed, how many records went.

    Nothing is published unless everything passed and every trap is accepted by its name: a plan in the
    books counts from its `since` on. `to_name` is asked before terms that have no broker's name get one.
    """
    if not is_terms_folder(folder):
        told = f"{folder} has no {MARKER}; publish a folder of terms, such as examples/broker/terms"
        raise NoPlans(told)
    broker = load_terms(folder)
    files = read_cases([folder])
    results = run_cases(files, lambda _: None)
    if failures := list(failure_lines(results)):
        told = "nothing was published; correct the plans or what is expected of them, then publish again"
        raise NotPublishable("\n".join((*failures, told)))
    refuse_traps(broker.warnings, files)
    kafka = prepared_kafka(settings)
    if broker.name and broker_of_log(kafka) == "":
        to_name(broker.name)
    else:
        check_broker(kafka, broker.name)
    publish_terms(broker.records, kafka, broker.name)
    return len(results), len(broker.records)


def published_line(passed: int, published: int) -> str:
    """What `publish` says at its end."""
    tested = f"golden cases passed: {passed}" if passed else "its plans have no golden cases (`expect:`)"
    return f"published {published:,} records; {tested}"


def _sources(
    paths: Sequence[Path], problems: list[Problem], warnings: list[Problem]
) -> Iterator[tuple[Path, Broker | None]]:
    """Every file of plans, with the folder of terms it lies in, if it does."""
    for path in paths:
        if is_terms_folder(path):
            try:
                broker = load_terms(path)
            except InvalidTerms as error:
                problems.extend(error.problems)
                continue
            warnings.extend(broker.warnings)
            pages = [page for pattern in PLAN_PAGES for page in sorted(path.glob(pattern))]
            yield from ((page, broker) for page in pages)
        elif path.is_dir():
            yield from ((page, None) for page in sorted(path.rglob("*.yaml"))[:MAX_FILES])
        else:
            yield path, None


def _nothing(paths: Sequence[Path]) -> str:
    where = ", ".join(str(path) for path in paths)
    return f"{where}: no *.yaml with plans; give files, a folder of them, or a folder of terms with {MARKER}"
