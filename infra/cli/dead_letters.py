"""`ibflow dead-letters …`: input that could not be used, until somebody corrects, replays or dismisses it."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from infra.cli.console import DAILY, ExitCode, Json, Yes, confirm, err, mendable_errors, out, print_json
from schemas.errors import Unusable

if TYPE_CHECKING:
    from ingest.terms.servers import BrokerServer
    from schemas.settings import Settings

app = typer.Typer(
    name="dead-letters",
    help="Input that could not be used: see it, correct it, read it again.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

EDITOR = "vi"
SHOWN_BYTES = 4_000

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="As `list` shows them.")]
Code = Annotated[str, typer.Option(help="Only those with this code.")]
Source = Annotated[str, typer.Option(help="Only those whose source holds this, such as a file's name.")]
Since = Annotated[str, typer.Option(help="Only those received at this time or later: 2026-09-01T00:00:00Z.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit.")]
Terms = Annotated[
    Path | None,
    typer.Option(
        "--terms", exists=True, file_okay=False, help="Folder of terms YAML: rows of a server need it."
    ),
]
All = Annotated[bool, typer.Option("--all", help="All that are open.")]


@app.command("list")
def list_letters(
    *,
    code: Code = "",
    source: Source = "",
    since: Since = "",
    closed: Annotated[bool, typer.Option("--closed", help="Those replayed or dismissed instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Show what is open, newest first, and how many there are of each code."""
    from infra.dead_letters import letters as dead_letters
    from schemas.settings import Settings

    wanted = dead_letters.DeadLetterFilter(code, source, since, "closed" if closed else "open")
    with mendable_errors():
        found = dead_letters.listed(Settings(), wanted, limit)
        counts = dead_letters.counts(Settings(), wanted)
    if as_json:
        print_json({"counts": counts, "items": found})
        return
    for row in found:
        out.print(f"[bold]{row['dead_letter_id']}[/]  {row['code']}  {row['state']}")
        place = f"{row['source']}, {row['position']}, read {row['received_at'][:19]}"
        out.print(f"  [dim]{escape(place)}[/]\n  {escape(row['reason'])}")
    total = sum(count["letters"] for count in counts)
    by_code = ", ".join(f"{count['letters']:,} {count['code']}" for count in counts)
    shown = f", {len(found):,} shown" if len(found) < total else ""
    out.print(f"{total:,} {wanted.state}{shown}" + (f": {by_code}" if by_code else ""))


@app.command("show")
def show(
    dead_letter_id: Id,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes a replay would read.")] = False,
    as_json: Json = False,
) -> None:
    """Show one: its bytes, what is wrong, what to do, and who did what."""
    from infra.dead_letters import letters as dead_letters
    from schemas.settings import Settings

    with mendable_errors():
        found = dead_letters.fetch(Settings(), dead_letter_id)
    if raw:
        typer.get_binary_stream("stdout").write(found.payload)
        return
    letter = found.letter
    facts = {
        "id": letter.dead_letter_id,
        "source": letter.source,
        "place": letter.position,
        "server": letter.server,
        "received": letter.received_at.isoformat(),
        "code": letter.code,
        "what to do": letter.reason,
    }
    if as_json:
        payload = {"payload": printable(letter.payload), "header": letter.header}
        print_json(facts | payload | {"decisions": list(found.decisions)})
        return
    for name, text in facts.items():
        out.print(f"[dim]{name:<11}[/]{escape(text)}")
    if letter.header:
        out.print(f"[dim]{'header':<11}[/]{escape(printable(letter.header.encode()))}")
    cut = f" of {letter.payload_bytes:,}" if letter.payload_bytes > len(letter.payload) else ""
    out.print(
        f"[dim]{len(letter.payload):,}{cut} bytes[/]\n{escape(printable(letter.payload))}", highlight=False
    )
    for decision in found.decisions:
        out.print(f"[dim]{decision['at'][:19]}[/] {escape(_decision_line(decision))}")
    if found.edited is not None:
        out.print(f"[dim]as edited[/]\n{escape(printable(found.edited))}")


@app.command("edit")
def edit(
    dead_letter_id: Id,
    by: By,
    *,
    payload_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The corrected bytes, instead of opening $EDITOR."),
    ] = None,
    terms: Terms = None,
) -> None:
    """Correct the bytes, see what they would become, and keep them for `replay`; nothing else is sent."""
    from infra.connect.settings import prepared_kafka
    from infra.dead_letters import letters as dead_letters
    from schemas.settings import Settings
    from schemas.wire import encode

    settings = Settings()
    with mendable_errors():
        found = dead_letters.fetch(settings, dead_letter_id)
        dead_letters.check_open(found)
        kafka = prepared_kafka(settings)
        servers = _servers(terms, kafka)
        payload = payload_file.read_bytes() if payload_file is not None else _edited(found.payload)
        to = dead_letters.Publish.to_kafka(kafka)
        became, why = dead_letters.edit(to, found, payload.rstrip(b"\r\n"), servers, by)
    for line in encode(became):
        out.print(f"would become {escape(line.decode())}")
    if why:
        err.print(f"[red]still no event, so nothing was recorded: {escape(why)}[/]")
        raise typer.Exit(ExitCode.REJECTED)
    # A replay needs the same terms: without them a row of a server is no event.
    folder = f" --terms {shlex.quote(str(terms))}" if terms is not None else ""
    command = f"ibflow dead-letters replay {dead_letter_id} --by {shlex.quote(by)}{folder}"
    out.print(f"kept; send it with: {escape(command)}")


@app.command("replay")
def replay(
    by: By,
    ids: Ids = None,
    *,
    code: Code = "",
    source: Source = "",
    since: Since = "",
    everything: All = False,
    terms: Terms = None,
    as_json: Json = False,
) -> None:
    """Read letters again, publish what they became, and record it; exit 3 if some stay dead letters."""
    from infra.connect.settings import prepared_kafka
    from infra.dead_letters import letters as dead_letters
    from infra.links.keys import click_keys
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors():
        wanted = dead_letters.DeadLetterFilter(code, source, since)
        names = _chosen(settings, ids or [], wanted, everything=everything)
        kafka = prepared_kafka(settings)
        servers = _servers(terms, kafka)
        letters = (dead_letters.fetch(settings, name) for name in names)
        to = dead_letters.Publish.to_kafka(kafka, click_keys(settings))
        outcomes = list(dead_letters.replay(to, letters, servers, by))
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        for outcome in outcomes:
            result = ", ".join(outcome.became) or outcome.why
            out.print(
                f"{outcome.dead_letter_id} {outcome.action or 'left alone'}: {escape(result)}",
                highlight=False,
            )
        done = sum(outcome.action == "replayed" for outcome in outcomes)
        out.print(f"{done} of {len(outcomes)} replayed")
    if any(outcome.is_open for outcome in outcomes):
        raise typer.Exit(ExitCode.REJECTED)


@app.command("dismiss")
def dismiss(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `list` shows them.")],
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why they are never to be used, for the audit.")],
    *,
    yes: Yes = False,
) -> None:
    """Close letters that will never be used, such as a second header."""
    from infra.connect.settings import prepared_kafka
    from infra.dead_letters import letters as dead_letters
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors():
        kafka = prepared_kafka(settings)
        found = [dead_letters.fetch(settings, name) for name in ids]
        if still_open := sum(letter.closed is None for letter in found):
            confirm(f"{still_open} dead letters would be closed for good, their rows never used", yes=yes)
        done = dead_letters.dismiss(dead_letters.Publish.to_kafka(kafka), found, by, reason)
    out.print(f"{len(done)} of {len(ids)} dismissed")


def printable(payload: bytes, limit: int = SHOWN_BYTES) -> str:
    """Bytes as text that does nothing to a terminal; what is not plain text is escaped."""
    text = payload[:limit].decode("utf-8", "backslashreplace")
    safe = "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
    return safe + (f" … {len(payload) - limit:,} bytes more; see --raw" if len(payload) > limit else "")


def _chosen(settings: "Settings", ids: list[str], wanted: Any, *, everything: bool) -> list[str]:
    from infra.dead_letters import letters as dead_letters

    is_filtered = any((wanted.code, wanted.source, wanted.since))
    if bool(ids) + is_filtered + everything != 1:
        raise Unusable("say which: ids, or --code, --source and --since, or --all that are open")
    if ids:
        return list(dict.fromkeys(ids))
    return [row["dead_letter_id"] for row in dead_letters.listed(settings, wanted, dead_letters.MAX_LETTERS)]


def _servers(terms: Path | None, kafka: str) -> "dict[str, BrokerServer]":
    from infra.connect.broker_name import check_broker
    from ingest.terms.folder import load_terms

    if terms is None:
        return {}
    broker = load_terms(terms)
    check_broker(kafka, broker.name)
    return dict(broker.servers)


def _edited(payload: bytes) -> bytes:
    """What a person makes of the bytes in their editor; the file is theirs alone, and removed afterwards."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR)
    with tempfile.TemporaryDirectory(prefix="ibflow-") as folder:
        path = Path(folder) / "payload"
        path.write_bytes(payload)
        try:
            subprocess.run([*command, str(path)], check=True)  # noqa: S603 - the person's own editor
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unusable(f"the editor {command[0]} failed: {error}; name another in EDITOR") from None
        return path.read_bytes()


def _decision_line(decision: dict[str, Any]) -> str:
    what = ", ".join(decision["became"]) or decision["note"]
    return f"{decision['action']} by {decision['by']}" + (f": {what}" if what else "")
