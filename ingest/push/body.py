"""The body of a push to its rows, within bounds: bytes as sent, bytes as unpacked, time, rows, depth.

Two forms: JSON (`{"rows": […]}`) and JSON lines, one row a line. Lines are the better ones: a row that is
no JSON is one bad row there, and the whole body otherwise.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ingest.push.problems import Refused
from ingest.sources import RowRejected

MAX_BODY_BYTES = 4_000_000
"""As sent, and as unpacked: a batch of 1,000 deals with every field has some 1,200,000."""
MAX_BODY_SECONDS = 30.0
MAX_ROWS = 1_000
MAX_ROW_BYTES = 16_000
MAX_DEPTH = 3
"""A row, its record, and lists such as `convRates` in it."""
MAX_FIELDS = 128

JSON, JSON_LINES = "application/json", "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its value, or why it is none, and its bytes."""

    value: Mapping[str, object] | RowRejected
    payload: bytes


class _Repeated(dict[str, object]):
    """An object that names a field twice: nobody knows which of them counts."""


async def read_body(chunks: AsyncIterator[bytes], encoding: str, length: str) -> bytes:
    """Take the body in, unpacking as it comes; raise `Refused` as soon as a bound is passed."""
    if length.isdigit() and len(length) < 20 and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    if encoding not in ("", "identity", "gzip"):
        raise Refused(415, "Send the body as it is, or with `Content-Encoding: gzip`.")
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            return await (_unpacked(chunks) if encoding == "gzip" else _joined(chunks))
    except TimeoutError:
        raise Refused(
            408, f"The body took more than {MAX_BODY_SECONDS:.0f} s; send smaller batches."
        ) from None


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


async def _unpacked(chunks: AsyncIterator[bytes]) -> bytes:
    gunzip = zlib.decompressobj(wbits=31)
    body, sent = bytearray(), 0
    async for chunk in chunks:
        sent += len(chunk)
        try:
            body += gunzip.decompress(chunk, MAX_BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise Refused(400, "The body is not gzip; send it again.") from None
        if sent > MAX_BODY_BYTES or len(body) > MAX_BODY_BYTES or gunzip.unconsumed_tail:
            raise _too_large()
    if not gunzip.eof or gunzip.unused_data:
        raise Refused(400, "The body is not one whole gzip member; send it again.")
    return bytes(body)


def _too_large() -> Refused:
    return Refused(413, f"A body has at most {MAX_BODY_BYTES:,} bytes, unpacked too; send smaller batches.")


def to_rows(body: bytes, content_type: str) -> list[Row]:
    """Read the rows of a body; raise `Refused` for a body that is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON_LINES:
        lines = [line for line in body.split(b"\n") if line.strip()]
        _check_count(len(lines))
        return [_of_line(line) for line in lines]
    if kind != JSON:
        raise Refused(415, f"Send `Content-Type: {JSON_LINES}`, one row a line, or {JSON}.")
    try:
        found = _parse(body)
    except ValueError as error:
        text = f"The body is not JSON: {error}. As {JSON_LINES} only the bad row would be refused."
        raise Refused(400, text) from None
    is_clear = isinstance(found, dict) and len(found) == 1 and not isinstance(found, _Repeated)
    rows = found.get("rows") if is_clear else None
    if not isinstance(rows, list):
        raise Refused(400, 'The body is not `{"rows": […]}` alone, once.')
    _check_count(len(rows))
    return [_checked(value) for value in rows]


def to_payload(value: object) -> bytes:
    """Write a row as JSON again, numbers with a point as texts, so that they stay exact."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode(errors="replace")


def _check_count(count: int) -> None:
    if not 0 < count <= MAX_ROWS:
        raise Refused(422, f"A batch has 1 to {MAX_ROWS:,} rows, not {count:,}.")


def _of_line(line: bytes) -> Row:
    if len(line) > MAX_ROW_BYTES:
        reason = f"the row has {len(line):,} bytes; the limit is {MAX_ROW_BYTES:,}"
        return Row(RowRejected("too_long", reason), line[:MAX_ROW_BYTES])
    try:
        return _checked(_parse(line), line)
    except ValueError as error:
        return Row(RowRejected("no_json", f"the row is not JSON: {error}"), line)


def _checked(value: object, line: bytes | None = None) -> Row:
    """Check a row's shape; without the line it was read from, the line is written again."""
    if not isinstance(value, dict):
        return Row(RowRejected("no_object", "the row is not a JSON object"), line or b"")
    if (problem := _problem(value, MAX_DEPTH)) is not None:
        return Row(RowRejected(*problem), line or b"")
    payload = line if line is not None else to_payload(value)
    if len(payload) <= MAX_ROW_BYTES:
        return Row(value, payload)
    reason = f"the row has {len(payload):,} bytes; the limit is {MAX_ROW_BYTES:,}"
    return Row(RowRejected("too_long", reason), payload[:MAX_ROW_BYTES])


def _problem(value: Mapping[str, object], depth: int) -> tuple[str, str] | None:
    if isinstance(value, _Repeated):
        return "repeated_field", "the row names a field twice; send it once"
    if len(value) > MAX_FIELDS:
        return "too_many_fields", f"the row has more than {MAX_FIELDS} fields in one object"
    for inner in value.values():
        if isinstance(inner, (dict, list)):
            if depth == 1 or (isinstance(inner, list) and any(isinstance(x, (dict, list)) for x in inner)):
                return "too_deep", f"the row is nested deeper than {MAX_DEPTH} levels"
            if isinstance(inner, dict) and (problem := _problem(inner, depth - 1)):
                return problem
    return None


def _parse(text: bytes) -> Any:
    """Read JSON exactly: no float, no NaN; raise ValueError with a reason."""
    try:
        return _DECODER.decode(text.decode())
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("it has a number without bounds") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeated(found)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is not a number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_object)
"""Made once: to make it costs as much as a row."""
