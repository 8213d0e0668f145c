"""`ibflow rate`, `pseudonym` and `schema`: tools that need no service."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from infra.cli.console import TOOLS, TermsDir, err, mendable_errors, print_json, say

app = typer.Typer()


@app.command(rich_help_panel=TOOLS)
def rate(
    terms: TermsDir,
    events: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Events, one JSON object a line.")
    ],
) -> None:
    """Fold an events file through all books in memory, without Kafka; print transfers as JSON lines."""
    from infra.commands.rate import rate_or_refuse, read_events
    from ingest.terms.folder import load_terms
    from schemas.wire import encode

    with mendable_errors():
        outputs, digest, letters = rate_or_refuse(load_terms(terms).records, read_events(events))
    for line, output in zip(encode(outputs), outputs, strict=True):
        if output.type == "transfer":
            sys.stdout.buffer.write(line + b"\n")
    for letter in letters:
        err.print(f"dead letter {letter.code}: {letter.reason}", markup=False, highlight=False)
    err.print(f"ledger hash {digest}")


@app.command(rich_help_panel=TOOLS)
def pseudonym(
    kind: Annotated[Literal["client", "account", "cause", "transfer"], typer.Argument()],
    value: Annotated[str, typer.Argument(help="Such as c-0001, or mt5-live/5001 for an account.")],
) -> None:
    """Print the pseudonym that an id has in statements' files, by IBFLOW_PSEUDONYM_KEY."""
    from api.views.pseudonyms import Pseudonyms
    from schemas.errors import Unusable
    from schemas.settings import Settings

    with mendable_errors():
        pseudonyms = Pseudonyms.from_settings(Settings())
        if pseudonyms is None:
            raise Unusable("IBFLOW_PSEUDONYM_KEY is not set, so ids are shown as they are")
        say(pseudonyms.of(kind, value))


@app.command(rich_help_panel=TOOLS)
def schema() -> None:
    """Print the JSON Schema of every event."""
    from schemas.wire import json_schema

    print_json(json_schema())
