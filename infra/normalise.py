"""`ibflow normalise`: an export as JSON lines, and what was rejected, without Kafka."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from rich.console import Console
from rich.text import Text

from commission.events import Platform
from infra.feed import profile_of, read_quotes, server_of
from ingest.counts import Counts
from ingest.detect import CALLED, CRM_KINDS, Kind, detect, missing_options, read_any
from ingest.quotes_csv import quoted
from ingest.server_time import EXAMPLES, parse_rule
from ingest.sources import Lacking, MarginMode, Said, ServerProfile, UnreadableSource
from ingest.terms import load_terms
from schemas.dead_letters import DeadLetter
from schemas.wire import encode

_MEANINGS = {
    "--server": "the name of the server it was exported from, as you call it",
    "--timezone": f"the server's clock, such as {EXAMPLES}",
    "--login": "the account it is of",
    "--currency": "the deposit currency of its accounts",
}


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
    terms: Path | None = None,
) -> Counts:
    """Write the events of `path` to `lines`; say what was rejected, and where.

    With a folder of `terms` the server is as its broker.yaml has it, and revisions are those of `ingest`.
    """
    profile, kind = None, detect(path)
    if kind not in CRM_KINDS:
        _check_options(path, kind, {"--server": server, "--timezone": timezone or terms}, said, encoding)
        if terms is not None:
            profile = _known(terms, server, platform, timezone, said, margin_mode)
        else:
            profile = _profile(server, platform or kind[:3], timezone, said, margin_mode)
    counts = Counts()
    items = read_any(path, profile, datetime.now(UTC), counts, encoding=encoding)
    if quotes is not None and profile is not None:
        items = quoted(items, read_quotes(quotes, profile.clock, tolerance), counts)
    for item in items:
        if isinstance(item, DeadLetter):
            place = (f"{path.name} {item.position}", "red")
            complaints.print(Text.assemble(place, f": {item.reason}"))  # no markup: a file wrote it
        else:
            lines.write(encode([item])[0] + b"\n")
    return counts


def _check_options(
    path: Path, kind: Kind, of_server: Mapping[str, object], said: Said, encoding: str
) -> None:
    """Raise `UnreadableSource` with every option that is missing, so that nobody learns of one at a time."""
    account = {"--login": said.login, "--currency": said.currency}
    lacking = [option for option, given in of_server.items() if not given]
    lacking += [option for option in missing_options(path, kind, encoding) if not account[option]]
    if lacking:
        meanings = tuple(f"{option} ({_MEANINGS[option]})" for option in lacking)
        raise Lacking(
            f"{path.name} is {CALLED.get(kind, kind)}, and does not say all that is needed", meanings
        )


def _known(
    terms: Path, server: str, platform: str, timezone: str, said: Said, margin_mode: str
) -> ServerProfile:
    """The server as its terms have it; raise `UnreadableSource` where an option says it, too."""
    options = {"--platform": platform, "--timezone": timezone, "--margin-mode": margin_mode}
    if both := [option for option, given in options.items() if given]:
        raise UnreadableSource(f"broker.yaml says what {', '.join(both)} would; leave it out beside --terms")
    return profile_of(server_of(load_terms(terms), server), said)


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
            columns=said.columns,
        )
    except ValueError as error:
        raise UnreadableSource(str(error)) from None
