"""The job in Quix Streams 3, run by a Python of its own: `python quix.py KAFKA FOLDER`."""

import sys

import job
from quixstreams import Application, State


def main(kafka: str, folder: str) -> None:
    """Run until killed; at least once, state in RocksDB and Quix's changelog, its defaults."""
    app = Application(
        broker_address=kafka,
        consumer_group=f"{job.GROUP}-quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
    )
    deals = app.topic(job.IN, value_deserializer="bytes", key_deserializer="bytes")
    transfers = app.topic(job.OUT, value_serializer="bytes", key_serializer="bytes")

    def rate(line: bytes, state: State) -> list[bytes]:
        return job.apply(line, state.get_bytes, state.set_bytes)

    app.dataframe(deals).apply(rate, expand=True, stateful=True).to_topic(transfers)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
