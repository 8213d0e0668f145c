"""What `ibflow ingest` says while it reads and publishes."""

from infra.sources.files import Pace


def test_pace_counts_from_the_first_rows_on() -> None:
    """Rows a second are told from the first ones on: what went before was reading the file's order."""
    ticks = iter((100.0, 102.0, 104.0))
    pace = Pace(lambda: next(ticks))
    assert [pace(done) for done in (20_000, 220_000, 1_020_000)] == [
        "publishing: 20,000 rows",
        "publishing: 220,000 rows, 100,000 rows/s",
        "publishing: 1,020,000 rows, 250,000 rows/s",
    ]
