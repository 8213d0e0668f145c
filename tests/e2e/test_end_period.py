"""`ibflow terms end-period`, typed without a pause after what it is about, on real Kafka."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from infra.cli.app import app
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from tests import services
from tests.synthetic import Synthetic

TOKEN = "sesame"  # noqa: S105 # of a test
BROKER = Synthetic(clients=50, deals=4_000)


def end(stack: Stack, *arguments: str, token: str = TOKEN) -> Result:
    known = {
        "IBFLOW_KAFKA": stack.kafka,
        "IBFLOW_DATA_DIR": str(stack.settings.data_dir),
        "IBFLOW_API_TOKEN": token,
    }
    return CliRunner().invoke(app, ["terms", "end-period", *arguments], env=known)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    settings = Settings(
        _env_file=None, data_dir=tmp_path, partitions=2, api_port=0, api_token=SecretStr(TOKEN)
    )
    return Stack(services.prepared(settings))


def test_an_end_overtakes_nothing_and_a_typo_closes_nothing(stack: Stack) -> None:
    """Every lot of September is on the three statements, though the end was typed at once.

    The deals are sold and bought in pairs of lots; each closing lot costs 7 USD over the three levels, so
    what the statements accrue together is 7 times the lots that closed, whatever the worker had done by then.
    """
    with stack:
        publish_terms(BROKER.terms(), stack.kafka)
        stack.drain()
        unknown = end(stack, "2026-09", "--yes", token="")
        assert (unknown.exit_code, "wants a token; give yours" in unknown.output) == (2, True), unknown.output
        trades = [*BROKER.trades()]
        nobodys = replace(trades[0], deal_id="9999999", login=9_999_999)
        publish([*BROKER.crm(), *trades, nobodys], stack.kafka)
        for typo, word in (("2026-9", "did you mean 2026-09"), ("2027-12", "there is no period 2027-12")):
            refused = end(stack, typo, "--yes")
            assert (refused.exit_code, word in refused.output) == (2, True), refused.output
        asked = end(stack, "2026-09")
        assert (asked.exit_code, "--yes" in asked.output) == (2, True), asked.output
        ended = end(stack, "2026-09", "--yes")
        assert (ended.exit_code, "ended 2026-09: 3 statements" in ended.output) == (0, True), ended.output
        assert "deals that wait, for a later period if it ends now: 1 unknown_account" in ended.output
        client = stack.server.client
        ((accrued, pending),) = client.query(
            "SELECT (SELECT sum(accrued) FROM statements FINAL), (SELECT sum(amount) FROM transfers FINAL "
            "WHERE code = 'accrual' AND occurred_at < '2026-10-01')"
        ).result_rows
        lots = sum(deal.volume_e8 for deal in BROKER.trades() if deal.entry != "in") / 10**8
        assert float(accrued) == pytest.approx(7 * lots) == pytest.approx(float(pending))
        again = end(stack, "2026-09", "--yes")
        assert (again.exit_code, "has ended already" in again.output) == (2, True), again.output
