"""The `ibflow` command: every process and every tool of the project, one sub-command each.

Each module of commands has a `typer.Typer` named `app`: with a name it is a group (`ibflow terms …`), without
one its commands are commands of `ibflow`.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import (
    adjust,
    book,
    dead_letters,
    endpoints,
    history,
    holds,
    ingest,
    kafka,
    keys,
    ledger,
    links,
    payees,
    payouts,
    plans,
    poll,
    postbacks,
    proposals,
    reconcile,
    run,
    statements,
    terms,
    tools,
    users,
)
from infra.cli.console import ExitCode, mendable_errors
from infra.gc_tuning import collect_rarely
from infra.log_limit import limit_logs

PRIVATE_UMASK = 0o077
"""What ibflow writes (ledger, logs, state, statements) is for whoever runs it, until they give it away."""

app = typer.Typer(
    name="ibflow",
    help="What clients trade on MetaTrader 4 and 5 → what you owe your IBs, every cent explained.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def everywhere(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of everything local: IBFLOW_DATA_DIR.")
    ] = None,
    url: Annotated[str, typer.Option(help="Server that commands ask, if it is elsewhere: IBFLOW_URL.")] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="File with your token for it: IBFLOW_TOKEN_FILE.")
    ] = None,
) -> None:
    """Settings that come before the environment's."""
    from infra.cli.setting_names import check_setting_names

    for name, given in (("DATA_DIR", data_dir), ("URL", url), ("TOKEN_FILE", token_file)):
        if given:
            os.environ[f"IBFLOW_{name}"] = str(given)
    with mendable_errors():
        check_setting_names()


# As a newcomer meets them: begin, feed, look, correct, then the tools.
for module in (
    *(run, poll),
    *(terms, plans, ingest, dead_letters, reconcile, statements, ledger, payees, payouts, adjust, holds),
    *(links, endpoints, proposals, history, book),
    *(users, keys, tools, postbacks, kafka),
):
    app.add_typer(module.app, rich_help_panel=module.app.rich_help_panel)  # else it is lost


def main() -> None:
    """Run the command line."""
    collect_rarely()
    os.umask(PRIVATE_UMASK)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    limit_logs()
    try:
        app(prog_name="ibflow")
    except Exception as error:  # the last one: Python's own 1 would say "does not hold"
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(ExitCode.FAULT)
