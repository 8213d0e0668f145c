"""Whose questions wait for whose, of clients of the embedded ClickHouse."""

import threading
from pathlib import Path

from infra.connect.settings import connect
from schemas.settings import Settings

WITHIN_S = 30.0
"""It takes some milliseconds; waiting for the reader it would never end."""


def test_the_sink_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    """While an answer is read bit by bit, another client stores, and sees what is stored."""
    settings = Settings(data_dir=tmp_path, _env_file=None)
    reports, sink = connect(settings), connect(settings)
    found: list[int] = []

    def store() -> None:
        sink.command("CREATE TABLE rows (number UInt64) ENGINE = MergeTree ORDER BY number")
        sink.insert("rows", [[1], [2]], column_names=["number"])
        found.append(int(sink.query("SELECT sum(number) FROM rows").result_rows[0][0]))

    with reports.query_row_block_stream("SELECT number FROM numbers(1000000)") as blocks:
        next(iter(blocks))
        storing = threading.Thread(target=store, daemon=True)
        storing.start()
        storing.join(WITHIN_S)
        assert found == [3]
    assert 3 == reports.query("SELECT sum(number) FROM rows").result_rows[0][0]
    sink.close()
    assert 2 == reports.query("SELECT count() FROM rows").result_rows[0][0]
    reports.close()
