"""An IB never sees beside or above itself, whatever it asks for; and no question can forget whose it is.

Random trees: each IB has a client, each client trades once and everybody above it earns of that, each by an
amount of its own. A seed says the tree, so that a failure comes again.
"""

import inspect
import json
import pkgutil
import random
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from hashlib import sha256
from importlib import import_module
from typing import Any, get_type_hints

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import api.queries
from api.app import create_app
from api.ledger import Ledger
from api.operators import Operator, Operators
from api.queries.subtrees import scope_below
from api.scope import Scope
from schemas.settings import Settings
from tests.api.conftest import (
    TABLES,
    Browser,
    client_row,
    deal_row,
    insert,
    partner_row,
    rejection_row,
    routes_of,
    statement_row,
    transfer_row,
    utc,
)
from tests.effort import tries

OF_NO_IB = {
    "comparison.interval_before", "periods.periods", "periods.interval", "days.days_of", "days.all_days",
    "days.stamp_of",
    "completeness.holes", "subtrees.scope_below", "postbacks.attempts", "postbacks.deliveries",
    "transfer_keys.places", "newest.unread", "stretches.stretch_of", "stretches.with_touched",
    "native_by_day.has_native",
    "by_days.added_up",
}  # fmt: skip
"""What is asked of the calendar, of servers, and of endpoints, whose routes are for who sees everything; what
makes a scope; and where rows are, for who may see them, or when days were written."""
OF_THE_DESKS = ("payouts", "proposals", "revenue")
"""Modules whose questions take no scope: payouts, their warnings and proposals are of the whole ledger."""


def questions() -> Iterator[tuple[str, Any]]:
    """Every public function of api.queries that asks a ledger something."""
    for found in pkgutil.iter_modules(api.queries.__path__):
        module = import_module(f"api.queries.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                hints = get_type_hints(function)
                if Ledger in hints.values():
                    yield f"{found.name}.{name}", function


def carries_scope(function: Any) -> bool:
    """Whether it cannot be called without a scope: as a parameter, or in the filter that is one."""
    hints = get_type_hints(function)
    required = [
        hints[name]
        for name, one in inspect.signature(function).parameters.items()
        if one.default is inspect.Parameter.empty
    ]
    return Scope in required or any(
        field.type in ("Scope", Scope) and field.default is MISSING
        for one in required
        if is_dataclass(one)
        for field in fields(one)
    )


def test_every_question_carries_a_scope() -> None:
    known = dict(questions())
    assert len(known) > 25
    assert set(known) >= OF_NO_IB
    forgetful = {name for name, function in known.items() if not carries_scope(function)}
    assert {name for name in forgetful if name.partition(".")[0] not in OF_THE_DESKS} == OF_NO_IB


def test_no_route_shows_a_part_what_the_desks_ask() -> None:
    """Who imports it has routes for whoever sees everything alone."""
    for folder in ("api.routes", "api.portal", "api.pages"):
        for found in pkgutil.iter_modules(import_module(folder).__path__):
            source = inspect.getsource(import_module(f"{folder}.{found.name}"))
            desks = f"({'|'.join(OF_THE_DESKS)})"
            asks = rf"api\.queries\.{desks}\b|api\.queries import .*\b{desks}\b|api\.views\.margin\b"
            assert not re.search(asks, source) or "dependencies=[WHOLE]" in source, found.name


class World:
    """A tree of IBs, and the rows of a ledger about it."""

    def __init__(self, parents: list[int | None]) -> None:
        self.ibs = [f"ib{number}x" for number in range(len(parents))]
        self.parents = [None if one is None else self.ibs[one] for one in parents]
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for number, ib in enumerate(self.ibs):
            self._add(number, ib)

    def _add(self, number: int, ib: str) -> None:
        path, client = self.way_up(ib), f"cl{number}x"
        parent = self.parents[number]
        self.rows["partners"].append(partner_row(ib, f"Name{number}x", parent, kyc=True))
        self.rows["clients"].append(client_row(client, ib))
        self.rows["deals"].append(deal_row(number, 1, "1") | {"comment": f"note{number}x"})
        self.rows["statements"].append(statement_row(f"st-{ib}", ib, "USD", "5", "5"))
        self.rows["rejections"].append(
            rejection_row(900 + number, "rejected", "plan_suspended")
            | {"client_id": client, "text": f"{path[-1]} is suspended", "account_key": f"live/{number}"}
        )
        for depth, one in enumerate(path):
            amount = str(self.amount_of(one))
            facts = {"lots": "1", "amount": f"{amount} USD", "all_ibs": "98765.4321", "budget": "1"}
            self.rows["transfers"].append(
                transfer_row(
                    f"t-{number}-{one}", "accrual", one, f"live|{number}", amount,
                    f"broker:expense:per_lot > ib:{one}:pending",
                    client_id=client, account_key="live/1001", component="per_lot", path=path, depth=depth,
                    symbol="EURUSD", lots=Decimal(1), factors=facts,
                )
            )  # fmt: skip

    def amount_of(self, ib: str) -> Decimal:
        """What an IB earns of each deal below it: 3.00, 3.01, 3.02 and so on."""
        return Decimal(300 + self.ibs.index(ib)) / 100

    def way_up(self, ib: str) -> list[str]:
        """The IB and all above it."""
        found, at = [], ib
        while at is not None:
            found.append(at)
            at = self.parents[self.ibs.index(at)]
        return found

    def below(self, ib: str) -> set[str]:
        """The IB and all below it, by another way than the API's: from each one up."""
        return {one for one in self.ibs if ib in self.way_up(one)}

    def hidden_words(self, ib: str) -> set[str]:
        """What an answer to this IB may not hold: ids, names, clients and notes of all others."""
        numbers = {number for number, one in enumerate(self.ibs) if one not in self.below(ib)}
        return {f"{word}{number}x" for number in numbers for word in ("ib", "Name", "cl", "note")}


PATHS = {
    "transfer_id": "t-{own}-{ib}", "statement_id": "st-{ib}", "ib_id": "{ib}", "proposal_id": "p-1",
    "name": "x", "key_id": "x", "session": "x", "batch_id": "b-1", "change_id": "c-1",
    "dead_letter_id": "d1", "version": "1", "plan_id": "gold", "client_id": "cl{own}x", "endpoint_id": "x",
    "code": "spring", "export_id": "x",
}  # fmt: skip
ASKED_MORE = [
    "/?period=2026-09&currency=USD",
    "/v1/partners?period=2026-09",
    *("/ibs?q=ib", "/ibs/branch?ib={ib}", "/deals?key=live|{own}", "/deals?key=live|{refused}"),
    *("/accounts?key=live/1001", "/accounts?key=live/{own}", "/unpaid?kind=someone", "/unpaid?kind=plan"),
    *(f"/search?q={text}" for text in ("ib", "Name", "cl", "1001", "0", "{own}", "st-", "t-{own}-{ib}")),
    *(f"/reports?group_by={one}&then_by=ib" for one in ("client", "day", "plan", "level")),
    "/reports?group_by=client&compare=before&period=2026-09",
    "/v1/transfers?deal=live|{own}",
    "/v1/transfers/t-{own}-{ib}/explain?format=text",
    "/v1/transfers/t-{own}-{ib}/explain?format=html",
    "/v1/rejections/explain?deal=live|{refused}",
    "/v1/terms?ib={ib}",
    "/v1/reports/commissions?period=2026-09&compare=before",
    "/v1/reports/commissions?from=2026-08-01&to=2026-10-01&compare=before",
    "/v1/reports/movers?from=2026-08-01&to=2026-10-01&limit=1000",
    "/v1/reports/commissions?scope={ib}",
    "/v1/reports/commissions?top=3",
    *(f"/v1/reports/commissions?group_by={one}&group_by=ib" for one in (
        "level", "client", "country", "server", "group", "symbol", "class", "component", "plan", "day",
        "week", "month", "period",
    )),
    *(f"/v1/reports/commissions?format={kind}&group_by=ib,client" for kind in ("csv", "arrow", "parquet")),
]  # fmt: skip


def as_ib(ledger: Ledger, ib: str, **more: Any) -> Browser:
    """The API as an IB reads it."""
    who = Operator(ib, is_person=True, may_write=False, ibs=(ib,), role="ib")
    operators = Operators("", [(sha256(b"secret").hexdigest(), who)])
    return Browser(create_app(ledger, Settings(_env_file=None, **more), operators=operators))


def ask(browser: Browser, path: str) -> tuple[int, str]:
    """Status, and body and headers as one text."""
    found = browser.get(path, headers={"Authorization": "Bearer secret"})
    return found.status_code, found.content.decode("utf-8", "replace") + json.dumps(dict(found.headers))


def without(text: str, *words: str) -> str:
    """The text without what the caller itself had said."""
    for word in words:
        text = text.replace(word, "")
    return text


def hidden_in(text: str, world: World, ib: str) -> set[str]:
    return {word for word in world.hidden_words(ib) if re.search(rf"(?<![A-Za-z0-9]){word}(?![0-9])", text)}


ALL_IBS = re.compile("(?<![A-Za-z0-9])98765(?![A-Za-z0-9])")
"""What all IBs of a deal get together; not the same digits within a digest."""


def store(chdb: Client, world: World) -> None:
    for table in TABLES:
        chdb.command(f"TRUNCATE TABLE {table}")
    for table, rows in world.rows.items():
        if rows:
            insert(chdb, table, *rows)
    starts = {"period": "2026-09", "starts_at": utc(1, 0), "ends_at": utc(1, 0, month=10)}
    insert(chdb, "periods", starts | {"_topic": "t", "_partition": 0, "_offset": 1})


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int | None], int]:
    """Of each IB its parent, an earlier one or none; and the one that asks."""
    count = draw(st.integers(2, 7))
    parents: list[int | None] = [None]
    parents += [draw(st.one_of(st.none(), st.integers(0, number - 1))) for number in range(1, count)]
    return parents, draw(st.integers(0, count - 1))


@given(trees())
@settings(
    max_examples=tries(2),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_an_ib_never_sees_beside_or_above_itself(
    chdb: Client, empty_ledger: Ledger, drawn: tuple[list[int | None], int]
) -> None:
    parents, asking = drawn
    world = World(parents)
    store(chdb, world)
    ib, browser = world.ibs[asking], as_ib(empty_ledger, world.ibs[asking])
    assert scope_below(empty_ledger, [ib], utc(20, month=11)).ibs == world.below(ib)

    own = {"ib": ib, "own": str(asking), "refused": str(900 + asking)}
    asked = [
        re.sub(r"{(\w+)(?::path)?}", lambda m: PATHS[m[1]].format(**own), path) for path in routes_of("GET")
    ]
    asked += [path.format(**own) for path in ASKED_MORE]
    answered = 0
    for path in asked:
        status, text = ask(browser, path)
        assert status < 500 or "process" in text, path  # a desk that is not here
        answered += status == 200
        assert hidden_in(without(text, path), world, ib) == set(), path
        assert not ALL_IBS.search(text), path
    assert answered >= 38, answered

    for other in set(world.ibs) - world.below(ib):
        number = world.ibs.index(other)
        for path in (f"/v1/transfers/t-{number}-{{}}", "/v1/statements/st-{}/export", "/v1/terms?ib={}",
                     "/v1/reports/commissions?scope={}", "/ibs/{}", "/ibs/branch?ib={}",
                     "/statements/st-{}", "/reports?below={}"):  # fmt: skip
            assert as_unknown(browser, path, other) == 404
        for path in ("/v1/transfers?ib={}", "/v1/statements?ib={}", "/v1/reports/commissions?ib={}"):
            assert as_unknown(browser, path, other) == 200
        for path in ("/v1/client-events?client={}", "/v1/reports/commissions?client={}"):
            assert as_unknown(browser, path, f"cl{number}x") == 200

    # By hand: each deal of a client below pays the IB once, and every IB between them.
    wanted = sum(
        (world.amount_of(one) for start in world.below(ib) for one in world.way_up(start)
         if one in world.below(ib)),
        Decimal(0),
    )  # fmt: skip
    _, text = ask(browser, "/v1/reports/commissions?group_by=ib")
    (totals,) = json.loads(text[: text.rindex("{")])["totals"]
    assert Decimal(totals["net"]) == wanted
    assert totals["deals"] == len(world.below(ib))


def as_unknown(browser: Browser, path: str, hidden: str) -> int:
    """The status; the answer about what is not seen is that about what nobody has."""
    answers = [
        (found.status_code, without(found.text, word))
        for word in (hidden, "nobody")
        for found in [browser.get(path.format(word), headers={"Authorization": "Bearer secret"})]
    ]
    assert answers[0] == answers[1]
    return answers[0][0]


@pytest.mark.parametrize("seed", range(2))
def test_whoever_sees_all_is_shown_all(chdb: Client, empty_ledger: Ledger, seed: int) -> None:
    dice = random.Random(seed)
    world = World([None, *(dice.choice([None, dice.randrange(n)]) for n in range(1, 6))])
    store(chdb, world)
    browser = Browser(create_app(empty_ledger, Settings(_env_file=None)))
    text = browser.get("/v1/partners").text
    assert all(ib in text for ib in world.ibs)
    text = browser.get("/v1/transfers", params={"limit": 1000}).text
    assert ALL_IBS.search(text)
    assert len(json.loads(text)["items"]) == sum(len(world.way_up(ib)) for ib in world.ibs)


KEY = "a key of more than thirty-two characters"


@given(trees())
@settings(
    max_examples=tries(1),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_with_a_key_of_pseudonyms_an_ib_sees_no_client_by_name(
    chdb: Client, empty_ledger: Ledger, drawn: tuple[list[int | None], int]
) -> None:
    """No id, login or comment of a client, its own clients included; by their pseudonyms it goes on."""
    parents, asking = drawn
    world = World(parents)
    store(chdb, world)
    ib, browser = world.ibs[asking], as_ib(empty_ledger, world.ibs[asking], pseudonym_key=KEY)
    own = {"ib": ib, "own": str(asking), "refused": str(900 + asking)}
    asked = [re.sub(r"{(\w+)}", lambda m: PATHS[m[1]].format(**own), path) for path in routes_of("GET")]
    asked += [path.format(**own) for path in ASKED_MORE if "arrow" not in path and "parquet" not in path]
    for path in asked:
        _, text = ask(browser, path)
        said = (path, path.rpartition("=")[2]) if path.startswith("/search") else (path,)
        found = re.search(r"\bcl\d+x|note\d+x|1001", without(text, *said))
        assert found is None, (path, found)
        assert len(said) == 1 or not re.search("<h3>(Logins|Clients)<", text), path

    def get(path: str) -> Any:
        return browser.get(path, headers={"Authorization": "Bearer secret"}).json()

    by_client = get("/v1/reports/commissions?group_by=client")["items"]
    assert len(by_client) == len(world.below(ib))
    shown = [row["client_id"] for row in by_client]
    assert len(set(shown)) == len(shown)
    assert all(re.fullmatch(r"client-[0-9a-f]{24}", one) for one in shown)
    (of_one,) = get(f"/v1/reports/commissions?client={shown[0]}&group_by=client")["items"]
    assert of_one == by_client[0], "a pseudonym finds its client again"
    assert get(f"/v1/transfers?client={shown[0]}")["items"] != []
    assert get("/v1/transfers?client=client-" + "0" * 24)["items"] == []
    pages, cursor = [], ""
    while cursor is not None:
        page = get(f"/v1/reports/commissions?group_by=client&limit=1&cursor={cursor}")
        pages, cursor = [*pages, *page["items"]], page["next_cursor"]
    assert [row["client_id"] for row in pages] == shown, "pages go on after a pseudonym"
    status, text = ask(browser, f"/v1/statements/st-{ib}/export")
    assert status in (200, 409), text
