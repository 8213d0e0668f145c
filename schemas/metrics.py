"""Every metric's name, once, with the sentence that monitors show beside it."""

from typing import NamedTuple


class Metric(NamedTuple):
    """A gauge, and the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


SINK_LAG = Metric("ibflow_sink_lag_messages", "Messages written to the topics and not stored yet.")
CHECKED = Metric("ibflow_ledger_checked_timestamp_seconds", "When rows of the ledger were looked at last.")
UNSOUND = Metric("ibflow_ledger_unsound", "What the newest looks found wrong with rows and sums.", ("kind",))
STOPPED_PARTITIONS = Metric(
    "ibflow_stopped_partitions", "Partitions that wait for a person, see `ibflow book status`.", ("topic",)
)
ROWS = Metric("ibflow_rows", "Rows of each table.", ("table",))
LAST_EVENT = Metric("ibflow_last_event_timestamp_seconds", "When the newest deal happened.", ("server",))
LAST_ARRIVAL = Metric("ibflow_last_arrival_timestamp_seconds", "When a deal was stored last.", ("server",))
LAST_SWEEP = Metric("ibflow_last_sweep_timestamp_seconds", "When a sweep ended last.", ("server",))
SWEPT_UNTIL = Metric("ibflow_swept_until_timestamp_seconds", "Up to when deals are reconciled.", ("server",))
MISSING_FOUND = Metric("ibflow_sweep_missing_deals", "Deals that sweeps found missing.", ("server",))
DIFFERENT_FOUND = Metric("ibflow_sweep_different_deals", "Deals that sweeps found changed.", ("server",))
LINK_ANSWERS = Metric(
    "ibflow_link_answers", "What clicks on links were answered since the start.", ("outcome",)
)
LINK_BOTS = Metric("ibflow_link_bots", "Clicks of bots since the start.")
LINK_DUPLICATES = Metric("ibflow_link_duplicates", "Clicks that were made a moment before as well.")
LINK_FORGOTTEN = Metric("ibflow_link_forgotten", "Clicks forgotten too soon to know their duplicates.")
CLICKS_WAITING = Metric("ibflow_clicks_waiting_bytes", "Clicks on disk that Kafka has not yet.")
CLICKS_STUCK = Metric("ibflow_clicks_stuck", "1 while Kafka takes no clicks.")
OPEN_HOLES = Metric("ibflow_open_holes", "Stretches of time a sweep left unresolved.", ("server",))
