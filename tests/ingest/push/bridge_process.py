"""The bridge as a process, on a platform that is a file: lines are what happened, in order.

What is written while nobody is connected is in no event, as on a real server; a window tells how deals
stand. `python bridge_process.py FILE OUTBOX URL TOKEN`.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "examples"))

from bridge.__main__ import run  # noqa: E402 # the example is a package beside the project's
from bridge.follow import Row  # noqa: E402
from bridge.outbox import Outbox  # noqa: E402
from bridge.sender import Endpoint  # noqa: E402

SLOW_S = 0.01
"""Between two looks at the file, so that a kill finds work under way."""


class FilePlatform:
    """A trade server made of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def connect(self) -> None:
        """Hear what happens from here on."""
        self._seen = len(self._lines())

    def window(self, since_s: int, until_s: int) -> Iterator[Row]:
        """Deals as they stand."""
        deals: dict[str, Row] = {}
        for line in self._lines():
            deals[line["record"]["Deal"]] = line["record"]
        for record in deals.values():
            if since_s <= int(record["Time"]) < until_s:
                yield {"event": "OnDealUpdate", "record": record}

    def events(self, wait_s: float) -> list[Row]:
        """Lines since the last time."""
        time.sleep(SLOW_S)
        rows = self._lines()[self._seen :]
        self._seen += len(rows)
        return rows

    def now_s(self) -> int:
        """The time of the newest line."""
        lines = self._lines()
        return int(lines[-1]["record"]["Time"]) if lines else 1_748_858_400

    def close(self) -> None:
        """Nothing to leave."""

    def _lines(self) -> list[Row]:
        text = self._path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    file, outbox, url, token = sys.argv[1:]
    endpoint = Endpoint(url, token, "mt5-manager")
    run(FilePlatform(Path(file)), Outbox(Path(outbox)), endpoint, threading.Event(), first_days=1)
