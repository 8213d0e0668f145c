"""A folder of YAML files → the terms as records, or every problem in them with its file and line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from ruamel.yaml.nodes import MappingNode

from commission.events import KycStatus
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE
from commission.terms.records import TermsRecord
from ingest.terms.located import _check_meaning, _Located
from ingest.terms.servers import Server, _read_broker
from ingest.terms.yaml_page import (
    DECIMAL_HINT,
    MAX_FILE_BYTES,
    MOMENT_HINT,
    Fields,
    Items,
    Page,
    Problem,
    Text,
    line_of,
    open_page,
    to_decimal,
    to_moment,
)
from ingest.terms.yaml_values import keys_of, read_value
from schemas.errors import Unusable

__all__ = [
    "MAX_FILE_BYTES",
    "BesidePlans",
    "Broker",
    "InvalidTerms",
    "PlanFile",
    "Problem",
    "Server",
    "load_plan_file",
    "load_terms",
]

R = TypeVar("R", SymbolDefined, PlanDefined, PartnerDefined, RatePublished)

PROBLEMS_SHOWN = 100
"""Problems written into an exception's message; `problems` holds all of them."""
MAX_PLAN_FILES = 1_000


FILES = ("broker.yaml", "symbols.yaml", "plans.yaml", "partners.yaml", "rates.yaml")
PLANS_FOLDER = "plans"
OPTIONAL_FILES = ("plans.yaml", "rates.yaml")
PLAN_FILE_KEYS = ("plans", "plan", "expect", "symbols", "partners", "rates", "title", "source")
BESIDE_PLANS = ("expect", "symbols", "partners", "rates", "title", "source")
"""What a file of plans may also hold, for `load_plan_file`; a terms folder leaves it unread."""
RATES_NEEDED, RATES_OPTIONAL = ("as_of", "rates"), ("source",)
DEMO_SERVER = "demo"
"""The server of the symbols in a self-contained file of plans."""

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

    servers: dict[str, Server]
    records: tuple[TermsRecord, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BesidePlans:
    """What a self-contained file of plans holds beside them: records, and what is expected of them."""

    title: str
    source: str
    symbols: tuple[SymbolDefined, ...]
    partners: tuple[PartnerDefined, ...]
    rates: tuple[RatePublished, ...]
    expect: Items
    """As written: texts, lists and mappings with their `line`; a mapping also tells `line_at(key)`."""


class PlanFile(NamedTuple):
    """A self-contained file of plans."""

    plans: tuple[PlanDefined, ...]
    rest: BesidePlans


def load_terms(folder: Path) -> Broker:
    """Read and check the folder; raise `InvalidTerms` with all errors, each with its file and line."""
    problems: list[Problem] = []
    pages = _open_pages(folder, problems)
    servers, found = _read_pages(pages)
    warnings = _stray_files(folder)
    # With a file missing, every reference into it would be reported as well: noise, not findings.
    if not problems:
        taken = {place for _, page in pages for place in page.faulty}
        noise = {code for name, page in pages if page.problems for code in LACKING.get(name, ())}
        _check_meaning(found, problems, warnings, taken, noise)
    problems += [problem for _, page in pages for problem in page.problems]
    if problems:
        raise InvalidTerms(sorted(set(problems), key=_by_file))
    records = tuple(r.record for r in found)
    return Broker(servers=_with_symbols(servers, records), records=records, warnings=tuple(warnings))


def load_plan_file(path: Path) -> PlanFile:
    """Read a file of plans with the symbols, partners and rates it names; raise `InvalidTerms`.

    Times are UTC, the server is `demo`. The meaning is checked as in a terms folder.
    """
    problems: list[Problem] = []
    page = open_page(path, problems)
    if page is None:
        raise InvalidTerms(problems)
    top = _read_top(page, "a file of plans", PLAN_FILE_KEYS, unlimited=("title", "source", "expect"))
    noise = {code for key in ("symbols", "partners") if key not in top for code in LACKING[f"{key}.yaml"]}
    symbols = [] if "symbols" not in top else _read_symbols_of(page, DEMO_SERVER, top, "symbols")
    found = [*symbols, *_read_plans(page, top), *_read_partners(page, top), *_read_rates(page, top)]
    rest = BesidePlans(
        title=str(top.get("title", "")),
        source=str(top.get("source", "")),
        symbols=_records(found, SymbolDefined),
        partners=_records(found, PartnerDefined),
        rates=_records(found, RatePublished),
        expect=Items(top.line_at("expect"), page.items(top, "expect")),
    )
    _check_meaning(found, problems, [], page.faulty, noise)
    if problems := [*page.problems, *problems]:
        raise InvalidTerms(sorted(set(problems), key=_by_file))
    return PlanFile(_records(found, PlanDefined), rest)


def _records(found: Iterable["_Located"], kind: type[R]) -> tuple[R, ...]:
    return tuple(located.record for located in found if isinstance(located.record, kind))


def _with_symbols(servers: dict[str, Server], records: Iterable[TermsRecord]) -> dict[str, Server]:
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
            paths += sorted((folder / PLANS_FOLDER).glob("*.yaml"))[:MAX_PLAN_FILES]
            paths = paths or [folder / name]
        pages += [(name, page) for path in paths if (page := open_page(path, problems))]
    return pages


def _read_pages(pages: list[tuple[str, Page]]) -> tuple[dict[str, Server], list["_Located"]]:
    """Everything the pages say, in the order to publish it: what is referred to comes first."""
    servers: dict[str, Server] = {}
    found: list[_Located] = []
    zone: tzinfo = UTC
    for name, page in pages:
        page.zone = zone
        match name:
            case "broker.yaml":
                servers, zone, found = _read_broker(page)
            case "symbols.yaml":
                found += _read_symbols(page, servers)
            case "plans.yaml":
                top = _read_top(page, "plans.yaml", PLAN_FILE_KEYS, unlimited=BESIDE_PLANS)
                found += _read_plans(page, top)
            case "partners.yaml":
                found += _read_partners(page, _read_top(page, name, ("partners",)))
            case _:
                found += _read_rates(page, _read_top(page, name, ("rates",)))
    return servers, found


def _read_top(page: Page, what: str, keys: Sequence[str], *, unlimited: Sequence[str] = ()) -> Fields:
    """The mapping a file is; its one key must be there where it has but one."""
    top = page.top(what, unlimited=unlimited)
    if top or isinstance(page.root, MappingNode):
        page.mapping(top, what, required=keys if len(keys) == 1 else (), optional=keys)
    return top


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


# From meaning back to place


# broker.yaml


# The calendar


# Symbols, plans, partners


def _read_symbols(page: Page, servers: dict[str, Server]) -> list[_Located]:
    top = _read_top(page, "symbols.yaml", ("symbols",))
    if "symbols" not in top:
        return []
    by_server = page.mapping(top["symbols"], "symbols", line=top.line_at("symbols"), optional=None)
    found: list[_Located] = []
    for server in by_server:
        # Without any server broker.yaml itself is at fault, and says so.
        if servers and server not in servers:
            told = f"the server {server} is not in broker.yaml; add it there or correct the name"
            page.fail(by_server.line_at(server), told)
        found += _read_symbols_of(page, server, by_server, server)
    return found


def _read_symbols_of(page: Page, server: str, fields: Fields, key: str) -> list[_Located]:
    listed = page.mapping(fields[key], f"symbols of {server}", line=fields.line_at(key), optional=None)
    read = [_read_symbol(page, server, symbol, listed[symbol], listed.line_at(symbol)) for symbol in listed]
    return [located for located in read if located is not None]


SYMBOL_NEEDED = ("class", "contract_size", "pip", "profit")
SYMBOL_OPTIONAL = tuple(
    key for key in keys_of(SymbolDefined) if key not in (*SYMBOL_NEEDED, "server", "symbol")
)


def _read_symbol(page: Page, server: str, symbol: str, data: Any, line: int) -> _Located | None:
    before = len(page.problems)
    keys = page.mapping(data, symbol, line=line, required=SYMBOL_NEEDED, optional=SYMBOL_OPTIONAL)
    if any(key not in keys for key in SYMBOL_NEEDED) and len(page.problems) > before:
        return None
    for key, text in (("server", server), ("symbol", symbol), ("canonical", symbol)):
        if key not in keys:
            keys.put(key, Text.at(keys.line, text), keys.line)
    if "standard_contract_size" not in keys:
        keys.put("standard_contract_size", keys["contract_size"], keys.line_at("contract_size"))
    return _read_record(page, SymbolDefined, keys, symbol, line)


def _read_plans(page: Page, top: Fields) -> list[_Located]:
    if ("plan" in top) == ("plans" in top):
        page.fail(top.line, f"{Path(page.file).name} needs the key plans, a list, or the key plan, a mapping")
    entries = [(top["plan"], top.line_at("plan"))] if "plan" in top else []
    entries += [(item, line_of(item, top.line_at("plans"))) for item in page.items(top, "plans")]
    return _read_records(page, PlanDefined, entries, "a plan")


def _read_partners(page: Page, top: Fields) -> list[_Located]:
    entries = [(item, line_of(item, top.line_at("partners"))) for item in page.items(top, "partners")]
    for item, _ in entries:
        if isinstance(item, Fields):
            _open_partner(page, item)
    return _read_records(page, PartnerDefined, entries, "a partner")


def _open_partner(page: Page, keys: Fields) -> None:
    """Words for flags, and `rank: gold` for the rank of every entry of `plan`."""
    what = str(keys.get("id", "a partner"))
    for key, options, word in (
        ("kyc", get_args(KycStatus), "approved"),
        ("agreement", ("pending", "accepted"), "accepted"),
    ):
        if key in keys:
            told = page.choice(keys, key, what, options, options[0])
            keys[key] = Text.at(keys.line_at(key), "true" if told == word else "false")
    if "rank" not in keys:
        return
    line, rank = keys.key_lines["rank"], keys.pop("rank")
    if isinstance(plan := keys.get("plan"), Text):
        entry = Fields(plan.line)
        entry.put("plan", plan, plan.line)
        keys["plan"] = Items(plan.line, [entry])
    if not isinstance(keys.get("plan"), Items):
        page.fail(line, f"{what} has a rank but no plan; a rank belongs to a plan")
        return
    for entry in keys["plan"]:
        if isinstance(entry, Fields) and "rank" not in entry:
            entry.put("rank", rank, line)


def _read_records(
    page: Page, kind: type[PlanDefined | PartnerDefined], entries: Iterable[tuple[Any, int]], what: str
) -> list[_Located]:
    read = [
        _read_record(page, kind, item, str(item.get("id", what)) if isinstance(item, Fields) else what, line)
        for item, line in entries
    ]
    return [located for located in read if located is not None]


def _read_record(
    page: Page,
    kind: type[PlanDefined | PartnerDefined | SymbolDefined],
    data: Any,
    label: str,
    line: int,
) -> _Located | None:
    record, shaped = read_value(page, kind, data, label, line)
    return _Located(record, page.file, shaped) if record is not None else None


# Rates of exchange


def _read_rates(page: Page, top: Fields) -> list[_Located]:
    found: list[_Located] = []
    for item in page.items(top, "rates"):
        line = line_of(item, top.line_at("rates"))
        keys = page.mapping(
            item, "an entry of rates", line=line, required=RATES_NEEDED, optional=RATES_OPTIONAL
        )
        as_of = page.parsed(
            keys, "as_of", "rates", lambda text: to_moment(text, page.zone), MOMENT_HINT, None
        )
        source = page.parsed(keys, "source", "rates", str, "", "")
        if "rates" in keys:
            pairs = page.mapping(keys["rates"], "rates", line=keys.line_at("rates"), optional=None)
            found += _read_pairs(page, pairs, as_of, source)
    return found


def _read_pairs(page: Page, pairs: Fields, as_of: datetime | None, source: str) -> Iterator[_Located]:
    for pair in pairs:
        base, slash, quote = pair.partition("/")
        if not slash:
            page.fail(pairs.line_at(pair), f"{pair} names no two currencies; write EUR/USD")
        elif as_of is not None:
            rate = page.parsed(pairs, pair, "rates", to_decimal, DECIMAL_HINT, ONE)
            record = RatePublished(base=base, quote=quote, rate=rate, as_of=as_of, source=source)
            yield _Located(record, page.file, Fields(pairs.line_at(pair)))
