"""What commands share: output, options, exit codes, errors as sentences.

Modules of commands import only this, typer and the standard library at their top; what a command runs is
imported when it runs, so that `ibflow --help` answers at once.
"""

import json
import signal
import threading
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
    """How a command ends, for scripts; 0 is fine."""

    BROKEN = 1
    """An invariant does not hold, a case failed, a partition is stopped, differences stay open."""
    USAGE = 2
    """The input or the options cannot be used."""
    REJECTED = 3
    """Some rows could not be used; the others were."""
    UNAVAILABLE = 3
    """A service that is needed does not answer."""


Json = Annotated[bool, typer.Option("--json", help="For machines.")]
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


@contextmanager
def interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that everything can be stopped in order."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    yield stop
