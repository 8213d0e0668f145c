"""A folder of YAML files → the terms as records, or every problem in them with its file and line."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args
from zoneinfo import ZoneInfo

from ruamel.yaml.nodes import MappingNode

from commission.events import KycStatus, Platform
from commission.terms.calendar import PeriodDefined
from commission.terms.checks import CURRENCY, Subject, TermsProblem, check_terms, named
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE
from commission.terms.records import TermsRecord
from ingest.server_time import EXAMPLES, parse_rule
from ingest.sources import MarginMode, check_server
from ingest.terms.feeds import Feed, read_feed
from ingest.terms.yaml_page import (
    DECIMAL_HINT,
    MAX_FILE_BYTES,
    MOMENT_HINT,
    Fields,
    Items,
    Page,
    Place,
    Problem,
    Text,
    line_of,
    open_page,
    to_decimal,
    to_moment,
)
from ingest.terms.yaml_values import keys_of, line_at, read_value
from schemas.errors import Unusable
from schemas.wire import MAX_RECORD_BYTES, encode

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

MAX_PERIODS = {"day": 3_660, "week": 1_200, "month": 1_200}
"""Ten years of days, a hundred of months."""

FILES = ("broker.yaml", "symbols.yaml", "plans.yaml", "partners.yaml", "rates.yaml")
PLANS_FOLDER = "plans"
OPTIONAL_FILES = ("plans.yaml", "rates.yaml")
PLAN_FILE_KEYS = ("plans", "plan", "expect", "symbols", "partners", "rates", "title", "source")
BESIDE_PLANS = ("expect", "symbols", "partners", "rates", "title", "source")
"""What a file of plans may also hold, for `load_plan_file`; a terms folder leaves it unread."""
BROKER_NEEDED = ("calendar", "servers")
CALENDAR_NEEDED = ("zone", "period", "from", "to")
SERVER_NEEDED, SERVER_OPTIONAL = ("platform", "timezone"), ("margin_mode", "currency", "close_reopen", "feed")
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
class Server:
    """One trade server; `timezone` is a zone with an optional shift: `America/New_York+7h`."""

    server: str
    platform: Platform
    timezone: str
    margin_mode: MarginMode | None = None
    currency: str = ""
    """Deposit currency of its accounts, for sources that do not tell it."""
    feed: Feed | None = None
    """How to ask the live server, for `ibflow poll`."""
    close_reopen: tuple[str, ...] = ()
    """MT4 groups whose `close_reopen` is on: a partial close closes all and opens the rest as new."""
    symbols: frozenset[str] = frozenset()
    """Its symbols that the terms define, for sources that lose the case of theirs."""


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


# broker.yaml


def _read_broker(page: Page) -> tuple[dict[str, Server], tzinfo, list[_Located]]:
    top = page.top("broker.yaml")
    if top:
        page.mapping(top, "broker.yaml", required=BROKER_NEEDED)
    zone, periods = _read_calendar(page, top)
    servers: dict[str, Server] = {}
    if "servers" in top:
        listed = page.mapping(top["servers"], "servers", line=top.line_at("servers"), optional=None)
        servers = {
            name: _read_server(page, name, node, listed.line_at(name)) for name, node in listed.items()
        }
        if not servers:
            page.fail(top.line_at("servers"), "there is no server; name at least one")
    return servers, zone, periods


def _read_server(page: Page, name: str, data: Any, line: int) -> Server:
    what = f"server {name}"
    keys = page.mapping(data, what, line=line, required=SERVER_NEEDED, optional=SERVER_OPTIONAL)
    platform = page.choice(keys, "platform", what, get_args(Platform), "mt5")
    mode = page.choice(keys, "margin_mode", what, get_args(MarginMode), "")
    if platform == "mt4" and mode == "netting":
        told = f"{what} is MT4, where each ticket is a position; leave margin_mode out"
        page.fail(keys.line_at("margin_mode"), told)
    try:
        check_server(name)
    except ValueError as error:
        page.fail(line, str(error))
    return Server(
        server=name,
        platform="mt4" if platform == "mt4" else "mt5",
        timezone=page.parsed(keys, "timezone", what, _to_clock_rule, f"write {EXAMPLES}", "UTC"),
        margin_mode="hedging" if mode == "hedging" else "netting" if mode == "netting" else None,
        currency=page.parsed(
            keys, "currency", what, _to_currency, "that is no currency; write it as USD", ""
        ),
        feed=read_feed(page, name, "mt4" if platform == "mt4" else "mt5", keys),
        close_reopen=_read_groups(page, keys, what, platform),
    )


def _read_groups(page: Page, keys: Fields, what: str, platform: str) -> tuple[str, ...]:
    groups = page.items(keys, "close_reopen")
    line = keys.line_at("close_reopen") if groups else 0
    if groups and platform != "mt4":
        page.fail(line, f"{what} is MT5, whose deals tell what they close; leave close_reopen out")
    if not all(isinstance(group, Text) and group for group in groups):
        page.fail(line, f"{what}: close_reopen lists groups, such as us-retail or us*")
        return ()
    return tuple(str(group) for group in groups)


def _to_currency(text: str) -> str | None:
    return str(text) if CURRENCY.fullmatch(text) else None


def _to_zone(text: str) -> tzinfo | None:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of zones
        return None


def _to_clock_rule(text: str) -> str | None:
    try:
        return parse_rule(text).rule
    except ValueError:
        return None


# The calendar


def _read_calendar(page: Page, top: Fields) -> tuple[tzinfo, list[_Located]]:
    if "calendar" not in top:
        return UTC, []
    keys = page.mapping(
        top["calendar"],
        "calendar",
        line=top.line_at("calendar"),
        required=CALENDAR_NEEDED,
    )
    utc: tzinfo = UTC
    zone = page.parsed(keys, "zone", "calendar", _to_zone, "write an IANA zone such as Europe/Nicosia", utc)
    kind = page.choice(keys, "period", "calendar", tuple(_PERIODS), "month")
    to_start, hint = _PERIODS[kind]
    first = page.parsed(keys, "from", "calendar", to_start, hint, None)
    last = page.parsed(keys, "to", "calendar", to_start, hint, first)
    if first is None or last is None:
        return zone, []
    starts = _starts(kind, first, last)
    if last < first or len(starts) > MAX_PERIODS[kind] + 1:
        told = f"calendar: `to` must be `from` or later, by less than {MAX_PERIODS[kind]} {kind}s"
        page.fail(keys.line_at("to"), told)
        return zone, []
    place = Fields(keys.line_at("from"))
    return zone, [
        _Located(_period(_NAMES[kind](start), start, end, zone), page.file, place)
        for start, end in pairwise(starts)
    ]


def _to_day(text: str) -> date | None:
    return _to_date("%Y-%m-%d", text) if re.fullmatch(r"[12]\d{3}-\d\d-\d\d", text) else None


def _to_week(text: str) -> date | None:
    return _to_date("%G-W%V-%u", f"{text}-1") if re.fullmatch(r"[12]\d{3}-W\d\d", text) else None


def _to_month(text: str) -> date | None:
    return _to_date("%Y-%m-%d", f"{text}-01") if re.fullmatch(r"[12]\d{3}-\d\d", text) else None


def _to_date(form: str, text: str) -> date | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None


_PERIODS: dict[str, tuple[Callable[[str], date | None], str]] = {
    "day": (_to_day, "write a day as 2026-09-01"),
    "week": (_to_week, "write an ISO week as 2026-W36"),
    "month": (_to_month, "write year and month as 2026-09"),
}
"""By kind of period: how its name becomes its first day, and what to write."""
_NAMES: dict[str, Callable[[date], str]] = {
    "day": lambda day: day.isoformat(),
    "week": lambda day: f"{day:%G-W%V}",
    "month": lambda day: f"{day:%Y-%m}",
}


def _starts(kind: str, first: date, last: date) -> list[date]:
    """The first days of the periods from `first` to `last`, and of the one after; bounded."""
    starts = [first]
    while starts[-1] <= last and len(starts) <= MAX_PERIODS[kind] + 1:
        starts.append(_next(kind, starts[-1]))
    return starts


def _next(kind: str, day: date) -> date:
    if kind == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if kind == "week" else 1)


def _period(name: str, start: date, end: date, zone: tzinfo) -> PeriodDefined:
    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

    days = tuple(midnight(start + timedelta(days=n)) for n in range((end - start).days))
    return PeriodDefined(
        period=name,
        starts_at=days[0],
        ends_at=midnight(end),
        days=days,
        first_weekday=start.weekday(),
    )


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
