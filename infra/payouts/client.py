"""What `ibflow payouts` asks: the running server alone makes payouts, and knows by the token who asks."""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ibflow_client import Client, Paged, models
from msgspec import to_builtins

from infra.connect.api_client import ask, every_item, running_api
from infra.payout_files.order import WrittenFile
from infra.payout_files.tables import manifest
from schemas.errors import Unusable
from schemas.settings import Settings

DOES = "makes payouts"
SECONDS = 600.0
MAX_NAME = 128
MAX_FILE_BYTES = 64_000_000


def ask_payouts(question: Callable[[Client], object]) -> Any:
    """What the running server answers, as its JSON has it."""
    return ask(Settings(), DOES, question, SECONDS)


def items_of(page: Callable[[Client, int, str | None], Paged], limit: int = 0) -> list[dict[str, Any]]:
    """The items of a list, page after page; at most `limit`, 0 is all."""
    return every_item(Settings(), DOES, page, limit)


def export(batch_id: str, form: str, reason: str, output: Path) -> dict[str, Any]:
    """Write the file of a batch, and `FILE.sha256` beside it; what the API answers, without the file."""
    wanted = models.Exported(format=form, reason=reason)
    made: dict[str, Any] = ask_payouts(lambda api: api.post_payout_export(batch_id, wanted))
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


def credited(
    step: Callable[[Client, str | None], models.PayoutCredits], *, is_paged: bool = False
) -> list[dict[str, Any]]:
    """Ask for lines to be credited, or looked up, part after part."""
    after: str | None = None
    parts: list[dict[str, Any]] = []
    with running_api(Settings(), DOES, SECONDS) as api:
        while True:
            found = step(api, after)
            parts.append(to_builtins(found))
            if not found.left or not found.last:
                return parts
            after = found.last if is_paged else None


def import_file(path: Path) -> dict[str, Any]:
    """Send a bank's file as it is; what came of it."""
    try:
        size = path.stat().st_size
        body = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    if size > MAX_FILE_BYTES:
        raise Unusable(f"{path} is larger than {MAX_FILE_BYTES:,} bytes; ask the bank for shorter ones")
    source = path.name[:MAX_NAME]
    found: dict[str, Any] = ask_payouts(lambda api: api.post_payouts_result_files(body, source=source))
    return found
