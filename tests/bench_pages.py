"""For `make bench`: pages through the whole app, their HTML included; and a tree of ten thousand IBs."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from clickhouse_connect.driver.client import Client
from fastapi import FastAPI
from rich.console import Console

from api.app import create_app
from api.ledger import Ledger
from infra.clickhouse.migrations import migrate
from infra.connect.settings import embedded
from infra.sums.builder import SumsBuilder
from schemas.settings import Settings
from tests import sized_ledger

ASKED = 50
TREE_IBS, TREE_ROWS = 10_000, 300_000
LINE = "{:48}" + "{:>9}" * 3


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a large ledger: its address, anew each time, and within how many ms it is wanted."""

    name: str
    path: Callable[[random.Random], str]
    target_ms: int


def a_month(dice: random.Random) -> str:
    """By its name."""
    return f"{dice.choice(sized_ledger.months())[0]:%Y-%m}"


def an_ib(dice: random.Random, ibs: int = sized_ledger.IBS) -> str:
    """One that has others below it: an eighth of the tree have."""
    return f"ib-{dice.randrange(1, ibs // sized_ledger.FANOUT):0{sized_ledger.digits(ibs)}}"


OF_TEN_MILLION = (
    Page("the overview", lambda dice: f"/?period={a_month(dice)}", 500),
    Page("report by IB", lambda dice: f"/reports?group_by=ib&period={a_month(dice)}", 300),
    Page(
        "report of a sub-tree, by symbol",
        lambda dice: f"/reports?group_by=symbol&below={an_ib(dice)}&period={a_month(dice)}",
        300,
    ),
    Page("an IB's page", lambda dice: f"/ibs/{an_ib(dice)}?period={a_month(dice)}", 300),
    Page("the list of clients", lambda _: "/clients", 300),
)
OF_THE_TREE = (
    Page("the tree's first level, 10,000 IBs", lambda dice: f"/ibs?period={a_month(dice)}", 200),
    Page(
        "a branch of it",
        lambda dice: f"/ibs/branch?ib={an_ib(dice, TREE_IBS)}&period={a_month(dice)}",
        200,
    ),
)


def print_pages(console: Console, connect: Callable[[], Client]) -> None:
    """A line for each page: the median and the 95th of a hundred, in ms, and what is wanted."""
    console.print(LINE.format("pages, as a browser gets them", "p50", "p95", "target"), soft_wrap=True)
    with closing(Ledger(connect)) as ledger:
        _print(console, ledger, OF_TEN_MILLION)


def print_tree(console: Console, folder: Path) -> None:
    """The same of a tree of its own, made in the folder if it is not there."""
    connect = partial(embedded, folder)
    with connect() as client:
        migrate(client)
        if not client.query("SELECT count() FROM transfers").first_row[0]:
            sized_ledger.fill(client, TREE_ROWS, ibs=TREE_IBS)
            with closing(SumsBuilder(connect, quiet_s=0)) as builder:
                builder.build()
                builder.build_months()
    with closing(Ledger(connect)) as ledger:
        _print(console, ledger, OF_THE_TREE)


def _print(console: Console, ledger: Ledger, pages: tuple[Page, ...]) -> None:
    app = create_app(ledger, Settings(_env_file=None))
    with asyncio.Runner() as runner:
        for page in pages:
            found = runner.run(_times_ms(app, page))
            figures = (f"{found[place]:,.0f}" for place in (ASKED // 2, ASKED * 95 // 100))
            console.print(LINE.format(page.name, *figures, f"{page.target_ms:,}"), soft_wrap=True)


async def _times_ms(app: FastAPI, page: Page) -> list[float]:
    """Sorted; the first one, for which routes are built, is not counted."""
    dice, found = random.Random(page.name), []
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
        for _ in range(ASKED + 1):
            path, started = page.path(dice), time.perf_counter()
            answer = await http.get(path)
            found.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200, (path, answer.status_code)
    return sorted(found[1:])
