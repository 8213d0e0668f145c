"""A plain Faust agent, as Faust's manual writes one: one message is one event, state in a table."""

import sys

import faust

from tests.rivals import job


def build(kafka: str) -> faust.App:
    """The app; at least once, state in memory and in Faust's changelog."""
    app = faust.App(
        job.GROUP,
        broker=f"kafka://{kafka}",
        store="memory://",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        web_enabled=False,
        topic_partitions=job.PARTITIONS,
        table_standby_replicas=0,
    )
    deals = app.topic(job.IN, key_type=bytes, value_type=bytes, value_serializer="raw")
    transfers = app.topic(job.OUT, key_type=bytes, value_type=bytes, value_serializer="raw")
    raw = faust.Schema(key_type=str, value_type=bytes, value_serializer="raw")
    state = app.Table("state", schema=raw)

    @app.agent(deals)  # type: ignore[untyped-decorator] # Faust ships incomplete types
    async def rate(stream: faust.Stream[bytes]) -> None:
        async for line in stream:
            for transfer in job.apply(line, state.get, state.__setitem__):
                await transfers.send(value=transfer)

    return app


if __name__ == "__main__":
    servers = sys.argv.pop()
    faust.Worker(build(servers), loglevel="ERROR").execute_from_commandline()
