"""symbols.yaml: the symbols of each server."""

from typing import Any

from commission.terms.market import SymbolDefined
from ingest.terms.keys import keys_of
from ingest.terms.located import LocatedRecord, read_record
from ingest.terms.servers import BrokerServer
from ingest.terms.yaml_page import Fields, Items, Page, Text, line_of, read_top

SYMBOL_NEEDED = ("class", "contract_size", "pip", "profit")
SYMBOL_OPTIONAL = tuple(
    key for key in keys_of(SymbolDefined) if key not in (*SYMBOL_NEEDED, "server", "symbol")
)


def read_symbols(page: Page, servers: dict[str, BrokerServer]) -> list[LocatedRecord]:
    """The symbols of all servers."""
    top = read_top(page, "symbols.yaml", ("symbols",))
    if "symbols" not in top:
        return []
    by_server = page.mapping(top["symbols"], "symbols", line=top.line_at("symbols"), optional=None)
    found: list[LocatedRecord] = []
    for server in by_server:
        # Without any server broker.yaml itself is at fault, and says so.
        if servers and server not in servers:
            told = f"the server {server} is not in broker.yaml; add it there or correct the name"
            page.fail(by_server.line_at(server), told)
        found += read_symbols_of(page, server, by_server, server)
    return found


def read_symbols_of(page: Page, server: str, fields: Fields, key: str) -> list[LocatedRecord]:
    """The symbols of one server, listed under `key`."""
    listed = page.mapping(fields[key], f"symbols of {server}", line=fields.line_at(key), optional=None)
    read = [
        _read_symbol(page, server, symbol, data, line)
        for symbol in listed
        for data, line in _versions(page, symbol, listed[symbol], listed.line_at(symbol))
    ]
    return [located for located in read if located is not None]


def _versions(page: Page, symbol: str, data: Any, line: int) -> list[tuple[Any, int]]:
    """One meaning, or a list of them, oldest first, of which each says only what it changes."""
    if not isinstance(data, Items):
        return [(data, line)]
    before = Fields(line)
    found: list[tuple[Any, int]] = []
    for number, item in enumerate(data):
        at = line_of(item, line)
        if isinstance(item, Fields):
            if number and "since" not in item:
                page.fail(at, f"{symbol}: version {number + 1} needs the key since, the time it counts from")
            for key in before:
                if key not in item and key not in ("since", "rescale"):
                    item.put(key, before[key], before.line_at(key))
            before = Fields(at)
            for key in item:
                before.put(key, item[key], item.line_at(key))
            if "contract_size" in item and "standard_contract_size" not in item:
                before.put("standard_contract_size", item["contract_size"], item.line_at("contract_size"))
        found.append((item, at))
    return found


def _read_symbol(page: Page, server: str, symbol: str, data: Any, line: int) -> LocatedRecord | None:
    before = len(page.problems)
    keys = page.mapping(data, symbol, line=line, required=SYMBOL_NEEDED, optional=SYMBOL_OPTIONAL)
    if any(key not in keys for key in SYMBOL_NEEDED) and len(page.problems) > before:
        return None
    for key, text in (("server", server), ("symbol", symbol), ("canonical", symbol)):
        if key not in keys:
            keys.put(key, Text.at(keys.line, text), keys.line)
    if "standard_contract_size" not in keys:
        keys.put("standard_contract_size", keys["contract_size"], keys.line_at("contract_size"))
    return read_record(page, SymbolDefined, keys, symbol, line)
