"""What `ibflow payouts` asks: the running server alone gives lines out."""

from pathlib import Path
from typing import Any

from infra.connect.api import ask, ask_all
from infra.connect.ledger_at import find_server
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 120.0


def export(settings: Settings, period: str) -> dict[str, Any]:
    """Give out the period's new lines; the export with its file."""
    server = find_server(settings)
    if server is None:
        raise Unusable("only a running server exports payouts: start `ibflow serve` first")
    with server.open(SECONDS) as http:
        made: dict[str, Any] = server.check(http.post("/v1/payouts/exports", json={"period": period})).json()
    return made


def exports(settings: Settings, period: str, limit: int) -> list[dict[str, Any]]:
    """The newest exports, without their files."""
    return ask_all(settings, "/v1/payouts/exports", limit, period=period)


def file_again(settings: Settings, export_id: str) -> bytes:
    """The file of an export, the same bytes as the first time."""
    return ask(settings, f"/v1/payouts/exports/{export_id}").content


def lines(settings: Settings, period: str) -> str:
    """Every payout line of a period and where it is, as CSV."""
    return ask(settings, "/v1/payouts", period=period).text


def write(output: Path, file: bytes, export_id: str) -> None:
    """Write an export's file; whatever goes wrong, its id is told, for the lines are given out."""
    try:
        output.write_bytes(file)
    except OSError as error:
        raise Unusable(
            f"{output} cannot be written: {error.strerror}. The lines are exported: write their file "
            f"elsewhere with `ibflow payouts file {export_id} -o FILE`"
        ) from None
