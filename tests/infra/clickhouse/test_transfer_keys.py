"""Transfers are found by their ids and causes wherever they are, in a ledger that was there before, too."""

from datetime import date
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import transfers as queries
from api.queries.transfer_keys import days_and_ibs
from api.scope import EVERYTHING
from infra.clickhouse import migrations
from tests.infra.sums import naive
from tests.infra.sums.random_ledger import RandomLedger

KEYS = migrations.HERE / "0041_transfer_keys.sql"


def test_rows_of_before_are_found_and_so_are_later_ones(tmp_path: Path) -> None:
    """Interrupted before each statement in turn: an id of any row, old or new, leads to its day and IB."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        migrations.migrate(client, until="0040")
        source = RandomLedger(7)
        for _ in range(10):
            client_insert(client, source)
        for reached in range(len(migrations.statements(KEYS))):
            for statement in migrations.statements(KEYS)[:reached]:
                client.command(statement)
        assert "0041_transfer_keys" in migrations.migrate(client)
        all_are_found(client)
        for _ in range(10):
            source.batch().store(client)
        all_are_found(client)


def client_insert(client: Client, source: RandomLedger) -> None:
    """Transfers alone, as they came: nothing else has keys."""
    block = b"\n".join(source.batch().lines.get("transfers", []))
    settings = {"date_time_input_format": "best_effort", "input_format_skip_unknown_fields": 1}
    client.raw_insert("transfers", insert_block=block, fmt="JSONEachRow", settings=dict(settings))


def all_are_found(client: Client) -> None:
    """Against the rows as they stand: each alone, what takes it back, and all of its cause for the IB."""
    rows, ledger = naive.read(client, "transfers"), Ledger(lambda: client)
    assert len(rows) > 20
    for row in rows:
        found = queries.transfer(ledger, EVERYTHING, row["transfer_id"])
        assert found is not None
        assert row["amount"] == found["amount"]
        ids = [row["transfer_id"], row["reverses"] or row["transfer_id"]]
        cause = "" if row["code"] in ("statement", "rounding") else row["caused_by"]
        links = queries.links(ledger, EVERYTHING, row["transfer_id"])
        assert links is not None
        expected = {
            other["transfer_id"]
            for other in rows
            if other["transfer_id"] in ids
            or other["reverses"] in ids
            or (cause and all(other[name] == row[name] for name in ("caused_by", "ib_id", "component")))
        }
        assert expected == {
            other["transfer_id"] for other in queries.chain(ledger, EVERYTHING, row["transfer_id"], links)
        }
    assert queries.transfer(ledger, EVERYTHING, "unknown") is None
    assert queries.links(ledger, EVERYTHING, "unknown") is None


def test_what_takes_a_row_back_is_looked_for_on_its_own_day(tmp_path: Path) -> None:
    """t1 of 1 May for IB a goes back on 9 May: both days; its cause for IB b is another place."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        migrations.migrate(client)
        client.command("""
            INSERT INTO transfers (transfer_id, code, ib_id, occurred_at, caused_by, reverses) VALUES
            ('t1', 'accrual', 'a', '2026-05-01 10:00:00', 'live|1', NULL),
            ('t2', 'accrual', 'b', '2026-05-02 10:00:00', 'live|1', NULL),
            ('t3', 'reversal', 'a', '2026-05-09 10:00:00', 'cb-1', 't1')
        """)
        ledger = Ledger(lambda: client)
        found = {"days": [date(2026, 5, 1), date(2026, 5, 9)], "ibs": ["a"]}
        assert found == days_and_ibs(ledger, ("t1", "t1"), "", "")
        assert found == days_and_ibs(ledger, ("t1", "t1"), "live|1", "a")
        both = {"days": [date(2026, 5, 1), date(2026, 5, 2)], "ibs": ["a", "b"]}
        assert both == days_and_ibs(ledger, ("live|1", "none"), "", "")
