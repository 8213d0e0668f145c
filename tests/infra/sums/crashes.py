"""A process that ends before one of its statements."""

from typing import Any

from clickhouse_connect.driver.client import Client


class Crash(Exception):
    """The process ends."""


class Fragile:
    """A client whose process ends before its nth statement."""

    def __init__(self, client: Client, crash_at: int) -> None:
        self._client, self._left = client, crash_at

    def __getattr__(self, name: str) -> Any:
        if name in ("command", "query", "insert", "raw_insert"):
            self._left -= 1
            if self._left < 0:
                raise Crash
        return getattr(self._client, name)
