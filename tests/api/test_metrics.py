"""Metrics: what a monitor reads."""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.ledger import Ledger
from schemas import metrics
from schemas.metrics import Metric
from schemas.settings import Settings
from tests.api.conftest import Browser, utc
from tests.api.sweeps import store, sweep


def values(text: str) -> dict[tuple[str, str], float]:
    """Metric and its first label → value."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_monitor_reads_how_complete_a_server_is(http: Browser, chdb: Client) -> None:
    """Four deals, the newest on 4 September at 10:00; a sweep that found one missing and left it open."""
    before = values(http.get("/metrics").text)
    assert utc(4, 10).timestamp() == before["ibflow_last_event_timestamp_seconds", "live"]
    assert 4 == before["ibflow_rows", "deals"]
    assert ("ibflow_last_sweep_timestamp_seconds", "live") not in before
    store(chdb, sweep(1, theirs=5, missing=1))
    after = values(http.get("/metrics").text)
    assert utc(7, 1).timestamp() == after["ibflow_last_sweep_timestamp_seconds", "live"]
    assert (1, 1) == (after["ibflow_sweep_missing_deals", "live"], after["ibflow_open_holes", "live"])


def test_the_sinks_lag_is_a_metric(ledger: Ledger) -> None:
    """Where this process has the sink."""
    app = create_app(ledger, Settings(_env_file=None), sink_lag=lambda: 7)
    told = values(Browser(app, "http://127.0.0.1:8080").get("/metrics").text)
    assert 7 == told["ibflow_sink_lag_messages", ""]


def test_what_the_looks_at_the_ledger_found_is_a_metric(http: Browser, chdb: Client) -> None:
    """None before the first look; then two sums of May that differ, and no row without an account."""
    kinds = ("ibflow_ledger_unsound", "sums_different"), ("ibflow_ledger_unsound", "accounts_missing")
    assert not {*kinds} & values(http.get("/metrics").text).keys()
    now = datetime.now(UTC).replace(microsecond=0)
    looks = (
        (2, "202605", 5),
        (1, "202605", 2),
        (0, "", 0),
    )  # hours ago, what was looked at, sums that differ
    names = ["checked_at", "up_to", "month", "sums_different"]
    rows = [[now - timedelta(hours=hours), utc(4), month, found] for hours, month, found in looks]
    chdb.insert("ledger_checks", rows, column_names=names)
    told = values(http.get("/metrics").text)
    assert now.timestamp() == told["ibflow_ledger_checked_timestamp_seconds", ""]
    assert [2, 0] == [told[kind] for kind in kinds]


def test_every_metric_has_a_sentence() -> None:
    """A name of ours, and help that ends."""
    known = [value for value in vars(metrics).values() if isinstance(value, Metric)]
    assert len(known) > 5
    for metric in known:
        assert metric.name.startswith("ibflow_")
        assert metric.help.endswith(".")
