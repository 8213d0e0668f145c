"""A folder of YAML files → the terms as records, or every problem in them with its file and line."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from commission.checks import CURRENCY, Subject, TermsProblem, check_terms, named, numbered
from commission.events import KycStatus, Platform
from commission.terms import (
    Component,
    Cpa,
    ParentLink,
    PartnerDefined,
    PeriodDefined,
    PerLot,
    PlanAssignment,
    PlanDefined,
    Rate,
    RatePublished,
    SpreadShare,
    SymbolDefined,
    TermsRecord,
)
from ingest.server_time import EXAMPLES, parse_rule
from ingest.sources import MarginMode, check_server
from schemas.errors import Unusable
from schemas.wire import MAX_RECORD_BYTES, encode

MAX_FILE_BYTES = 8_000_000
MAX_DEPTH = 20
MAX_TEXT = 200
"""Characters of one id or name."""
MAX_PERIODS = 1_200
"""A hundred years of months."""
PROBLEMS_SHOWN = 100
"""Problems written into an exception's message; `problems` holds all of them."""

FILES = ("broker.yaml", "symbols.yaml", "plans.yaml", "partners.yaml", "rates.yaml")
OPTIONAL_FILES = ("rates.yaml",)

Place = tuple[str, int]
"""A file and a line in it, from 1."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a line of a file, and what to do about it."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """What a terms folder says. `records` are in the order to publish them."""

    servers: dict[str, Server]
    records: tuple[TermsRecord, ...]
    warnings: tuple[Problem, ...] = ()


def load_terms(folder: Path) -> Broker:
    """Read and check the folder; raise `InvalidTerms` with all errors, each with its file and line."""
    problems: list[Problem] = []
    pages = {name: page for name in FILES if (page := _open_page(folder / name, problems))}
    servers, found = _read_pages(pages)
    warnings = _stray_files(folder)
    # With a file missing, every reference into it would be reported as well: noise, not findings.
    if not problems:
        _check_meaning(found, problems, warnings, taken={p for page in pages.values() for p in page.faulty})
    problems += [problem for page in pages.values() for problem in page.problems]
    if problems:
        raise InvalidTerms(sorted(set(problems), key=_by_file))
    return Broker(servers=servers, records=tuple(r.record for r in found), warnings=tuple(warnings))


def _read_pages(pages: dict[str, "_Page"]) -> tuple[dict[str, Server], list["_Located"]]:
    """Everything the pages say, in the order to publish it: what is referred to comes first."""
    servers: dict[str, Server] = {}
    found: list[_Located] = []
    for name, page in pages.items():
        match name:
            case "broker.yaml":
                servers, zone, found = _read_broker(page)
                for other in pages.values():
                    other.zone = zone
            case "symbols.yaml":
                found += _read_symbols(page, servers)
            case "plans.yaml":
                found += _read_plans(page)
            case "partners.yaml":
                found += _read_partners(page)
            case _:
                found += _read_rates(page)
    return servers, found


def _by_file(problem: Problem) -> tuple[int, str, int, str]:
    name = Path(problem.file).name
    return (FILES.index(name) if name in FILES else len(FILES), problem.file, problem.line, problem.text)


def _stray_files(folder: Path) -> list[Problem]:
    """A misspelt `rates.yml` would otherwise be left out in silence."""
    names = sorted(p.name for p in folder.glob("*.y*ml") if p.name not in FILES) if folder.is_dir() else []
    return [
        Problem(str(folder / name), 1, f"this file is not read; the terms are {', '.join(FILES)}")
        for name in names
    ]


# From meaning back to place


@dataclass(frozen=True, slots=True)
class _Located:
    """A record and where its parts stand, by their path inside the record; `()` is the record."""

    record: TermsRecord
    places: dict[Subject, Place]


def _check_meaning(
    found: list[_Located], problems: list[Problem], warnings: list[Problem], taken: set[Place]
) -> None:
    places: dict[Subject, Place] = {}
    for (subject, record), located in zip(named(r.record for r in found), found, strict=True):
        places |= {(*subject, *path): place for path, place in located.places.items()}
        if (size := len(encode([record])[0])) > MAX_RECORD_BYTES:
            text = f"this has {size} bytes as a record; the limit is {MAX_RECORD_BYTES}, so split it"
            problems.append(Problem(*places[subject], text))
    for problem in check_terms(r.record for r in found):
        place = _place_of(problem, places)
        # A value that could not be read was replaced by a harmless one; what that leads to is no finding.
        if place not in taken:
            (problems if problem.severity == "error" else warnings).append(Problem(*place, problem.text))


def _place_of(problem: TermsProblem, places: dict[Subject, Place]) -> Place:
    subject = problem.subject
    while subject not in places:
        subject = subject[:-1]
        assert subject, f"{problem.subject} has no place"
    return places[subject]


# A YAML file as a tree of values that know their lines


@dataclass(slots=True)
class _Page:
    """One file being read. Each reading method reports a bad value and gives a harmless one instead."""

    file: str
    root: Node
    zone: tzinfo = UTC
    problems: list[Problem] = field(default_factory=list)
    faulty: set[Place] = field(default_factory=set)

    def place(self, node: Node | None) -> Place:
        return (self.file, (node or self.root).start_mark.line + 1)

    def fail(self, node: Node | None, text: str) -> None:
        self.problems.append(Problem(*self.place(node), text))
        self.faulty.add(self.place(node))

    def mapping(
        self,
        node: Node | None,
        what: str,
        *,
        required: Sequence[str] = (),
        optional: Sequence[str] | None = (),
    ) -> dict[str, Node]:
        """The values by key. `optional=None` takes any key; else an unknown key is a problem."""
        if not isinstance(node, MappingNode):
            if node is not None:
                self.fail(node, f"{what} must be a mapping of `key: value`")
            return {}
        fields: dict[str, Node] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else ""
            if not key or len(key) > MAX_TEXT:
                self.fail(key_node, f"a key of {what} must be a text of 1 to {MAX_TEXT} characters")
            elif key in fields:
                self.fail(key_node, f"{what} has the key {key} twice; remove one")
            elif optional is not None and key not in (*required, *optional):
                self.fail(key_node, f"{what} has no key {key}; use {', '.join((*required, *optional))}")
            else:
                fields[key] = value
        for key in required:
            if key not in fields:
                self.fail(node, f"{what} needs the key {key}")
        return fields

    def items(self, node: Node | None, what: str) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        if node is not None:
            self.fail(node, f"{what} must be a list, each entry behind a dash")
        return []

    def scalar(self, node: Node | None, what: str) -> str:
        """The text as written; "" if there is none or it is bad."""
        if node is None:
            return ""
        if not isinstance(node, ScalarNode) or _is_null(node):
            self.fail(node, f"{what} must be a single value")
            return ""
        text: str = node.value
        if not 0 < len(text) <= MAX_TEXT or not text.isprintable() or text != text.strip():
            self.fail(node, f"{what} must be 1 to {MAX_TEXT} printable characters without spaces around them")
            return ""
        return text

    def parsed(self, node: Node | None, what: str, parse: Callable[[str], T | None], hint: str, bad: T) -> T:
        """The value `parse` makes of the text; `bad` in its place, and a problem, where it makes None."""
        if not (text := self.scalar(node, what)):
            return bad
        value = parse(text)
        if value is None:
            self.fail(node, f"{what} is {text!r}; {hint}")
            return bad
        return value

    def identifier(self, node: Node | None, what: str) -> str:
        """Ids become parts of keys and account paths, which `/`, `|` and `:` divide."""
        hint = "an id has no spaces and none of / | : #"
        place = f"?{self.place(node)[1]}"
        return self.parsed(node, what, lambda t: None if re.search(r"[\s/|:#]", t) else t, hint, place)

    def number(self, node: Node | None, what: str, bad: Decimal = Decimal(1)) -> Decimal:
        hint = "write a plain decimal number such as 0.35"
        return self.parsed(node, what, _to_decimal, hint, bad)

    def whole(self, node: Node | None, what: str, bad: int = 1) -> int:
        hint = "write a whole number, 0 or above"
        return self.parsed(
            node, what, lambda t: int(t) if re.fullmatch(r"[0-9]{1,9}", t) else None, hint, bad
        )

    def flag(self, node: Node | None, what: str, *, default: bool) -> bool:
        return self.parsed(node, what, {"true": True, "false": False}.get, "write true or false", default)

    def choice(self, node: Node | None, what: str, options: Sequence[str], bad: str) -> str:
        hint = f"choose one of {', '.join(options)}"
        return self.parsed(node, what, lambda t: t if t in options else None, hint, bad)

    def currency(self, node: Node | None, what: str) -> str:
        # Its form is checked with the meaning of the record, for every source of terms alike.
        return self.scalar(node, what) or "USD"

    def moment(self, node: Node | None, what: str) -> datetime | None:
        hint = "write a date 2026-09-01 or a time 2026-09-01T12:00:00Z; near a change of clocks give the zone"
        return self.parsed(node, what, lambda t: _to_moment(t, self.zone), hint, None)


def _open_page(path: Path, problems: list[Problem]) -> _Page | None:
    """The file as a tree; None, and the problem, if it cannot be one."""
    if not path.exists() and path.name in OPTIONAL_FILES:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            problems.append(
                Problem(str(path), 1, f"the file is larger than {MAX_FILE_BYTES} bytes; split the terms")
            )
            return None
        root = _compose(content.decode("utf-8-sig"))
    except OSError as error:
        problems.append(Problem(str(path), 1, f"the file cannot be read ({error.strerror}); it must exist"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(str(path), line, "this line is not UTF-8; save the file as UTF-8"))
    except _NotYaml as error:
        problems.append(Problem(str(path), error.line, error.text))
    else:
        return _Page(str(path), root)
    return None


class _NotYaml(ValueError):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


def _compose(text: str) -> Node:
    """Parse without constructing anything: values stay text, and every node keeps its line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # any anchor is refused below
    try:
        root: Node | None = yaml.compose(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _NotYaml(line, "this line has a control character; remove it") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = "it is nested too deeply" if "depth" in str(error.problem) else error.problem
        raise _NotYaml(mark.line + 1 if mark else 1, f"this is not YAML as expected: {reason}") from None
    except (YAMLError, ValueError, AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
        # The parser gives up in these ways on some malformed directives, tags and escapes.
        raise _NotYaml(1, f"the file is not YAML: {type(error).__name__} {error}") from None
    if root is None:
        raise _NotYaml(1, "the file is empty; fill it in as in the example broker")
    for node in _walk(root):
        if node.anchor is not None:
            raise _NotYaml(
                node.start_mark.line + 1, "anchors and aliases are not used here; write the value out"
            )
    return root


def _walk(root: Node) -> Iterator[Node]:
    """Every node; an anchored one is not entered, so that aliases cannot multiply."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, MappingNode):
            stack.extend(part for pair in node.value for part in pair)
        elif isinstance(node, SequenceNode):
            stack.extend(node.value)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _to_decimal(text: str) -> Decimal | None:
    return Decimal(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else None


def _to_moment(text: str, zone: tzinfo) -> datetime | None:
    """UTC; a local time that a change of clocks skips or repeats is None, but a date is its midnight."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            local = moment.replace(tzinfo=zone)
            if len(text) > len("2026-09-01") and local.utcoffset() != local.replace(fold=1).utcoffset():
                return None
            moment = local
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# broker.yaml


def _read_broker(page: _Page) -> tuple[dict[str, Server], tzinfo, list[_Located]]:
    top = page.mapping(page.root, "broker.yaml", required=("calendar", "servers"))
    zone, periods = _read_calendar(page, top.get("calendar"))
    servers = {}
    for name, node in page.mapping(top.get("servers"), "servers", optional=None).items():
        servers[name] = _read_server(page, name, node)
    if "servers" in top and not servers:
        page.fail(top["servers"], "there is no server; name at least one")
    return servers, zone, periods


def _read_server(page: _Page, name: str, node: Node) -> Server:
    what = f"server {name}"
    keys = page.mapping(node, what, required=("platform", "timezone"), optional=("margin_mode", "currency"))
    platform = page.choice(keys.get("platform"), f"{what}: platform", get_args(Platform), "mt5")
    mode = page.choice(keys.get("margin_mode"), f"{what}: margin_mode", get_args(MarginMode), "")
    if platform == "mt4" and mode == "netting":
        page.fail(
            keys["margin_mode"], f"{what} is MT4, where each ticket is a position; leave margin_mode out"
        )
    try:
        check_server(name)
    except ValueError as error:
        page.fail(node, str(error))
    currency = page.scalar(keys.get("currency"), f"{what}: currency")
    if currency and not CURRENCY.fullmatch(currency):
        page.fail(keys["currency"], f"{what}: {currency!r} is no currency; write it as USD")
    hint = f"write {EXAMPLES}"
    return Server(
        server=name,
        platform="mt4" if platform == "mt4" else "mt5",
        timezone=page.parsed(keys.get("timezone"), f"{what}: timezone", _to_clock_rule, hint, "UTC"),
        margin_mode="hedging" if mode == "hedging" else "netting" if mode == "netting" else None,
        currency=currency,
    )


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


def _read_calendar(page: _Page, node: Node | None) -> tuple[tzinfo, list[_Located]]:
    keys = page.mapping(node, "calendar", required=("zone", "period", "from", "to"))
    hint = "write an IANA zone such as Europe/Nicosia"
    utc: tzinfo = UTC
    zone = page.parsed(keys.get("zone"), "calendar: zone", _to_zone, hint, utc)
    page.choice(keys.get("period"), "calendar: period", ("month",), "month")
    hint = "write year and month as 2026-09"
    first = page.parsed(keys.get("from"), "calendar: from", _to_month, hint, 0)
    last = page.parsed(keys.get("to"), "calendar: to", _to_month, hint, first)
    if last < first or last - first >= MAX_PERIODS:
        page.fail(
            keys.get("to"), f"calendar: `to` must be `from` or later, by less than {MAX_PERIODS} months"
        )
        last = first
    if not first:
        return zone, []
    place = page.place(keys.get("from"))
    return zone, [_Located(_month(index, zone), {(): place}) for index in range(first, last + 1)]


def _to_month(text: str) -> int | None:
    """Months since year 0; None unless the text is a month of a year that datetime knows."""
    found = re.fullmatch(r"([12]\d{3})-(0[1-9]|1[0-2])", text)
    return int(found[1]) * 12 + int(found[2]) - 1 if found else None


def _month(index: int, zone: tzinfo) -> PeriodDefined:
    starts_at, ends_at = (
        datetime(i // 12, i % 12 + 1, 1, tzinfo=zone).astimezone(UTC) for i in (index, index + 1)
    )
    return PeriodDefined(period=f"{index // 12:04}-{index % 12 + 1:02}", starts_at=starts_at, ends_at=ends_at)


# symbols.yaml


def _read_symbols(page: _Page, servers: dict[str, Server]) -> list[_Located]:
    top = page.mapping(page.root, "symbols.yaml", required=("symbols",))
    found: list[_Located] = []
    for server, symbols in page.mapping(top.get("symbols"), "symbols", optional=None).items():
        # Without any server broker.yaml itself is at fault, and says so.
        if servers and server not in servers:
            page.fail(symbols, f"the server {server} is not in broker.yaml; add it there or correct the name")
        for symbol, node in page.mapping(symbols, f"symbols of {server}", optional=None).items():
            found.append(_read_symbol(page, server, symbol, node))
    return found


def _read_symbol(page: _Page, server: str, symbol: str, node: Node) -> _Located:
    keys = page.mapping(
        node,
        symbol,
        required=("class", "contract_size", "pip", "profit"),
        optional=("canonical", "standard_contract_size"),
    )
    contract_size = page.number(keys.get("contract_size"), f"{symbol}: contract_size")
    standard = keys.get("standard_contract_size")
    record = SymbolDefined(
        server=server,
        symbol=symbol,
        canonical=page.scalar(keys.get("canonical"), f"{symbol}: canonical") or symbol,
        asset_class=page.scalar(keys.get("class"), f"{symbol}: class"),
        contract_size=contract_size,
        standard_contract_size=page.number(standard, f"{symbol}: standard_contract_size")
        if standard
        else contract_size,
        pip=page.number(keys.get("pip"), f"{symbol}: pip"),
        profit_currency=page.currency(keys.get("profit"), f"{symbol}: profit"),
    )
    return _Located(record, _places(page, node, keys))


def _places(page: _Page, node: Node, keys: dict[str, Node]) -> dict[Subject, Place]:
    return {(): page.place(node), **{(key,): page.place(value) for key, value in keys.items()}}


# plans.yaml


def _read_plans(page: _Page) -> list[_Located]:
    top = page.mapping(page.root, "plans.yaml", required=("plans",))
    return [_read_plan(page, node) for node in page.items(top.get("plans"), "plans")]


def _read_plan(page: _Page, node: Node) -> _Located:
    keys = page.mapping(
        node, "a plan", required=("id", "version", "currency", "components"), optional=("kyc_gate", "name")
    )
    plan_id = page.identifier(keys.get("id"), "id of a plan")
    read = [
        _read_component(page, plan_id, component)
        for component in page.items(keys.get("components"), f"{plan_id}: components")
    ]
    parts = [part for part in read if part is not None]
    places = _places(page, node, keys)
    for name, part in zip(numbered(component.name for component, _ in parts), parts, strict=True):
        places |= {("component", name, *path): place for path, place in part[1].items()}
    record = PlanDefined(
        plan_id=plan_id,
        version=page.whole(keys.get("version"), f"{plan_id}: version"),
        currency=page.currency(keys.get("currency"), f"{plan_id}: currency"),
        components=tuple(component for component, _ in parts),
        kyc_gate=page.flag(keys.get("kyc_gate"), f"{plan_id}: kyc_gate", default=True),
        name=page.scalar(keys.get("name"), f"{plan_id}: name"),
    )
    return _Located(record, places)


_COMPONENT_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "per_lot": (("kind", "name", "rates"), ("entry", "standardised")),
    "spread_share": (("kind", "name", "rates"), ("entry", "average_pips", "cap_pips")),
    "cpa": (
        ("kind", "name", "amount"),
        ("min_deposit", "ftd_window_hours", "min_lots", "qualification_days", "clawback_days"),
    ),
}
"""By kind: the keys that must be there, and those that may."""


def _read_component(page: _Page, plan_id: str, node: Node) -> tuple[Component, dict[Subject, Place]] | None:
    what = f"a component of {plan_id}"
    kind = page.choice(_peek(node, "kind"), f"{what}: kind", tuple(_COMPONENT_KEYS), "")
    if not kind:
        if _peek(node, "kind") is None:
            page.fail(node, f"{what} needs the key kind: {', '.join(_COMPONENT_KEYS)}")
        return None
    required, optional = _COMPONENT_KEYS[kind]
    keys = page.mapping(node, what, required=required, optional=optional)
    name = page.identifier(keys.get("name"), f"{what}: name")
    places = _places(page, node, keys)
    what = f"{plan_id}/{name}"
    component: Component
    if kind == "per_lot":
        component = _read_per_lot(page, what, name, keys, places)
    elif kind == "spread_share":
        component = _read_spread_share(page, what, name, keys, places)
    else:
        component = _read_cpa(page, what, name, keys)
    return component, places


def _peek(node: Node, key: str) -> Node | None:
    """The value of a key before it is known which keys belong here."""
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for key_node, value in pairs if key_node.value == key), None)


def _read_per_lot(
    page: _Page, what: str, name: str, keys: dict[str, Node], places: dict[Subject, Place]
) -> PerLot:
    return PerLot(
        name=name,
        rates=_read_matches(page, what, "rates", keys, places),
        entry=_read_entry(page, what, keys),
        standardised=page.flag(keys.get("standardised"), f"{what}: standardised", default=True),
    )


def _read_spread_share(
    page: _Page, what: str, name: str, keys: dict[str, Node], places: dict[Subject, Place]
) -> SpreadShare:
    cap = keys.get("cap_pips")
    return SpreadShare(
        name=name,
        rates=_read_matches(page, what, "rates", keys, places),
        entry=_read_entry(page, what, keys),
        average_pips=_read_matches(page, what, "average_pips", keys, places),
        cap_pips=page.number(cap, f"{what}: cap_pips") if cap else None,
    )


def _read_cpa(page: _Page, what: str, name: str, keys: dict[str, Node]) -> Cpa:
    def number(key: str, default: Decimal) -> Decimal:
        return page.number(keys.get(key), f"{what}: {key}", default)

    def whole(key: str, default: int) -> int:
        return page.whole(keys.get(key), f"{what}: {key}", default)

    plain = Cpa(name=name, amount=number("amount", Decimal(1)))
    return Cpa(
        name=name,
        amount=plain.amount,
        min_deposit=number("min_deposit", plain.min_deposit),
        ftd_window_hours=whole("ftd_window_hours", plain.ftd_window_hours),
        min_lots=number("min_lots", plain.min_lots),
        qualification_days=whole("qualification_days", plain.qualification_days),
        clawback_days=whole("clawback_days", plain.clawback_days),
    )


def _read_entry(page: _Page, what: str, keys: dict[str, Node]) -> Literal["in", "out", "both"]:
    entry = page.choice(keys.get("entry"), f"{what}: entry", ("in", "out", "both"), "out")
    return "in" if entry == "in" else "both" if entry == "both" else "out"


def _read_matches(
    page: _Page, what: str, key: str, keys: dict[str, Node], places: dict[Subject, Place]
) -> tuple[Rate, ...]:
    rates: list[Rate] = []
    for match, node in page.mapping(keys.get(key), f"{what}: {key}", optional=None).items():
        places[key, match] = page.place(node)
        rates.append(Rate(match=match, value=page.number(node, f"{what}: {match}")))
    if key in keys and not rates:
        page.fail(keys[key], f"{what}: {key} is empty; name at least one symbol, class or *")
    return tuple(rates)


# partners.yaml


def _read_partners(page: _Page) -> list[_Located]:
    top = page.mapping(page.root, "partners.yaml", required=("partners",))
    return [_read_partner(page, node) for node in page.items(top.get("partners"), "partners")]


def _read_partner(page: _Page, node: Node) -> _Located:
    keys = page.mapping(
        node, "a partner", required=("id", "name", "currency"), optional=("kyc", "parent", "plan")
    )
    ib_id = page.identifier(keys.get("id"), "id of a partner")
    kyc = page.choice(keys.get("kyc"), f"{ib_id}: kyc", get_args(KycStatus), "pending")
    places = _places(page, node, keys)
    record = PartnerDefined(
        ib_id=ib_id,
        name=page.scalar(keys.get("name"), f"{ib_id}: name"),
        currency=page.currency(keys.get("currency"), f"{ib_id}: currency"),
        parents=tuple(
            ParentLink(since=since, ib_id=parent)
            for since, parent in _read_schedule(page, ib_id, "parent", keys, places)
        ),
        schedule=tuple(
            PlanAssignment(since=since, plan_id=plan)
            for since, plan in _read_schedule(page, ib_id, "plan", keys, places)
        ),
        kyc_approved=kyc == "approved",
    )
    return _Located(record, places)


def _read_schedule(
    page: _Page, ib_id: str, key: str, keys: dict[str, Node], places: dict[Subject, Place]
) -> list[tuple[datetime | None, str | None]]:
    """`plan: gold` holds from the beginning; a list has one entry for each change, `null` for none."""
    node = keys.get(key)
    if node is None or _is_null(node):
        return []
    what = f"{ib_id}: {key}"
    if isinstance(node, ScalarNode):
        places[key, "0"] = page.place(node)
        return [(None, page.identifier(node, what))]
    entries: list[tuple[datetime | None, str | None]] = []
    for item in page.items(node, what):
        fields = page.mapping(item, what, required=(key,), optional=("since",))
        since = page.moment(fields.get("since"), f"{what}: since")
        # An entry that could not be read is left out: in its place anything would raise more problems.
        if key not in fields or ("since" in fields and since is None):
            continue
        places[key, str(len(entries))] = page.place(item)
        named_id = None if _is_null(fields[key]) else page.identifier(fields[key], what)
        entries.append((since, named_id))
    return entries


# rates.yaml


def _read_rates(page: _Page) -> list[_Located]:
    top = page.mapping(page.root, "rates.yaml", required=("rates",))
    found: list[_Located] = []
    for node in page.items(top.get("rates"), "rates"):
        keys = page.mapping(node, "an entry of rates", required=("as_of", "rates"), optional=("source",))
        as_of = page.moment(keys.get("as_of"), "as_of")
        source = page.scalar(keys.get("source"), "source")
        for pair, value in page.mapping(keys.get("rates"), "rates", optional=None).items():
            base, slash, quote = pair.partition("/")
            if not slash:
                page.fail(value, f"{pair} names no two currencies; write EUR/USD")
            elif as_of is not None:
                rate = page.number(value, pair)
                record = RatePublished(base=base, quote=quote, rate=rate, as_of=as_of, source=source)
                found.append(_Located(record, {(): page.place(value)}))
    return found
