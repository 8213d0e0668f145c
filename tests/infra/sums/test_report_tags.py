"""A report's tag: 304 only where the report would be the same, whatever the sink and crashes do."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.ledger import Ledger
from infra.sums.builder import SumsBuilder
from schemas.settings import Settings
from streams.day_marks import DayMarks
from tests import services
from tests.api.conftest import Browser, insert, per_lot, utc
from tests.effort import tries
from tests.infra.sums.crashes import Crash, Fragile
from tests.infra.sums.random_ledger import RandomLedger

WAY = "broker:expense:per_lot > ib:a:pending"
AUGUST = "from=2025-08-30T00:00:00Z&to=2025-09-01T00:00:00Z"
QUESTIONS = (
    f"/v1/reports/commissions?{AUGUST}",
    f"/v1/reports/commissions?{AUGUST}&group_by=class&format=csv",
    f"/v1/reports/commissions?{AUGUST}&group_by=component&compare=before",
    f"/v1/reports/movers?{AUGUST}",
)


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[Client]:
    with services.ledger(tmp_path / "db") as client:
        yield client


@pytest.fixture
def http(chdb: Client) -> Browser:
    return Browser(create_app(Ledger(lambda: chdb), Settings(_env_file=None)))


def build(client: Client) -> None:
    one = SumsBuilder(lambda: client, quiet_s=0)
    one.build()
    one.build_months()


@pytest.mark.parametrize("seed", [1, 2])
def test_304_is_only_said_of_the_same_report(chdb: Client, http: Browser, seed: int) -> None:
    """Batches end before any statement and are stored again; the sink leaves days open now and then.

    After each step the two newest answers are asked for with their tags; where one is said to hold, the
    report that is made now has the same bytes.
    """
    dice, source, marks = random.Random(seed), RandomLedger(seed), DayMarks(chdb)
    given: dict[str, dict[str, bytes]] = {path: {} for path in QUESTIONS}
    held = 0
    for _ in range(tries(3)):
        batch, crash_at = source.batch(), dice.choice((1, 2, 3, 4, 5, 6, 99))
        try:
            batch.store(
                cast(Client, Fragile(chdb, crash_at)), DayMarks(cast(Client, Fragile(chdb, crash_at)))
            )
        except Crash:
            marks = DayMarks(chdb, stay_open_s=dice.choice((0.0, 3_600.0)))
        held += ask_again(http, given)
        if dice.random() < 0.5:
            build(chdb)
        batch.store(chdb, marks)
        held += ask_again(http, given)
    DayMarks(chdb).end()
    build(chdb)
    ask_again(http, given)
    assert ask_again(http, given) >= len(QUESTIONS), "nothing came: every newest tag holds"
    assert held > 0


def ask_again(http: Browser, given: dict[str, dict[str, bytes]]) -> int:
    """How many tags hold; each answer and its tag are remembered."""
    held = 0
    for path, known in given.items():
        answers = [
            (http.get(path, headers={"If-None-Match": tag}), body) for tag, body in [*known.items()][-2:]
        ]
        now = http.get(path)
        assert now.status_code == 200, now.text
        for answer, body in answers:
            if answer.status_code == 304:
                held += 1
                assert (answer.content, now.content) == (b"", body), path
        known[now.headers["ETag"]] = now.content
    return held


def test_rows_of_today_change_no_tag_of_last_month(chdb: Client, http: Browser) -> None:
    """Days go by their marks: what is stored on 8 September leaves the tag of August's last days as it is."""
    source = RandomLedger(5)
    for _ in range(4):
        source.batch().store(chdb)
    path = QUESTIONS[0]
    tag = {"If-None-Match": http.get(path).headers["ETag"]}
    insert(
        chdb,
        "transfers",
        per_lot("new", "a", "live|new", "7.50", WAY) | {"occurred_at": utc(8).replace(year=2025)},
    )
    assert http.get(path, headers=tag).status_code == 304
    assert http.get("/v1/reports/commissions", headers=tag).status_code == 200
    insert(
        chdb,
        "transfers",
        per_lot("late", "a", "live|late", "7.50", WAY) | {"occurred_at": utc(31, month=8).replace(year=2025)},
    )
    assert http.get(path, headers=tag).status_code == 200, "a row of the report itself came"
