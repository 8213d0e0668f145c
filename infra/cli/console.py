"""What commands share: output, options, exit codes, errors as sentences.

Modules of commands import only this, typer and the standard library at their top; what a command runs is
imported when it runs, so that `ibflow --help` answers at once.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from schemas.errors import Unavailable, Unusable

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

PROCESSES = "Processes"
DAILY = "Daily work"
TOOLS = "Tools"
"""The panels of `ibflow --help`."""


class ExitCode(IntEnum):
    """How a command ends, for scripts; 0 is fine, and each number means one thing."""

    BROKEN = 1
    """It was checked and does not hold: an invariant, a case, a stopped partition, open differences."""
    USAGE = 2
    """Nothing was done: the input, the options, a setting or a token cannot be used, or nobody confirmed."""
    REJECTED = 3
    """Some rows could not be used; the others were."""
    UNAVAILABLE = 4
    """A service that is needed does not answer."""
    FAULT = 70
    """A fault of ours, with a traceback."""


Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking; needed where there is no terminal.")]
TermsDir = Annotated[
    Path, typer.Option("--terms", exists=True, file_okay=False, help="Folder of terms YAML.")
]
Workers = Annotated[
    int | None, typer.Option(min=0, max=64, help="Processes; by default one a core; 0: this one only.")
]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def say(text: object) -> None:
    """A line on stdout, as it is: brackets in it are not markup."""
    out.print(escape(str(text)))


def warn(text: object) -> None:
    """A yellow line on stderr."""
    err.print(f"[yellow]{escape(str(text))}[/]")


def complain(text: object) -> None:
    """A red line on stderr."""
    err.print(f"[red]{escape(str(text))}[/]")


def print_json(value: Any) -> None:
    """The answer to `--json`: one document on stdout."""
    typer.echo(json.dumps(value, indent=2))


def confirm(what: str, *, yes: bool) -> None:
    """Ask before what cannot be taken back; without a yes, nothing is done and the command exits with 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        complain(f"{what}. Nothing was done: add --yes to do it, as there is no terminal to ask at")
        raise typer.Exit(ExitCode.USAGE)
    if input_yes(what):
        return
    complain("nothing was done")
    raise typer.Exit(ExitCode.USAGE)


def input_yes(what: str) -> bool:
    """Whether a person at the terminal says yes; Ctrl-C and Ctrl-D are a no."""
    try:
        return typer.confirm(f"{what}. Do it?", err=True)
    except typer.Abort:
        return False


def confirm_overwrite(*paths: Path | None, yes: bool) -> None:
    """Ask before files that exist are replaced."""
    there = [str(path) for path in paths if path is not None and path.exists()]
    if there:
        confirm(f"{' and '.join(there)} would be replaced", yes=yes)


@contextmanager
def mendable_errors() -> Iterator[None]:
    """What a person can correct is a sentence and an exit code, not a traceback."""
    try:
        yield
    except Unusable as error:
        complain(error)
        raise typer.Exit(ExitCode.USAGE) from None
    except Unavailable as error:
        complain(error)
        raise typer.Exit(ExitCode.UNAVAILABLE) from None
    except Exception as error:
        from infra.connect.failures import as_unavailable

        if (away := as_unavailable(error)) is None:
            raise
        complain(away)
        raise typer.Exit(ExitCode.UNAVAILABLE) from None
