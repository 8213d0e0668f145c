"""The Faust app."""

from pathlib import Path
from typing import Any

from faust.auth import SASLCredentials, SSLCredentials
from faust.types import TP
from faust.types.auth import CredentialsT

from schemas.kafka import sign_in_of
from schemas.topics import MAX_MESSAGE_BYTES
from streams.faust_fixes import App
from streams.runner import REDELIVERY_SECONDS, WATCH_SECONDS, BookRunner, Home
from streams.stages import STAGES, Stage
from streams.stop_log import SharedLog

SESSION_SECONDS = 10.0
"""So long Kafka keeps a silent worker's partitions for it: one that restarts takes less, and one that is gone
holds them up for no longer. Nothing that a worker does at once takes near as long."""


def _broker(kafka: str) -> dict[str, Any]:
    """Where Faust's own consumer and producer connect, and who they are."""
    sign_in, tls = sign_in_of(kafka), sign_in_of(kafka).tls()
    credentials: CredentialsT | None = SSLCredentials(tls) if tls is not None else None
    if sign_in.has_sasl:
        credentials = SASLCredentials(
            username=sign_in.user,
            password=sign_in.password,
            mechanism=sign_in.mechanism,
            ssl_context=tls,
        )
    return {"broker": f"aiokafka://{kafka.replace(',', ';')}", "broker_credentials": credentials}


def build_app(
    kafka: str,
    counts: dict[str, int],
    *,
    instance: str = "",
    state: Path | None = None,
    stages: tuple[Stage, ...] = STAGES,
) -> App:
    """Put the stages into a Faust app.

    `counts` has every topic's partitions. `instance` names this worker for good, so that a restart takes
    its partitions back without waiting for a time-out. `state` is this worker's own folder for its state;
    None keeps it in memory.
    """
    app = App(
        "ibflow",
        **_broker(kafka),
        store="memory://",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance or None,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=1.0,  # by it a worker learns that another came, for whom all wait
        broker_commit_interval=0.25,  # a hint for monitors: who waits for an empty pipeline waits for it
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        producer_compression_type="zstd",  # a fifth of what lz4 costs in aiokafka, and half the size
        producer_max_batch_size=MAX_MESSAGE_BYTES,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        web_enabled=False,
    )
    operations = SharedLog(kafka)
    home = Home(kafka, instance, state)
    runners = [BookRunner(app, stage, counts, operations, home) for stage in stages]
    by_topic = {runner.stage.topic: runner for runner in runners}

    async def resume_offset(tp: TP) -> int | None:
        return await by_topic[tp.topic].restore(tp.partition) if tp.topic in by_topic else None

    app.resume_offset = resume_offset

    @app.timer(REDELIVERY_SECONDS)  # type: ignore[untyped-decorator] # Faust ships incomplete types
    async def redeliver() -> None:
        if not app.rebalancing and not app.in_recovery:
            for runner in runners:
                await runner.redeliver()

    @app.timer(WATCH_SECONDS)  # type: ignore[untyped-decorator] # Faust ships incomplete types
    async def watch() -> None:
        if not app.rebalancing and not app.in_recovery:
            for runner in runners:
                await runner.watch()
        if not any(runner.is_stopped for runner in runners):
            await operations.close()

    return app
