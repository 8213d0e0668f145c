"""The ledger is looked at in the background: new rows each time, months in turn; what is wrong is loud."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries.balance import verified
from api.scope import EVERYTHING
from infra.sums.builder import SumsBuilder
from infra.sums.checks import check_month, check_rows
from tests import services

INSERT = """
INSERT INTO transfers
    (transfer_id, occurred_at, amount, caused_by, reverses, code, debit, credit, currency, ib_id)
SELECT *, if(reverses IS NULL, 'accrual', 'reversal') AS code,
    if(reverses IS NULL, 'broker:expense:per_lot', 'ib:a:pending') AS debit,
    if(reverses IS NULL, 'ib:a:pending', 'broker:expense:per_lot') AS credit, 'USD', 'a'
FROM VALUES('id String, at String, amount Decimal(38, 8), cause String, reverses Nullable(String)', {rows})
"""
SOUND = """
    ('t1', '2026-05-01 10:00:00', 7, 'live|1', NULL), ('t2', '2026-06-01 10:00:00', 3, 'live|2', NULL),
    ('t3', '2026-06-02 10:00:00', 7, 'cb', 't1')
"""
UNSOUND = """
    ('x1', '2026-06-03 10:00:00', 7, 'y', 't1'), ('x2', '2026-06-03 10:00:00', 7, 'y', 'no'),
    ('x3', '2026-06-03 10:00:00', 0, 'live|9', NULL)
"""
CLOSED = "INSERT INTO day_marks SELECT day, mark + 1, false FROM day_marks FINAL"
NONE = {
    "amounts_not_positive": 0,
    "accounts_missing": 0,
    "reversals_without_original": 0,
    "originals_reversed_twice": 0,
    "sums_different": 0,
}


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[Client]:
    """Three transfers of two months, whose days have sums."""
    with services.ledger(tmp_path / "db") as client:
        client.command(INSERT.format(rows=SOUND))
        client.command(CLOSED)
        SumsBuilder(lambda: client, quiet_s=0).build()
        yield client


def found(client: Client) -> dict[str, Any]:
    """What the portal shows of the looks."""
    return verified(Ledger(lambda: client), EVERYTHING)


def test_months_are_looked_at_in_turn(chdb: Client) -> None:
    """May, June, and May again, for nothing is older; `months_since` is then June's look."""
    check_rows(chdb)
    assert "months_since" not in found(chdb)
    assert ["202605", "202606"] == [check_month(chdb), check_month(chdb)]
    first = found(chdb)
    assert (True, NONE) == (first["balanced"], first["checks"])
    assert "202605" == check_month(chdb)
    assert first["months_since"] < found(chdb)["months_since"] < found(chdb)["checked_at"]


def test_a_sum_that_is_not_its_rows_is_loud(chdb: Client, caplog: pytest.LogCaptureFixture) -> None:
    """One cent more in a sum of June: May's look has nothing, June's has one, until it is built again."""
    chdb.command("""
        INSERT INTO day_sums SELECT * REPLACE (accrued + toDecimal128('0.01', 8) AS accrued) FROM day_sums
        WHERE day = '2026-06-01' LIMIT 1
    """)
    check_rows(chdb)
    assert "202605" == check_month(chdb)
    assert found(chdb)["balanced"]
    with caplog.at_level(logging.ERROR, "ibflow.sums"):
        assert "202606" == check_month(chdb)
    assert "day_sums of 2026-06-01: 1 sums" in caplog.text
    assert (False, NONE | {"sums_different": 1}) == (found(chdb)["balanced"], found(chdb)["checks"])
    SumsBuilder(lambda: chdb, quiet_s=0).rebuild()
    check_month(chdb)
    check_month(chdb)
    assert found(chdb)["balanced"]


def test_new_rows_are_looked_at_at_once_and_a_finding_stays(
    chdb: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """After a sound look come a second reversal of t1, one of nothing, and a row of 0: one of each."""
    check_rows(chdb)
    chdb.command(INSERT.format(rows=UNSOUND))
    wrong = NONE | {
        "amounts_not_positive": 1, "reversals_without_original": 1, "originals_reversed_twice": 1,
    }  # fmt: skip
    for _ in range(2):  # the second look is at everything, for the first found something
        with caplog.at_level(logging.ERROR, "ibflow.sums"):
            check_rows(chdb)
        assert (False, wrong) == (found(chdb)["balanced"], found(chdb)["checks"])
    assert "rows of the ledger are not sound" in caplog.text
