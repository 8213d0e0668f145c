"""The job in Pathway, run by a Python of its own: `python pathway_udf.py KAFKA FOLDER`."""

import sys

import job
import pathway as pw

_state: dict[str, bytes] = {}
"""Of the process: Pathway itself keeps rows by key, without an order within one of its batches."""


@pw.udf(deterministic=True)  # input is only added to: no answer is asked for twice
def rate(line: bytes) -> list[bytes]:
    """The transfers of one deal."""
    return job.apply(line, _state.get, _state.__setitem__)


def main(kafka: str, _folder: str) -> None:
    """Run until killed; nothing is persisted."""
    settings = {
        "bootstrap.servers": kafka,
        "group.id": f"{job.GROUP}-pathway",
        "auto.offset.reset": "earliest",
        "session.timeout.ms": "6000",
    }
    deals = pw.io.kafka.read(settings, topic=job.IN, format="raw", autocommit_duration_ms=100)
    transfers = deals.select(lines=rate(pw.this.data)).flatten(pw.this.lines)
    pw.io.kafka.write(transfers, {"bootstrap.servers": kafka}, job.OUT, format="raw", value=transfers.lines)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
