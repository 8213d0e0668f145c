"""`ibflow replay`: the same books give the same ledger, and a row that was changed is found where it is."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from typer.testing import CliRunner

from commission.outputs import Transfer
from commission.terms.calendar import PeriodEnded
from infra.archive.log import Logged, Stored
from infra.archive.memory_log import MemoryLog
from infra.cli.app import app
from infra.replay.compare import Replay, parse_until, replay
from infra.replay.fold import RowsHash
from schemas import topics
from schemas.errors import Unusable
from schemas.settings import Settings
from schemas.wire import Record, encode
from tests import services
from tests.history import history, store
from tests.synthetic import Synthetic


def records() -> list[Record]:
    broker = Synthetic(clients=12, deals=60)
    return [*broker.terms(), *broker.crm(), *broker.trades(), PeriodEnded(period="2026-09")]


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    """60 deals of 12 clients over three partitions, with September closed."""
    return history(records())


def replayed(log: MemoryLog, *until: str) -> Replay:
    return replay(log, "lists", until=parse_until(list(until)), workers=0)


def differing(found: Replay) -> list[str]:
    return [one.partition for one in found.partitions if not one.same]


def without(log: MemoryLog, topic: str, number: int, offset: int) -> MemoryLog:
    """The log with one message lost."""
    partitions = list(log.topics[topic])
    partitions[number] = [message for message in partitions[number] if message.offset != offset]
    return MemoryLog({**log.topics, topic: partitions})


def test_the_same_books_give_the_same_ledger(log: MemoryLog) -> None:
    """All six partitions agree: 30 closings by 3 levels, and what closes September for 3 IBs."""
    found = replayed(log)
    assert [] == differing(found)
    assert found.holds
    assert found.hash == found.stored_hash
    by_book = {
        book: sum(one.rows for one in found.partitions if one.partition.startswith(book))
        for book in ("client-book", "partner-book")
    }
    assert 30 * 3 == by_book["client-book"]
    assert by_book["partner-book"] >= 3 * 2
    assert 0 == sum(one.behind for one in found.partitions)


def altered(log: MemoryLog, topic: str) -> tuple[MemoryLog, str]:
    """One stored row with a cent more, and the origin of its message."""
    for number, messages in enumerate(log.topics[topic]):
        for message in messages:
            (stored,) = list(log_of([message])) or [None]
            row = next((row for row in stored.rows if isinstance(row, Transfer)), None) if stored else None
            if row is None:
                continue
            other = replace(row, amount=row.amount + Decimal("0.01"))
            value = message.value.replace(encode([row])[0], encode([other])[0])
            assert value != message.value
            partitions = list(log.topics[topic])
            partitions[number] = [m._replace(value=value) if m == message else m for m in messages]
            return MemoryLog({**log.topics, topic: partitions}), message.source.rsplit("/", 2)[0]
    raise AssertionError("there is no transfer")


def log_of(messages: list[Logged]) -> Iterator[Stored]:
    return MemoryLog({"one": [messages]}).stored("one", 0)


def test_a_settlement_with_a_cent_more_is_found(log: MemoryLog) -> None:
    """Only the partition of the partner book that sent it differs."""
    changed, origin = altered(log, topics.SETTLEMENTS)
    found = replayed(changed)
    assert [origin] == differing(found)
    assert "rows differ in settlements/" in "".join(one.note for one in found.partitions)


def test_a_lost_message_is_named(log: MemoryLog) -> None:
    """A hole in the middle, and an end that is missing."""
    hole = replayed(without(log, topics.CLIENT_BOOK, 1, 12))
    (one,) = (one for one in hole.partitions if one.partition == "client-book/1")
    assert "offset 13 follows 11" in one.note
    assert not hole.holds


def test_rows_that_are_not_stored_yet_are_no_difference(log: MemoryLog) -> None:
    """The store is behind by whole messages: told, not found fault with."""
    cut = {
        **log.topics,
        topics.SETTLEMENTS: [messages[:-1] for messages in log.topics[topics.SETTLEMENTS]],
        topics.PARTNER_BOOK: [messages[:-5] for messages in log.topics[topics.PARTNER_BOOK]],
    }
    late = replayed(MemoryLog(cut))
    assert late.holds
    assert sum(one.behind for one in late.partitions) > 0


def test_until_folds_and_compares_no_further(log: MemoryLog) -> None:
    """As many messages as asked for, with their rows only; a wrong position is refused."""
    found = replayed(log, "client-book/0/20")
    (one,) = (one for one in found.partitions if one.partition == "client-book/0")
    assert (21, True) == (one.messages, one.same)
    whole = next(one for one in replayed(log).partitions if one.partition == "client-book/0")
    assert 0 < one.rows < whole.rows
    for text in ("client-book/0", "terms/0/5", "client-book/x/1"):
        with pytest.raises(Unusable, match="client-book/3/1200"):
            parse_until([text])
    with pytest.raises(Unusable, match="3 partitions"):
        replayed(log, "client-book/7/30")


def test_worker_processes_agree_with_one(log: MemoryLog) -> None:
    """Two spawned processes give what this one gives."""
    parallel = replay(log, "lists", workers=2)
    assert replayed(log) == parallel


def test_the_hash_is_of_the_rows_and_not_of_their_order() -> None:
    """Two rows in either order; any fact of one changed is another hash; sums of parts are the whole's."""
    rows = [row for stored in history(records()).stored(topics.PARTNER_BOOK, 0) for row in stored.rows]
    one, other, first, second = RowsHash(), RowsHash(), RowsHash(), RowsHash()
    for row in rows:
        one.add(row)
    for row in reversed(rows):
        other.add(row)
    for number, row in enumerate(rows):
        (first if number % 2 else second).add(row)
    first.join(second)
    assert one.hex() == other.hex() == first.hex()
    changed = RowsHash()
    for row in [replace(rows[0], caused_by="another"), *rows[1:]]:
        changed.add(row)
    assert one.hex() != changed.hex()


# In a real ClickHouse


@pytest.fixture(params=services.ledger_kinds())
def ledger(request: pytest.FixtureRequest, log: MemoryLog, tmp_path: Path) -> Iterator[Client]:
    """The same history, stored; on each ClickHouse there is."""
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir, request.param) as client:
        store(client, log)
        yield client


def command(folder: Path, *arguments: str) -> dict[str, object]:
    environment = {"IBFLOW_DATA_DIR": str(folder), "IBFLOW_CLICKHOUSE": ""}
    result = CliRunner().invoke(app, ["replay", "--json", "--workers", "2", *arguments], env=environment)
    assert result.exit_code in (0, 1), result.output
    found: dict[str, object] = json.loads(result.stdout)
    assert found["holds"] is (result.exit_code == 0)
    return found


def changed_rows(client: Client, table: str, change: str, where: str) -> None:
    """Tamper with stored rows."""
    client.command(f"ALTER TABLE {table} UPDATE {change} WHERE {where} SETTINGS mutations_sync = 1")


@pytest.mark.parametrize("ledger", ["chdb"], indirect=True)
def test_a_planted_difference_is_found_in_its_partition(
    ledger: Client, log: MemoryLog, tmp_path: Path
) -> None:
    """One altered amount: the command names the partition of the client that caused it, and no other."""
    whole = command(tmp_path)
    assert whole["holds"] is True
    assert replayed(log).hash == whole["hash"] == whole["stored_hash"]
    found = ledger.query("SELECT transfer_id, client_id FROM transfers FINAL WHERE code = 'accrual' LIMIT 1")
    transfer_id, client_id = found.first_row
    changed_rows(
        ledger,
        "transfers",
        "amount = amount + toDecimal128('0.00000001', 8)",
        f"transfer_id = '{transfer_id}'",
    )
    partitions = command(tmp_path)["partitions"]
    assert isinstance(partitions, list)
    wrong = [one["partition"] for one in partitions if not one["same"]]
    assert [f"client-book/{topics.partition_of(client_id, 3)}"] == wrong


@pytest.mark.parametrize("ledger", ["chdb"], indirect=True)
def test_rows_lost_and_rows_from_nowhere_are_found(ledger: Client, tmp_path: Path) -> None:
    """The newest settlement's rows deleted; a row whose message never was."""
    ib_id, offset, partition = ledger.query(
        "SELECT ib_id, _offset, _partition FROM statements FINAL ORDER BY _offset DESC LIMIT 1"
    ).first_row
    for table in ("transfers", "statements"):
        where = f"_topic = 'settlements' AND _partition = {partition} AND _offset = {offset}"
        ledger.command(f"DELETE FROM {table} WHERE {where}")  # noqa: S608
    columns = ["transfer_id", "code", "amount", "ib_id", "_topic", "_partition", "_offset"]
    ledger.insert("transfers", [["x", "accrual", Decimal(5), ib_id, "partner-book", 0, 100_000]], columns)
    found = command(tmp_path)
    partitions = found["partitions"]
    assert isinstance(partitions, list)
    wrong = {one["partition"]: one["note"] for one in partitions if not one["same"]}
    assert {f"partner-book/{partition}": f"the rows of settlements/{partition}/{offset} are missing"} == wrong
    assert 1 == found["strays"]
