"""The golden cases of a file of plans: what happens in them and what is expected, read and checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from commission.terms.checks.published import meant
from commission.terms.records import TermsRecord
from infra.plans.case_lines import Case, ClientLine, DealLine, EventLine
from infra.plans.case_names import check_names
from ingest.terms.folder import Broker, InvalidTerms, zone_beside
from ingest.terms.hints import number_hint
from ingest.terms.plan_file import load_plan_file
from ingest.terms.yaml_page import Fields, Items, Problem, line_of

KEYS = frozenset(key for model in (DealLine, EventLine, ClientLine, Case) for key in model.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCases:
    """A file of plans with the terms its cases run on."""

    path: Path
    title: str
    source: str
    own: tuple[TermsRecord, ...]
    """What the file itself says."""
    terms: tuple[TermsRecord, ...]
    cases: tuple[Case, ...]
    lines: tuple[int, ...]
    """Where each case begins."""
    warnings: tuple[Problem, ...]
    """What is doubtful in the file by itself; none where a folder of terms tells it."""
    has_zone: bool
    """A broker.yaml tells in which zone its dates are; else they are UTC."""


def load_cases(path: Path, broker: Broker | None = None) -> PlanCases:
    """Read a file of plans; raise `InvalidTerms` with every problem of its terms or its cases.

    A file that names no partners of its own runs on the records of the folder of terms it lies in, which is
    `broker`. Dates and months of the file are of the zone of that folder, or of a broker.yaml beside it.
    """
    folder = broker.records if broker is not None else ()
    told = broker.zone if broker is not None else zone_beside(path)
    zone = told or UTC
    plans, rest, warnings = load_plan_file(path, zone)
    own: tuple[TermsRecord, ...] = (*rest.symbols, *plans, *rest.partners, *rest.rates)
    terms: tuple[TermsRecord, ...] = (
        own if rest.partners else (*folder, *(record for record in own if record not in folder))
    )
    problems: list[Problem] = []
    read = [(_read_case(path, item, rest.expect, problems, zone), item) for item in rest.expect]
    known = [(case, item) for case, item in read if case is not None]
    problems += check_names(path, known, terms)
    if problems:
        raise InvalidTerms(sorted(problems, key=lambda problem: problem.line))
    return PlanCases(
        path=path,
        title=rest.title,
        source=rest.source,
        own=own,
        terms=terms,
        cases=tuple(case for case, _ in known),
        lines=tuple(item.line for _, item in known),
        warnings=() if broker is not None else warnings,
        has_zone=told is not None,
    )


def _read_case(path: Path, item: Any, listed: Items, problems: list[Problem], zone: tzinfo) -> Case | None:
    try:
        case = Case.model_validate(item, context={"zone": zone})
        return case if "zone" in case.model_fields_set else case.model_copy(update={"zone": str(zone)})
    except ValidationError as error:
        for found in error.errors(include_url=False):
            line, where = _place(item, found["loc"], listed.line)
            text = _told(found)
            problems.append(Problem(str(path), line, f"{where}: {text}" if where else text))
    return None


def _told(found: Any) -> str:
    """An error of pydantic in the words of this file."""
    last = str(found["loc"][-1]) if found["loc"] else ""
    match found["type"]:
        case "extra_forbidden":
            return f"there is no such key; {meant(last, KEYS)}look in examples/plans/README.md"
        case "missing":
            return "this key is needed" + ("; write {} where nobody is paid" if last == "pays" else "")
        case "literal_error":
            options = found["ctx"]["expected"].replace("'", "")
            return f"{str(found['input'])!r} is unknown; write {options}"
        case "decimal_parsing" | "decimal_type":
            hint = number_hint(str(found["input"])) or "write a plain number such as 1.5"
            return f"{str(found['input'])!r} is not a number; {hint}"
    return str(found["msg"]).removeprefix("Value error, ")


def _place(item: Any, loc: Iterable[Any], line: int) -> tuple[int, str]:
    """The line of what an error is about, and its name."""
    line, data, names = line_of(item, line), item, []
    for step in loc:
        if isinstance(data, Fields):
            line, data = data.line_at(str(step)), data.get(str(step))
        elif isinstance(data, Items) and isinstance(step, int) and step < len(data):
            data = data[step]
            line = line_of(data, line)
        elif step == "[key]":
            continue
        names.append(str(step + 1) if isinstance(step, int) else str(step))
    return line, "/".join(names)
