"""A poller that ends itself with SIGKILL just before it would keep its place for the nth time.

Arguments: the database's address as JSON, Kafka, the file of the place, n; 0 never.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

from ingest.live.cursor_file import CursorFile, Place
from ingest.live.poller import Polling
from ingest.mt5.sql import Mt5Sql
from ingest.server_time import parse_rule
from ingest.sources import ServerProfile
from ingest.sql.database import Address, Database


class DyingFile(CursorFile):
    """Kafka has what was read; the place is not kept."""

    saves_left: ClassVar[Iterator[int]]

    def save(self, place: Place) -> None:
        """Die, or keep the place."""
        if next(self.saves_left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        super().save(place)


def main() -> None:
    """Read once."""
    address, kafka, file, saves = sys.argv[1:]
    database = Database(Address(**json.loads(address)), page_rows=20)
    source = Mt5Sql(database, ServerProfile("live", "mt5", parse_rule("UTC"), currency="USD"))
    DyingFile.saves_left = count(int(saves), -1)
    polling = Polling(source, kafka, DyingFile(Path(file)), interval_s=1)
    polling.run(threading.Event(), once=True)


if __name__ == "__main__":
    main()
