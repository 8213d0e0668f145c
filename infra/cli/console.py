"""What commands share: output, exit codes, errors as sentences."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from schemas.errors import Unavailable, Unusable

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

EXIT_BROKEN = 1
EXIT_USAGE = 2
EXIT_REJECTED = EXIT_UNAVAILABLE = 3

Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@contextmanager
def told() -> Iterator[None]:
    """What a person can mend is a sentence and an exit code, not a traceback."""
    try:
        yield
    except Unusable as error:
        err.print(f"[red]{escape(str(error))}[/]", highlight=False)
        raise typer.Exit(EXIT_USAGE) from None
    except Unavailable as error:
        err.print(f"[red]{escape(str(error))}[/]", highlight=False)
        raise typer.Exit(EXIT_UNAVAILABLE) from None


@contextmanager
def interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that everything can be stopped in order."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    yield stop
