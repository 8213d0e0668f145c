"""Events as newline-delimited JSON: one record a line, `type` first, unknown fields refused."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from commission.events import AccountLinked, ClientEvent, Deal, ReratingApproved, RoutedDeal
from commission.outputs import Output, Rejection, Statement, Transfer
from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord

MAX_RECORD_BYTES = 64_000
"""One record; a deal is 700 bytes, a plan with 200 rates 20,000."""
MAX_BATCH_BYTES = 900_000
"""One message; Kafka's default limit is 1,048,588."""
MAX_BATCH_RECORDS = 2_000

Record = Deal | RoutedDeal | ReratingApproved | AccountLinked | ClientEvent | TermsRecord | Output


def _tag(kind: Any) -> bytes:
    return str(next(field.default for field in fields(kind) if field.name == "type")).encode()


RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])
RECORDS: TypeAdapter[list[Record]] = TypeAdapter(list[Annotated[Record, Field(discriminator="type")]])


_HEADS = {kind: b'{"type":"%s",' % _tag(kind) for kind in get_args(Record)}
_WRITERS = {kind: TypeAdapter(kind).serializer.to_json for kind in get_args(Record)}
"""A type's own serializer: the union's takes 4 µs longer to find it."""


class WireField(NamedTuple):
    """A field of a record's line, for who writes many lines at once instead of calling `encode`."""

    name: str
    is_quoted: bool
    """Whether its value is a JSON string: a text, a decimal, a time."""


def _wire_fields(kind: type) -> tuple[WireField, ...]:
    hints = get_type_hints(kind)
    return tuple(
        WireField(
            field.name,
            is_quoted=not {int, bool} & {hints[field.name], *get_args(hints[field.name])},
        )
        for field in fields(kind)
        if field.name != "type"
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
    """Give each record its JSON line, without the newline: `type` first, defaults left out.

    A plan is written whole: `kind` tells its components apart and is a default of each.
    """
    return [
        _WRITERS[kind](record)
        if (kind := type(record)) is PlanDefined
        else _HEADS[kind] + _WRITERS[kind](record, exclude_defaults=True)[1:]
        for record in records
    ]


def decode(line: bytes) -> Record:
    """Read one JSON line; raise `InvalidRecord` for anything but one well-formed record."""
    if len(line) > MAX_RECORD_BYTES:
        raise InvalidRecord(f"the record has {len(line)} bytes; the limit is {MAX_RECORD_BYTES}")
    try:
        record = RECORD.validate_json(line)
    except ValidationError as error:
        raise InvalidRecord(explain_validation(error)) from None
    _check_aware(record)
    return record


def decode_batch(message: bytes) -> list[Record]:
    """Read a micro-batch of JSON lines; raise `InvalidRecord` if any line is not a record."""
    try:
        records = RECORDS.validate_json(b"[" + message.strip().replace(b"\n", b",") + b"]")
    except ValidationError as error:
        raise InvalidRecord(explain_validation(error)) from None
    for record in records:
        if not (isinstance(record, _PLAINLY_TIMED) and record.occurred_at.tzinfo):
            _check_aware(record)
    return records


def decode_lines(
    message: bytes, check: Callable[[Record], object] | None = None
) -> tuple[list[Record], list[BadLine]]:
    """Read a micro-batch: its good records in order, and its bad lines.

    `check` raises `InvalidRecord` for a record that its reader does not take. A message without a bad line is
    read at the speed of `decode_batch`.
    """
    try:
        records = decode_batch(message)
        if check is not None:
            for record in records:
                check(record)
    except InvalidRecord:
        return _sort_lines(message, check)
    return records, []


def _sort_lines(
    message: bytes, check: Callable[[Record], object] | None
) -> tuple[list[Record], list[BadLine]]:
    good: list[Record] = []
    bad: list[BadLine] = []
    for number, line in enumerate(message.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = decode(line)
            if check is not None:
                check(record)
        except InvalidRecord as error:
            bad.append(BadLine(number, line, str(error)))
        else:
            good.append(record)
    return good, bad


def batches(
    lines: Sequence[bytes], max_records: int = MAX_BATCH_RECORDS, max_bytes: int = MAX_BATCH_BYTES
) -> list[bytes]:
    """Pack lines, in order, into as few messages as the two limits allow."""
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
    return RECORD.json_schema()


_PLAINLY_TIMED = (Deal, Transfer, Rejection)
"""What there is most of, and has one time that is always told."""


def _check_aware(record: Record) -> None:
    for name, at in _times(record):
        if at is not None and at.tzinfo is None:
            raise InvalidRecord(f"{record.type}.{name}: the time has no zone; write UTC with a Z")


def _times(record: Record) -> Iterator[tuple[str, datetime | None]]:
    match record:
        case RoutedDeal():
            yield "deal.occurred_at", record.deal.occurred_at
        case ReratingApproved():
            yield "occurred_at", record.occurred_at
            yield "deal.occurred_at", record.deal.occurred_at if record.deal is not None else None
        case PartnerDefined() | PartnerChanged():
            yield from _times_of_partner(record)
        case RatePublished():
            yield "as_of", record.as_of
        case PeriodDefined() | Statement():
            yield "starts_at", record.starts_at
            yield "ends_at", record.ends_at
        case PlanDefined():
            yield from _times_of_plan(record)
        case SymbolDefined():
            yield "since", record.since
        case PeriodEnded():
            yield "at", record.at
        case _:
            yield "occurred_at", record.occurred_at
            yield "expires_at", getattr(record, "expires_at", None)


def _times_of_plan(record: PlanDefined) -> Iterator[tuple[str, datetime | None]]:
    yield "since", record.since
    for component in record.components:
        for rate in getattr(component, "rates", ()):
            yield "rates.since", rate.since
            yield "rates.until", rate.until


def _times_of_partner(record: PartnerDefined | PartnerChanged) -> Iterator[tuple[str, datetime | None]]:
    if isinstance(record, PartnerChanged):
        yield "occurred_at", record.occurred_at
    entries: tuple[ParentLink | PlanAssignment | StatusChange, ...] = (
        *record.parents,
        *record.schedule,
        *record.statuses,
    )
    yield from (("since", entry.since) for entry in entries)
