"""Transfers are found by their ids and causes wherever they are, in a ledger that was there before, too."""

from datetime import date
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import chains
from api.queries import transfers as queries
from api.queries.transfer_keys import near_values, places
from api.scope import EVERYTHING
from infra.clickhouse import migrations
from tests import services
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
        of = queries.placed(ledger, EVERYTHING, row["transfer_id"])
        assert of is not None
        expected = {
            other["transfer_id"]
            for other in rows
            if other["transfer_id"] in ids
            or other["reverses"] in ids
            or (cause and all(other[name] == row[name] for name in ("caused_by", "ib_id", "component")))
        }
        assert expected == {other["transfer_id"] for other in chains.chain(ledger, EVERYTHING, of)}
        of_cause = queries.transfers(ledger, queries.TransferFilter(EVERYTHING, deal=row["caused_by"]), 1_000)
        same = [other for other in rows if other["caused_by"] == row["caused_by"]]
        same.sort(key=lambda other: (other["occurred_at"], other["transfer_id"]), reverse=True)
        assert [other["transfer_id"] for other in same] == [one["transfer_id"] for one in of_cause["items"]]
    assert queries.transfer(ledger, EVERYTHING, "unknown") is None


def test_what_takes_a_row_back_is_looked_for_on_its_own_day(tmp_path: Path) -> None:
    """t1 of 1 May for IB a goes back on 9 May: both days; its cause for IB b is another place."""
    with services.ledger(tmp_path / "db", "chdb") as client:
        client.command("""
            INSERT INTO transfers (transfer_id, code, ib_id, occurred_at, caused_by, reverses) VALUES
            ('t1', 'accrual', 'a', '2026-05-01 10:00:00', 'live|1', NULL),
            ('t2', 'accrual', 'b', '2026-05-02 10:00:00', 'live|1', NULL),
            ('t3', 'reversal', 'a', '2026-05-09 10:00:00', 'cb-1', 't1')
        """)
        ledger = Ledger(lambda: client)
        of_a = {(date(2026, 5, 1), "a"), (date(2026, 5, 9), "a")}
        assert of_a == places(ledger, "t1")
        assert places(ledger, "live|1") == {(date(2026, 5, 1), "a"), (date(2026, 5, 2), "b")}
        assert places(ledger, "live|1", "a") == {(date(2026, 5, 1), "a")}
        assert places(ledger, "none") == frozenset()
        assert near_values(places(ledger, "t1")) == {
            "days": [date(2026, 5, 1), date(2026, 5, 9)],
            "ibs": ["a"],
        }


def test_a_cause_is_followed_to_other_days(tmp_path: Path) -> None:
    """A chargeback takes t1 of 1 May on the 9th and t2 of 3 May on the 10th: each has the other beside it.

    So does what each takes back; t5 is of the same cause, of another component, and stands beside neither.
    """
    with services.ledger(tmp_path / "db", "chdb") as client:
        client.command("""
            INSERT INTO transfers
            (transfer_id, code, ib_id, component, occurred_at, caused_by, reverses, _offset) VALUES
            ('t1', 'accrual', 'a', 'cpa', '2026-05-01 10:00:00', 'dep-1', NULL, 1),
            ('t2', 'accrual', 'a', 'cpa', '2026-05-03 10:00:00', 'dep-2', NULL, 2),
            ('t3', 'reversal', 'a', 'cpa', '2026-05-09 10:00:00', 'cb-1', 't1', 3),
            ('t4', 'reversal', 'a', 'cpa', '2026-05-10 10:00:00', 'cb-1', 't2', 4),
            ('t5', 'reversal', 'a', 'lots', '2026-05-10 10:00:00', 'cb-1', 't6', 5)
        """)
        ledger = Ledger(lambda: client)

        def beside(transfer_id: str) -> list[str]:
            of = queries.placed(ledger, EVERYTHING, transfer_id)
            assert of is not None
            return sorted(row["transfer_id"] for row in chains.chain(ledger, EVERYTHING, of))

        assert beside("t3") == ["t1", "t3", "t4"]
        assert beside("t4") == ["t2", "t3", "t4"]
        assert beside("t1") == ["t1", "t3"]


def test_what_caused_very_much_is_listed_whole(tmp_path: Path) -> None:
    """1,100 transfers of one cause, each of another IB: all of them, by pages of 1,000."""
    with services.ledger(tmp_path / "db", "chdb") as client:
        client.command("""
            INSERT INTO transfers (transfer_id, code, ib_id, occurred_at, caused_by)
            SELECT toString(number), 'accrual', toString(number), '2026-05-01 10:00:00', 'live|1'
            FROM numbers(1100)
        """)
        ledger, wanted = Ledger(lambda: client), queries.TransferFilter(EVERYTHING, deal="live|1")
        first = queries.transfers(ledger, wanted, 1_000)
        second = queries.transfers(ledger, wanted, 1_000, first["next_cursor"])
        found = [row["transfer_id"] for row in (*first["items"], *second["items"])]
        assert (len(first["items"]), len(found)) == (1_000, 1_100)
        assert sorted(found) == sorted(str(number) for number in range(1_100))
