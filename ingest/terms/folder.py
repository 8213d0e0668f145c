"""A folder of YAML files → the terms as records, or every problem in them with its file and line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from pathlib import Path

from commission.terms.market import SymbolDefined
from commission.terms.records import TermsRecord
from ingest.terms.located import LocatedRecord, check_meaning
from ingest.terms.partners import read_partners
from ingest.terms.plans import BESIDE_PLANS, PLAN_FILE_KEYS, read_plans
from ingest.terms.rates import read_rates
from ingest.terms.servers import BrokerServer, read_broker
from ingest.terms.symbols import read_symbols
from ingest.terms.yaml_page import Page, Problem, open_page, read_top
from schemas.errors import Unusable

PROBLEMS_SHOWN = 100
"""Problems written into an exception's message; `problems` holds all of them."""
MAX_PLAN_FILES = 1_000

FILES = ("broker.yaml", "symbols.yaml", "plans.yaml", "partners.yaml", "rates.yaml")
PLANS_FOLDER = "plans"
OPTIONAL_FILES = ("plans.yaml", "rates.yaml")

LACKING = {
    "symbols.yaml": ("unknown_symbol", "uncovered_symbol"),
    "plans.yaml": ("unknown_plan",),
    "partners.yaml": ("unknown_parent",),
    "rates.yaml": ("no_rate_path",),
}
"""By file: findings that a record may cause that could not be read; that one is told, these are noise."""


class InvalidTerms(Unusable):
    """The folder cannot be used; `problems` is everything found, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:PROBLEMS_SHOWN]]
        if len(self.problems) > PROBLEMS_SHOWN:
            shown.append(f"and {len(self.problems) - PROBLEMS_SHOWN} more")
        super().__init__("\n".join(shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """What a terms folder says. `records` are in the order to publish them."""

    servers: dict[str, BrokerServer]
    records: tuple[TermsRecord, ...]
    zone: tzinfo = UTC
    """Of the calendar: dates and times without a zone of their own are read in it."""
    warnings: tuple[Problem, ...] = ()
    name: str = ""
    """The broker's, so that nothing of another's goes onto its log; "" in folders of before."""


def load_terms(folder: Path) -> Broker:
    """Read and check the folder; raise `InvalidTerms` with all errors, each with its file and line."""
    problems: list[Problem] = []
    pages = _open_pages(folder, problems)
    name, servers, zone, found = _read_pages(pages)
    warnings = _stray_files(folder)
    # With a file missing, every reference into it would be reported as well: noise, not findings.
    if not problems:
        taken = {place for _, page in pages for place in page.faulty}
        noise = {code for name, page in pages if page.problems for code in LACKING.get(name, ())}
        check_meaning(found, problems, warnings, taken, noise)
    problems += [problem for _, page in pages for problem in page.problems]
    if problems:
        raise InvalidTerms(sorted(set(problems), key=_by_file))
    records = tuple(r.record for r in found)
    return Broker(
        name=name,
        servers=_with_symbols(servers, records),
        records=records,
        zone=zone,
        warnings=tuple(warnings),
    )


def zone_beside(path: Path) -> tzinfo | None:
    """The zone of the terms folder that a file of plans lies in; None where no broker.yaml tells one."""
    parents = (path.parent, path.parent.parent) if path.parent.name == PLANS_FOLDER else (path.parent,)
    for folder in parents:
        if (folder / "broker.yaml").is_file() and (page := open_page(folder / "broker.yaml", [])) is not None:
            return read_broker(page)[2]
    return None


def _with_symbols(
    servers: dict[str, BrokerServer], records: Iterable[TermsRecord]
) -> dict[str, BrokerServer]:
    names: dict[str, set[str]] = {name: set() for name in servers}
    for record in records:
        if isinstance(record, SymbolDefined):
            names[record.server].add(record.symbol)
    return {name: replace(server, symbols=frozenset(names[name])) for name, server in servers.items()}


def _open_pages(folder: Path, problems: list[Problem]) -> list[tuple[str, Page]]:
    """The pages in the order of `FILES`, each with the name of the file whose part it is."""
    pages: list[tuple[str, Page]] = []
    for name in FILES:
        paths = [folder / name] if (folder / name).exists() or name not in OPTIONAL_FILES else []
        if name == "plans.yaml":
            plans = sorted((folder / PLANS_FOLDER).glob("*.yaml"))
            if len(plans) > MAX_PLAN_FILES:
                told = (
                    f"there are {len(plans):,} files of plans; the limit is {MAX_PLAN_FILES:,}, so join some"
                )
                problems.append(Problem(str(folder / PLANS_FOLDER), 1, told))
            paths += plans[:MAX_PLAN_FILES]
            paths = paths or [folder / name]
        pages += [(name, page) for path in paths if (page := open_page(path, problems))]
    return pages


def _read_pages(
    pages: list[tuple[str, Page]],
) -> tuple[str, dict[str, BrokerServer], tzinfo, list[LocatedRecord]]:
    """Everything the pages say, in the order to publish it: what is referred to comes first."""
    broker, servers = "", dict[str, BrokerServer]()
    found: list[LocatedRecord] = []
    zone: tzinfo = UTC
    for name, page in pages:
        page.zone = zone
        match name:
            case "broker.yaml":
                broker, servers, zone, found = read_broker(page)
            case "symbols.yaml":
                found += read_symbols(page, servers)
            case "plans.yaml":
                top = read_top(page, "plans.yaml", PLAN_FILE_KEYS, unlimited=BESIDE_PLANS)
                found += read_plans(page, top)
            case "partners.yaml":
                found += read_partners(page, read_top(page, name, ("partners",)))
            case _:
                found += read_rates(page, read_top(page, name, ("rates",)))
    return broker, servers, zone, found


def _by_file(problem: Problem) -> tuple[int, str, int, str]:
    path = Path(problem.file)
    name = "plans.yaml" if path.parent.name == PLANS_FOLDER else path.name
    return (FILES.index(name) if name in FILES else len(FILES), problem.file, problem.line, problem.text)


def _stray_files(folder: Path) -> list[Problem]:
    """A misspelt `rates.yml` would otherwise be left out in silence."""
    listed = folder.glob("*.y*ml") if folder.is_dir() else ()
    strays = [*(path for path in listed if path.name not in FILES), *(folder / PLANS_FOLDER).glob("*.yml")]
    told = f"this file is not read; the terms are {', '.join(FILES)} and {PLANS_FOLDER}/*.yaml"
    return [Problem(str(path), 1, told) for path in sorted(strays)]
