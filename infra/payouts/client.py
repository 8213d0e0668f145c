"""What `ibflow payouts` asks: the running server alone makes payouts, and knows by the token who asks."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.connect.ledger_at import Server, find_server
from infra.payout_files.order import WrittenFile
from infra.payout_files.tables import manifest
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 600.0
MAX_NAME = 128
MAX_ITEMS = 1_000
MAX_FILE_BYTES = 64_000_000


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
        """Write the file of a batch, and `FILE.sha256` beside it; what the API answers, without the file."""
        made = self.post(f"/{batch_id}/export", {"format": form, "reason": reason})
        file = WrittenFile(output.name, b64decode(made.pop("file_base64")))
        try:
            output.write_bytes(file.body)
            beside = output.with_name(f"{output.name}.sha256")
            beside.write_bytes(manifest([file], output.name).body)
        except OSError as error:
            raise Unusable(
                f"{output} cannot be written: {error.strerror}. The file is given out: write it elsewhere "
                f"with `ibflow payouts export {batch_id} --reason … -o FILE`"
            ) from None
        return made

    def credited(self, path: str, *, is_paged: bool = False) -> Iterator[dict[str, Any]]:
        """Ask for lines to be credited, or looked up, part after part."""
        last = ""
        while True:
            found = self.post(f"{path}?after={last}" if is_paged else path)
            yield found
            last = found["last"]
            if not found["left"] or not last:
                return

    def import_file(self, path: Path) -> dict[str, Any]:
        """Send a bank's file as it is; what came of it."""
        try:
            size = path.stat().st_size
            body = path.read_bytes() if size <= MAX_FILE_BYTES else b""
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {error.strerror}") from None
        if size > MAX_FILE_BYTES:
            raise Unusable(f"{path} is larger than {MAX_FILE_BYTES:,} bytes; ask the bank for shorter ones")
        headers = {"Content-Type": "application/octet-stream"}
        with self._server.open(SECONDS) as http:
            sent = http.post(
                f"{self._prefix}/result-files",
                params={"source": path.name[:MAX_NAME]},
                content=body,
                headers=headers,
            )
            found: dict[str, Any] = self._server.check(sent).json()
        return found
