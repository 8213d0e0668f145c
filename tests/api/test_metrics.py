"""Metrics: what a monitor reads."""

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


def test_every_metric_has_a_sentence() -> None:
    """A name of ours, and help that ends."""
    known = [value for value in vars(metrics).values() if isinstance(value, Metric)]
    assert len(known) > 5
    for metric in known:
        assert metric.name.startswith("ibflow_")
        assert metric.help.endswith(".")
