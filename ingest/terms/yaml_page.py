"""A YAML file → plain texts, lists and mappings that know their lines, within limits."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from commission.terms.checks.published import Severity, meant
from ingest.terms.hints import BACKSLASH, yaml_hint

ESCAPED = frozenset("\a\b\t\n\v\f\r\x1b\0")
"""What a letter behind a backslash becomes in double quotes."""
MAX_FILE_BYTES = 8_000_000
MAX_DEPTH = 20
MAX_TEXT = 200
"""Characters of one id or name."""

DECIMAL_HINT = "write a plain decimal number such as 0.35"
WHOLE_HINT = "write a whole number, 0 or above"
FLAG_HINT = "write true or false"
MOMENT_HINT = "write a date 2026-09-01 or a time 2026-09-01T12:00:00Z; near a change of clocks give the zone"
ID_HINT = "an id has no spaces and none of / | : #"

Place = tuple[str, int]
"""A file and a line in it, from 1."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a line of a file, and what to do about it."""

    file: str
    line: int
    text: str
    severity: Severity = "error"
    code: str = ""
    """What kind of finding it is, of those of the checks; of a trap the name by which a plan accepts it."""
    plans: tuple[str, ...] = ()
    """Of a trap: the plans that may accept it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class Text(str):
    """A scalar as it was written, and its line."""

    line: int = 1

    @classmethod
    def at(cls, line: int, text: str) -> "Text":
        """The text `text` of line `line`."""
        made = cls(text)
        made.line = line
        return made


class Items(list[Any]):
    """A list and the line it begins on."""

    def __init__(self, line: int, items: Sequence[Any] = ()) -> None:
        super().__init__(items)
        self.line = line


class Fields(dict[str, Any]):
    """A mapping, the line it begins on and the line of each key. A value of `null` is None."""

    def __init__(self, line: int, fields: dict[str, Any] | None = None) -> None:
        super().__init__(fields or {})
        self.line = line
        self.key_lines: dict[str, int] = {}

    def put(self, key: str, value: Any, line: int) -> None:
        """Add a value whose key stands on `line`."""
        self[key] = value
        self.key_lines[key] = line

    def line_at(self, key: str) -> int:
        """The line of the value, of its key where the value has none, or of the mapping."""
        return line_of(self.get(key), self.key_lines.get(key, self.line))


def line_of(value: Any, otherwise: int) -> int:
    """The line a value was read from; `otherwise` for null and for what was not read."""
    return value.line if isinstance(value, Text | Items | Fields) else otherwise


@dataclass(slots=True)
class Page:
    """One file being read. What is found wrong is collected; `faulty` are the places it was found at."""

    file: str
    root: Node
    zone: tzinfo = UTC
    problems: list[Problem] = field(default_factory=list)
    faulty: set[Place] = field(default_factory=set)

    def fail(self, line: int, text: str) -> None:
        """Collect a problem."""
        self.problems.append(Problem(self.file, line, text))
        self.faulty.add((self.file, line))

    def top(self, what: str, *, unlimited: Sequence[str] = ()) -> Fields:
        """The whole file as a mapping; the texts under the keys `unlimited` may be of any length."""
        if not isinstance(self.root, MappingNode):
            self.fail(_line(self.root), f"{what} must be a mapping of `key: value`")
            return Fields(1)
        return self._fields(self.root, what, unlimited)

    def _plain(self, node: Node, what: str, *, limited: bool) -> Any:
        if isinstance(node, MappingNode):
            return self._fields(node, what, () if limited else None)
        if isinstance(node, SequenceNode):
            return Items(_line(node), [self._plain(part, what, limited=limited) for part in node.value])
        if _is_null(node):
            return None
        if limited and not _is_name(node.value):
            told = f"{what} must be 1 to {MAX_TEXT} printable characters without spaces around them"
            self.fail(_line(node), told + (f"; {BACKSLASH}" if set(node.value) & ESCAPED else ""))
            return Text.at(_line(node), f"?{_line(node)}")
        return Text.at(_line(node), node.value)

    def _fields(self, node: MappingNode, what: str, unlimited: Sequence[str] | None) -> Fields:
        fields = Fields(_line(node))
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else ""
            if not key or len(key) > MAX_TEXT:
                self.fail(_line(key_node), f"a key of {what} must be a text of 1 to {MAX_TEXT} characters")
            elif key in fields:
                self.fail(_line(key_node), f"{what} has the key {key} twice; remove one")
            else:
                limited = unlimited is not None and key not in unlimited
                fields.put(key, self._plain(value, key, limited=limited), _line(key_node))
        return fields

    # The readings below report a bad value and give a harmless one in its place.

    def mapping(
        self,
        value: Any,
        what: str,
        *,
        line: int = 1,
        required: Sequence[str] = (),
        optional: Sequence[str] | None = (),
    ) -> Fields:
        """The mapping, less the keys that do not belong. `optional=None` takes any key."""
        if not isinstance(value, Fields):
            self.fail(line_of(value, line), f"{what} must be a mapping of `key: value`")
            return Fields(line_of(value, line))
        if optional is not None:
            for key in [key for key in value if key not in (*required, *optional)]:
                known = (*required, *optional)
                told = f"{what} has no key {key}; {meant(key, known)}use {', '.join(known)}"
                self.fail(value.key_lines[key], told)
                del value[key]
        for key in required:
            if key not in value:
                self.fail(value.line, f"{what} needs the key {key}")
        return value

    def items(self, fields: Fields, key: str) -> list[Any]:
        """The list under `key`; empty if the key is absent."""
        value = fields.get(key)
        if isinstance(value, Items):
            return value
        if key in fields:
            self.fail(fields.line_at(key), f"{key} must be a list, each entry behind a dash")
        return []

    def parsed(
        self, fields: Fields, key: str, what: str, parse: Callable[[str], T | None], hint: str, bad: T
    ) -> T:
        """The value `parse` makes of the text; `bad` in its place, and a problem, where it makes None."""
        if key not in fields:
            return bad
        text, line = fields[key], fields.line_at(key)
        if not isinstance(text, Text):
            self.fail(line, f"{what}: {key} must be a single value")
            return bad
        if (line_place := (self.file, line)) in self.faulty and text == f"?{line_place[1]}":
            return bad
        value = parse(text)
        if value is None:
            self.fail(line, f"{what}: {key} is {str(text)!r}; {hint}")
            return bad
        return value

    def choice(self, fields: Fields, key: str, what: str, options: Sequence[str], bad: str) -> str:
        """The text if it is one of `options`."""
        hint = f"choose one of {', '.join(options)}"
        return self.parsed(fields, key, what, lambda t: str(t) if t in options else None, hint, bad)


def open_page(path: Path, problems: list[Problem]) -> Page | None:
    """The file as a tree; None, and the problem, if it cannot be one."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            text = f"the file is larger than {MAX_FILE_BYTES} bytes; split the terms"
            problems.append(Problem(str(path), 1, text))
            return None
        return Page(str(path), _compose(content.decode("utf-8-sig")))
    except OSError as error:
        problems.append(Problem(str(path), 1, f"the file cannot be read ({error.strerror}); it must exist"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(Problem(str(path), line, "this line is not UTF-8; save the file as UTF-8"))
    except _NotYaml as error:
        problems.append(Problem(str(path), error.line, error.text))
    return None


def read_top(page: Page, what: str, keys: Sequence[str], *, unlimited: Sequence[str] = ()) -> Fields:
    """The mapping a file is; its one key must be there where it has but one."""
    top = page.top(what, unlimited=unlimited)
    if top or isinstance(page.root, MappingNode):
        page.mapping(top, what, required=keys if len(keys) == 1 else (), optional=keys)
    return top


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
        reason = "it is nested too deeply" if "depth" in str(error.problem) else str(error.problem)
        reason += f"; {hint}" if (hint := yaml_hint(reason)) else ""
        raise _NotYaml(mark.line + 1 if mark else 1, f"this is not YAML as expected: {reason}") from None
    except (YAMLError, ValueError, AssertionError, AttributeError, IndexError, KeyError, TypeError) as error:
        # The parser gives up in these ways on some malformed directives, tags and escapes.
        raise _NotYaml(1, f"the file is not YAML: {type(error).__name__} {error}") from None
    if root is None:
        raise _NotYaml(1, "the file is empty; fill it in as in the example broker")
    for node in _walk(root):
        if node.anchor is not None:
            raise _NotYaml(_line(node), "anchors and aliases are not used here; write the value out")
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


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isprintable() and text == text.strip()


# From text to values


def to_decimal(text: str) -> Decimal | None:
    """A plain decimal number with its digits as written; None for anything else."""
    return Decimal(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else None


def to_whole(text: str) -> int | None:
    """A whole number of up to nine digits; None for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def to_flag(text: str) -> bool | None:
    """True or false; None for anything else, also for yes and no."""
    return {"true": True, "false": False}.get(text)


def to_identifier(text: str) -> str | None:
    """Ids become parts of keys and account paths, which `/`, `|` and `:` divide."""
    return None if re.search(r"[\s/|:#]", text) else str(text)


def to_moment(text: str, zone: tzinfo) -> datetime | None:
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
