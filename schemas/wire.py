"""Events as newline-delimited JSON: one record a line, `type` first, unknown fields refused."""

from collections.abc import Callable, Iterable, Sequence, Set
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields, replace
from pydantic import TypeAdapter, ValidationError

from commission.events import AccountLinked, ClientEvent, Deal, DealMoved, ReratingApproved, RoutedDeal
from commission.links.records import LinkTold
from commission.outputs import Output
from commission.payouts.commands import AnyCommand, ClientCommand, PayoutAnswer
from commission.postbacks.records import Delivery, EndpointRecord
from commission.terms.records import TermsRecord
from commission.value import TaggedValue, Value
from schemas.attempts import Attempt
from schemas.clicks import LinkClicked
from schemas.finite import infinite_place, is_finite
from schemas.models import union_of

MAX_RECORD_BYTES = 64_000
"""One record; a deal is 700 bytes, a plan with 200 rates 20,000."""
MAX_BATCH_BYTES = 900_000
"""One message; Kafka's default limit is 1,048,588."""
MAX_BATCH_RECORDS = 2_000

Record = (
    Deal
    | RoutedDeal
    | DealMoved
    | ReratingApproved
    | AccountLinked
    | ClientEvent
    | TermsRecord
    | Output
    | AnyCommand
    | ClientCommand
    | PayoutAnswer
    | EndpointRecord
    | Delivery
    | Attempt
    | LinkClicked
    | LinkTold
)


_KINDS: tuple[type[TaggedValue], ...] = get_args(Record)
_LINE = Decoder(Record)
_encode = Encoder().encode


class WireField(NamedTuple):
    """A field of a record's line, for who writes many lines at once instead of calling `encode`."""

    name: str
    is_quoted: bool
    """Whether its value is a JSON string: a text, a decimal, a time."""


def _wire_fields(kind: type[TaggedValue]) -> tuple[WireField, ...]:
    hints = get_type_hints(kind)
    return tuple(
        WireField(name, is_quoted=not {int, bool} & {hints[name], *get_args(hints[name])})
        for name in kind.__struct_fields__
    )


DEAL_FIELDS = _wire_fields(Deal)
"""What follows `type` in a deal's line, in the order of `encode`; one that has its default is left out."""


class InvalidRecord(ValueError):
    """A line is not a record; the message says which field and why."""


class BadLine(NamedTuple):
    """A line of a message that is not a record its reader takes."""

    number: int
    """Counted from 1, empty lines too."""
    line: bytes
    reason: str


def encode(records: Iterable[Record]) -> list[bytes]:
    """Give each record its JSON line, without the newline: `type` first, defaults left out."""
    return [_encode(_plain_zeros(record)) for record in records]


def decode(line: bytes) -> Record:
    """Read one JSON line; raise `InvalidRecord` for anything but one well-formed record."""
    if len(line) > MAX_RECORD_BYTES:
        raise InvalidRecord(f"the record has {len(line)} bytes; the limit is {MAX_RECORD_BYTES}")
    try:
        record = _LINE.decode(line)
    except MsgspecError as error:
        raise InvalidRecord(_explain(line, error)) from None
    check_finite(record, record.type)
    return record


def decode_batch(message: bytes) -> list[Record]:
    """Read a micro-batch of JSON lines; raise `InvalidRecord` if any line is not a record."""
    records = _read_lines(message)
    if not all(map(is_finite, records)):
        for record in records:
            check_finite(record, record.type)
    return records


def decode_checked(message: bytes) -> list[Record]:
    """Read what a stage of ours sent: its numbers have an end, for those it was made of were checked."""
    return _read_lines(message)


def _read_lines(message: bytes) -> list[Record]:
    try:
        return _LINE.decode_lines(message)
    except MsgspecError:
        return [decode(line) for line in message.split(b"\n") if line.strip()]


def decode_lines(
    message: bytes,
    accepted: Set[type] | None = None,
    read: Callable[[bytes], list[Record]] = decode_batch,
) -> tuple[list[Record], list[BadLine]]:
    """Read a micro-batch: its good records in order, and its bad lines.

    `accepted` are the types that its reader takes, by default all. A message without a bad line is read by
    `read` alone: `decode_checked` for what a stage sent.
    """
    try:
        records = read(message)
    except InvalidRecord:
        return _sort_lines(message, accepted)
    if accepted is not None and not accepted >= set(map(type, records)):
        return _sort_lines(message, accepted)
    return records, []


def _sort_lines(message: bytes, accepted: Set[type] | None) -> tuple[list[Record], list[BadLine]]:
    good: list[Record] = []
    bad: list[BadLine] = []
    for number, line in enumerate(message.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = decode(line)
        except InvalidRecord as error:
            bad.append(BadLine(number, line, str(error)))
            continue
        if accepted is None or type(record) in accepted:
            good.append(record)
        else:
            bad.append(BadLine(number, line, f"no record of type {record.type} belongs here"))
    return good, bad


def batches(
    lines: Sequence[bytes], max_records: int = MAX_BATCH_RECORDS, max_bytes: int = MAX_BATCH_BYTES
) -> list[bytes]:
    """Pack lines, in order, into as few messages as the two limits allow."""
    if lines and len(lines) <= max_records:  # what a stage says at once is nearly always one message
        whole = b"\n".join(lines)
        if len(whole) < max_bytes:
            return [whole]
    packed: list[bytes] = []
    start, size = 0, 0
    for index, line in enumerate(lines):
        if index > start and (index - start >= max_records or size + len(line) + 1 > max_bytes):
            packed.append(b"\n".join(lines[start:index]))
            start, size = index, 0
        size += len(line) + 1
    if start < len(lines):
        packed.append(b"\n".join(lines[start:]))
    return packed


def explain_validation(error: ValidationError) -> str:
    """Say in one line what is wrong: `deal.price: should be a number; and 2 more`."""
    first, *rest = error.errors(include_url=False, include_input=False, include_context=False)
    where = ".".join(str(part) for part in first["loc"]) or "record"
    more = f"; and {len(rest)} more" if rest else ""
    return f"{where}: {first['msg']}{more}"


def json_schema() -> dict[str, Any]:
    """Describe every record as JSON Schema (2020-12)."""
    return _model().json_schema()


@cache
def _model() -> TypeAdapter[Any]:
    """Reads nothing: it says what is wrong with a line that cannot be read. Made when it is first asked."""
    return TypeAdapter(union_of(_KINDS))


def _explain(line: bytes, error: MsgspecError) -> str:
    """What is wrong with a line, in the words of its model; in those of its decoder where that takes it."""
    if "timezone" in str(error):
        place = str(error).rpartition("$.")[2].rstrip("`")
        return f"{place}: the time has no zone; write UTC with a Z"
    try:
        _model().validate_json(line)
    except ValidationError as found:
        return explain_validation(found)
    return str(error)


def check_finite(value: Value, place: str) -> None:
    """Raise `InvalidRecord` for a NaN: JSON has none, but a text that is read as a decimal may be one."""
    if not is_finite(value):
        raise InvalidRecord(f"{infinite_place(value, place)}: should be a finite number")


def _zeros(kind: type[Value]) -> dict[str, Decimal]:
    defaults = {field.name: field.default for field in fields(kind)}
    return {name: zero for name, zero in defaults.items() if isinstance(zero, Decimal) and not zero}


_ZEROS = {kind: tuple(zeros.items()) for kind in _KINDS if (zeros := _zeros(kind))}


def _plain_zeros(record: Record) -> Record:
    """The same record with the very zeros of its defaults: msgspec leaves out those, and no others."""
    for name, zero in _ZEROS.get(type(record), ()):
        number = getattr(record, name)
        if number is not zero and not number:
            record = replace(record, **{name: zero})
    return record
