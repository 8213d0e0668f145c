"""The logs of people as a command on this machine opens them: whoever reaches Kafka may write them anyway.

So the first admin can be made, and an admin who lost everything let in again, without a server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from typing import NamedTuple

from api.people import Note
from infra.connect.settings import prepared_kafka
from infra.people.audit import AuditLog
from infra.people.desk import Desk
from infra.people.log import PeopleLog
from schemas.settings import Settings


class Opened(NamedTuple):
    """What a command works with."""

    desk: Desk
    audit: AuditLog
    by: str

    def note(self, did: str, on: str) -> None:
        """Write to the audit log what was just done."""
        self.audit.write(Note(self.by, "change", f"ibflow {did}", on))


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """Open the logs of the Kafka that the settings name."""
    kafka = prepared_kafka(settings)
    log, audit = PeopleLog.of_kafka(kafka), AuditLog.of_kafka(kafka)
    try:
        yield Opened(Desk(log), audit, f"{getuser()} at the command line")
    finally:
        log.stop()
        audit.close()
