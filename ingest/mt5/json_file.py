"""MT5 deals saved as JSON: what the `MetaTrader5` package returned, or answers of the Web API."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

from ingest.counts import Counts, counted
from ingest.formats.json_text import MAX_JSON_BYTES, read_json
from ingest.formats.typed_cells import typed_rate
from ingest.mt5.batch import Mt5Batch, SourceRecord
from ingest.mt5.dialects import MANAGER, TERMINAL, Dialect
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    MissingOptions,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
    check_size,
)

Kind = Literal["mt5-terminal-json", "mt5-web-api-json"]
DIALECTS: Mapping[Kind, Dialect] = {"mt5-terminal-json": TERMINAL, "mt5-web-api-json": MANAGER}
DONE = "0"
"""What a good `retcode` starts with: `0 Done`."""

_SIGNS: Mapping[Kind, tuple[bytes, ...]] = {
    "mt5-terminal-json": (b'"ticket"', b'"entry"', b'"position_id"'),
    "mt5-web-api-json": (b'"Deal"', b'"Action"', b'"Entry"'),
}


def is_json(head: bytes) -> bool:
    """Tell whether a file starts as JSON does."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{"))


def kind_of_json(head: bytes) -> Kind | None:
    """Tell by its start whose deals a JSON text holds; None for anything else."""
    if not is_json(head):
        return None
    found = [kind for kind, signs in _SIGNS.items() if all(sign in head for sign in signs)]
    if not found and b'"retcode"' in head:
        return "mt5-web-api-json"
    return found[0] if len(found) == 1 else None


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the deals of a file in order of time, then number, the dead letters among them.

    Raise `UnreadableSource` at once for a file that is not whole, or tells of no deals. Beside
    `…deals.json` of a terminal, `…symbols.json` tells the contract sizes, which deals do not have.
    """
    raw = _bytes_of(path)
    kind = kind_of_json(raw)
    if kind is None:
        raise UnreadableSource(
            f"{path.name} has no deals as MT5's terminal package or Web API spells them; gateways of others"
            " use other units and are not read"
        )
    check_platform(profile, "mt5", path)
    records = records_of(read_json(raw, path.name), path.name)
    dialect = DIALECTS[kind]
    check_profile(records, profile, dialect, path)
    sizes = read_contract_sizes(path) if kind == "mt5-terminal-json" else {}
    batch = Mt5Batch(
        dialect, DeadLetterWriter(f"{kind} {path.name}", received_at, profile.server), sizes, counts
    )
    items = batch.items(SourceRecord(record, f"record {n}", profile) for n, record in enumerate(records, 1))
    return items if counts is None else counted(items, counts)


def records_of(parsed: object, name: str) -> list[object]:
    """The records of an array, of an answer of the Web API, or one record alone."""
    if isinstance(parsed, Mapping) and "retcode" in parsed:
        retcode = str(parsed["retcode"])
        if retcode.split(" ", 1)[0] != DONE:
            raise UnreadableSource(f"{name} is a refusal of the server: `{retcode[:80]}`; ask it again")
        parsed = parsed.get("answer")
    if isinstance(parsed, list):
        return parsed
    if isinstance(parsed, Mapping):
        return [parsed]
    raise UnreadableSource(f"{name} holds neither a list of deals nor an answer with one")


def check_profile(records: list[object], profile: ServerProfile, dialect: Dialect, path: Path) -> None:
    """Raise `MissingOptions` where neither the deals nor the profile say login or currency."""
    lacking: list[str] = []
    for field, known in ((dialect.login, profile.login), (dialect.currency, profile.currency)):
        is_told = any(isinstance(record, Mapping) and field in record for record in records)
        if records and not known and not is_told:
            lacking.append(field.lower())
    if lacking:
        raise MissingOptions(
            f"{path.name}: the deals do not say their {' and '.join(lacking)}",
            tuple(f"--{word}" for word in lacking),
        )


def read_contract_sizes(path: Path) -> dict[str, Decimal]:
    """Read the contract sizes of `…symbols.json` beside `…deals.json`; none where there is no such file."""
    beside = path.with_name(path.name.replace("deals", "symbols"))
    if beside == path or not beside.is_file():
        return {}
    sizes: dict[str, Decimal] = {}
    for symbol in records_of(read_json(_bytes_of(beside), beside.name), beside.name):
        if not isinstance(symbol, Mapping) or not isinstance(symbol.get("name"), str):
            raise UnreadableSource(
                f"{beside.name} is not a list of symbols as MetaTrader5.symbols_get() has it"
            )
        try:
            size = typed_rate(symbol.get("trade_contract_size"), "ContractSize")
        except RowRejected as bad:
            raise UnreadableSource(f"{beside.name}, {symbol['name'][:40]}: {bad.reason}") from None
        if size is not None:
            sizes[symbol["name"]] = size
    return sizes


def _bytes_of(path: Path) -> bytes:
    check_size(path, MAX_JSON_BYTES)
    return path.read_bytes()
