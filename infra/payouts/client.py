"""What `ibflow payouts` asks: the running server alone makes payouts, and knows by the token who asks."""

import csv
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.connect.ledger_at import Server, find_server
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 600.0
MAX_RESULTS = 200
"""Of one request."""
MAX_ITEMS = 1_000
MAX_FILE_BYTES = 50_000_000
RESULT_COLUMNS = ("end_to_end_id", "outcome", "reason")


class Client:
    """Payouts, or what else is under a path, of a running server."""

    def __init__(self, settings: Settings, prefix: str = "/v1/payouts") -> None:
        server = find_server(settings)
        if server is None:
            raise Unusable("only a running server makes payouts: start `ibflow serve` first")
        self._server: Server = server
        self._prefix = prefix

    def post(self, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        """Do something; what the API answers."""
        headers = {"Idempotency-Key": key} if key else {}
        with self._server.open(SECONDS) as http:
            answer = http.post(f"{self._prefix}{path}", json=body or {}, headers=headers)
            found: dict[str, Any] = self._server.check(answer).json()
        return found

    def get(self, path: str, **wanted: str) -> dict[str, Any]:
        """One page, or one thing."""
        given = {name: value for name, value in wanted.items() if value}
        with self._server.open(SECONDS) as http:
            found: dict[str, Any] = self._server.check(http.get(f"{self._prefix}{path}", params=given)).json()
        return found

    def items(self, path: str, limit: int = 0, **wanted: str) -> Iterator[dict[str, Any]]:
        """The items of a list, page after page; at most `limit`, 0 is all."""
        cursor, left = "", limit
        while True:
            size = min(left, MAX_ITEMS) if limit else MAX_ITEMS
            page = self.get(path, limit=str(size), cursor=cursor, **wanted)
            yield from page["items"]
            cursor, left = page["next_cursor"] or "", left - len(page["items"])
            if not cursor or (limit and left <= 0):
                return

    def export(self, batch_id: str, form: str, reason: str, output: Path) -> dict[str, Any]:
        """Write the file of a batch; what the API answers, without it."""
        made = self.post(f"/{batch_id}/export", {"format": form, "reason": reason})
        try:
            output.write_bytes(b64decode(made.pop("file_base64")))
        except OSError as error:
            raise Unusable(
                f"{output} cannot be written: {error.strerror}. The file is given out: write it elsewhere "
                f"with `ibflow payouts export {batch_id} --reason … -o FILE`"
            ) from None
        return made

    def import_results(self, results: Sequence[dict[str, str]], source: str) -> dict[str, Any]:
        """Send results, some at a time; what came of all of them."""
        total: dict[str, Any] = {"recorded": 0, "repeated": 0, "refused": []}
        for first in range(0, len(results), MAX_RESULTS):
            part = results[first : first + MAX_RESULTS]
            found = self.post("/results", {"source": source, "results": part})
            total = {name: total[name] + found[name] for name in total}
        return total


def read_results(path: Path) -> list[dict[str, str]]:
    """Results of a CSV: end_to_end_id, outcome (settled, rejected, unknown), reason."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Unusable(f"{path} is larger than {MAX_FILE_BYTES:,} bytes")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if lacking := [name for name in RESULT_COLUMNS[:2] if name not in (rows.fieldnames or ())]:
                raise Unusable(f"{path} has no column {' and '.join(lacking)}")
            return [
                {
                    "line_id": (row["end_to_end_id"] or "").strip(),
                    "outcome": (row["outcome"] or "").strip().lower(),
                    "reason": (row.get("reason") or "").strip()[:140],
                }
                for row in rows
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unusable(f"{path} is not a CSV in UTF-8: {error}") from None
