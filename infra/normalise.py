"""`ibflow normalise`: an export as JSON lines, and what was rejected, without Kafka."""

from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from rich.console import Console

from commission.events import Platform
from infra.complaints import Complaints
from infra.feed import read_quotes
from ingest.counts import Counts
from ingest.detect import CRM_KINDS, detect, read_any
from ingest.quotes_csv import quoted
from ingest.server_time import parse_rule
from ingest.sources import Lacking, MarginMode, Said, ServerProfile, UnreadableSource
from schemas.dead_letters import DeadLetter
from schemas.wire import encode


def normalise(
    path: Path,
    server: str,
    platform: str,
    timezone: str,
    said: Said,
    margin_mode: str,
    lines: BinaryIO,
    complaints: Console,
    *,
    encoding: str = "",
    quotes: Path | None = None,
    tolerance: str = "",
) -> Counts:
    """Write the events of `path` to `lines`; say what was rejected, and where."""
    profile: ServerProfile | None = None
    unsaid: tuple[str, ...] = ()
    kind = detect(path)
    if kind not in CRM_KINDS:
        unsaid = tuple(
            option
            for option, value in (("--server", server), ("--platform", platform), ("--timezone", timezone))
            if not value
        )
        profile = _profile(server or "?", platform or kind[:3], timezone or "UTC", said, margin_mode)
    counts, wrong = Counts(), Complaints(path.name)
    try:
        items = read_any(path, profile, datetime.now(UTC), counts, encoding=encoding)
    except Lacking as lacking:
        raise Lacking(f"{lacking.reason} (it is {kind})", (*unsaid, *lacking.options)) from None
    if unsaid:
        raise Lacking(f"{path.name} is {kind}, which does not say what server it is of", unsaid)
    if quotes is not None and profile is not None:
        items = quoted(items, read_quotes(quotes, profile.clock, tolerance), counts)
    for item in items:
        if isinstance(item, DeadLetter):
            wrong.add(item)
        else:
            lines.write(encode([item])[0] + b"\n")
    wrong.tell(complaints)
    return counts


def _profile(server: str, platform: str, timezone: str, said: Said, margin_mode: str) -> ServerProfile:
    """What the options say of the server; raise `UnreadableSource` if they cannot be used."""
    if platform not in ("mt4", "mt5"):
        raise UnreadableSource(f"--platform is mt4 or mt5, not `{platform}`")
    if margin_mode not in ("", "hedging", "netting"):
        raise UnreadableSource(f"--margin-mode is hedging or netting, not `{margin_mode}`")
    try:
        return ServerProfile(
            server=server,
            platform=cast(Platform, platform),
            clock=parse_rule(timezone),
            margin_mode=cast(MarginMode, margin_mode) or None,
            currency=said.currency,
            login=said.login,
            group=said.group,
            is_currency_said=bool(said.currency),
        )
    except ValueError as error:
        raise UnreadableSource(str(error)) from None
