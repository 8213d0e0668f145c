"""broker.yaml: the servers, with the calendar beside them."""

import re
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, get_args

from commission.events import Platform
from commission.terms.checks.published import CURRENCY
from ingest.server_time import EXAMPLES, parse_rule
from ingest.sources import MarginMode, check_server
from ingest.terms.feeds import Feed, read_feed
from ingest.terms.located import LocatedRecord
from ingest.terms.period_dates import read_calendar
from ingest.terms.yaml_page import Fields, Page, Text

BROKER_NEEDED, BROKER_OPTIONAL = ("calendar", "servers"), ("broker",)
BROKER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SERVER_NEEDED, SERVER_OPTIONAL = ("platform", "timezone"), ("margin_mode", "currency", "close_reopen", "feed")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerServer:
    """One trade server; `timezone` is a zone with an optional shift: `America/New_York+7h`."""

    server: str
    platform: Platform
    timezone: str
    margin_mode: MarginMode | None = None
    currency: str = ""
    """Deposit currency of its accounts, for sources that do not give it."""
    feed: Feed | None = None
    """How to ask the live server, for `ibflow poll`."""
    close_reopen: tuple[str, ...] = ()
    """MT4 groups whose `close_reopen` is on: a partial close closes all and opens the rest as new."""
    symbols: frozenset[str] = frozenset()
    """Its symbols that the terms define, for sources that lose the case of theirs."""


def read_broker(page: Page) -> tuple[str, dict[str, BrokerServer], tzinfo, list[LocatedRecord]]:
    """The broker's name, the servers by theirs, the calendar's zone and its periods."""
    top = page.top("broker.yaml")
    if top:
        page.mapping(top, "broker.yaml", required=BROKER_NEEDED, optional=BROKER_OPTIONAL)
    hint = "write small letters, digits and dashes, such as meridian-eu"
    broker = page.parsed(top, "broker", "broker.yaml", _to_broker_name, hint, "") if top else ""
    zone, periods = read_calendar(page, top)
    servers: dict[str, BrokerServer] = {}
    if "servers" in top:
        listed = page.mapping(top["servers"], "servers", line=top.line_at("servers"), optional=None)
        servers = {
            name: _read_server(page, name, node, listed.line_at(name)) for name, node in listed.items()
        }
        if not servers:
            page.fail(top.line_at("servers"), "there is no server; name at least one")
    return broker, servers, zone, periods


def _read_server(page: Page, name: str, data: Any, line: int) -> BrokerServer:
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
    return BrokerServer(
        server=name,
        platform="mt4" if platform == "mt4" else "mt5",
        timezone=page.parsed(keys, "timezone", what, _to_clock_rule, f"write {EXAMPLES}", "UTC"),
        margin_mode="hedging" if mode == "hedging" else "netting" if mode == "netting" else None,
        currency=page.parsed(
            keys, "currency", what, _to_currency, "that is not a currency; write it as USD", ""
        ),
        feed=read_feed(page, name, "mt4" if platform == "mt4" else "mt5", keys),
        close_reopen=_read_groups(page, keys, what, platform),
    )


def _read_groups(page: Page, keys: Fields, what: str, platform: str) -> tuple[str, ...]:
    groups = page.items(keys, "close_reopen")
    line = keys.line_at("close_reopen") if groups else 0
    if groups and platform != "mt4":
        page.fail(line, f"{what} is MT5, whose deals say what they close; leave close_reopen out")
    if not all(isinstance(group, Text) and group for group in groups):
        page.fail(line, f"{what}: close_reopen lists groups, such as us-retail or us*")
        return ()
    return tuple(str(group) for group in groups)


def _to_currency(text: str) -> str | None:
    return str(text) if CURRENCY.fullmatch(text) else None


def _to_broker_name(text: str) -> str | None:
    return str(text) if BROKER_NAME.fullmatch(text) else None


def _to_clock_rule(text: str) -> str | None:
    try:
        return parse_rule(text).rule
    except ValueError:
        return None
