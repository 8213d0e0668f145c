"""`ibflow normalise`: an export as JSON lines, and what was rejected, without Kafka."""

from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from rich.console import Console

from commission.events import Platform
from infra.sources.complaints import Complaints
from infra.sources.files import read_quotes
from infra.sources.profiles import profile_of, server_of
from ingest.counts import Counts
from ingest.market.quotes_csv import quoted
from ingest.readers.detect import detect, lacking, read_any
from ingest.readers.formats import CRM_KINDS
from ingest.server_time import parse_rule
from ingest.sources import AccountOptions, MarginMode, ServerProfile, UnreadableSource
from ingest.terms.folder import load_terms
from schemas.dead_letters import DeadLetter
from schemas.wire import encode


def normalise(
    path: Path,
    server: str,
    platform: str,
    timezone: str,
    said: AccountOptions,
    margin_mode: str,
    lines: BinaryIO,
    complaints: Console,
    *,
    encoding: str = "",
    quotes: Path | None = None,
    tolerance: str = "",
    terms: Path | None = None,
) -> Counts:
    """Write the events of `path` to `lines`; say what was rejected, and where.

    With a folder of `terms` the server is as its broker.yaml has it, and revisions are those of `ingest`.
    """
    profile, kind = None, detect(path)
    if kind not in CRM_KINDS:
        unsaid = tuple(
            option for option, given in (("--server", server), ("--timezone", timezone or terms)) if not given
        )
        if terms is not None and server:
            profile = _known(terms, server, platform, timezone, said, margin_mode)
        else:
            profile = _profile(server or "?", platform or kind[:3], timezone or "UTC", said, margin_mode)
        if unsaid:
            raise lacking(path, profile, unsaid, encoding)
    counts, wrong = Counts(), Complaints(path.name)
    items = read_any(path, profile, datetime.now(UTC), counts, encoding=encoding)
    if quotes is not None and profile is not None:
        items = quoted(items, read_quotes(quotes, profile.clock, tolerance), counts)
    for item in items:
        if isinstance(item, DeadLetter):
            wrong.add(item)
        else:
            lines.write(encode([item])[0] + b"\n")
    wrong.tell(complaints)
    return counts


def _known(
    terms: Path, server: str, platform: str, timezone: str, said: AccountOptions, margin_mode: str
) -> ServerProfile:
    """The server as its terms have it; raise `UnreadableSource` where an option says it, too."""
    options = {"--platform": platform, "--timezone": timezone, "--margin-mode": margin_mode}
    if both := [option for option, given in options.items() if given]:
        raise UnreadableSource(f"broker.yaml says what {', '.join(both)} would; leave it out beside --terms")
    return profile_of(server_of(load_terms(terms), server), said)


def _profile(
    server: str, platform: str, timezone: str, said: AccountOptions, margin_mode: str
) -> ServerProfile:
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
            columns=said.columns,
        )
    except ValueError as error:
        raise UnreadableSource(str(error)) from None
