"""`ibflow postbacks`: check the file of endpoints before a server reads it."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.console import TOOLS, mendable_errors, say

app = typer.Typer(
    name="postbacks",
    help="Check the file of postback endpoints.",
    no_args_is_help=True,
    rich_help_panel=TOOLS,
)


@app.callback()
def group() -> None:
    """Check the file of postback endpoints."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML file of endpoints.")],
    terms: Annotated[
        Path | None,
        typer.Option(
            "--terms", exists=True, file_okay=False, help="Folder of terms YAML; without it Kafka is asked."
        ),
    ] = None,
) -> None:
    """Read a file of postback endpoints as `ibflow serve` does, and look up the IBs it names in the terms."""
    from api.postbacks.endpoints import check_ibs, load_endpoints
    from infra.connect.postback_ibs import check_postbacks, ibs_of
    from infra.connect.settings import kafka_servers
    from ingest.terms.folder import load_terms
    from schemas.settings import Settings

    with mendable_errors():
        if terms is not None:
            written = load_endpoints(file)
            check_ibs((one.form for one in written), ibs_of(load_terms(terms).records), file.name)
        else:
            settings = Settings(postbacks=file)
            written = check_postbacks(settings, kafka_servers(settings))
    for form in (one.form for one in written):
        ibs = [*sorted(form.ibs), *(f"{ib} and below" for ib in sorted(form.subtrees))] or ["all IBs"]
        say(f"{form.id}: {', '.join(sorted(form.events) or ['all events'])} of {', '.join(ibs)}")
