"""The client of examples/client is as the API is, and works over a socket."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import uvicorn
from ibflow_client import Client, ProblemError, models, pages

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.operators import Operator, Operators
from examples.client.generate import FOLDER, files
from schemas.settings import Settings
from tests.proposal_desk import FixedDesk

README = Path(FOLDER).parent / "README.md"


@pytest.fixture
def url(ledger: Ledger) -> Iterator[str]:
    """A running API over the hand-written ledger, with a desk of proposals; `ola-secret` is ola's token."""
    operators = Operators("", [(sha256(b"ola-secret").hexdigest(), Operator("ola", is_person=True))])
    app = create_app(
        ledger, Settings(_env_file=None), operators=operators, desks=Desks(proposals=FixedDesk())
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


def test_it_is_as_the_api_is() -> None:
    """`make client` writes it anew."""
    for name, text in files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} is old: make client"


def test_a_report_is_read_page_by_page(url: str) -> None:
    """Six groups, two a page: A has 200, 7 + 1.25 + 3.50 - 3.50 and 14; B's release earns 0."""
    with Client(url, "ola-secret") as client:
        found = [
            [(row.ib_id, row.symbol, Decimal(row.net), row.currency) for row in page.items]
            for page in pages(
                lambda after: client.get_reports_commissions(
                    group_by=["ib", "symbol"], from_=datetime(2026, 9, 1, tzinfo=UTC), limit=2, cursor=after
                )
            )
        ]
        assert found == [
            [("A", "", Decimal(200), "USD"), ("A", "EURUSD", Decimal("8.25"), "USD")],
            [("A", "XAUUSD", Decimal(14), "USD"), ("B", "", Decimal(0), "EUR")],
            [("B", "EURUSD", Decimal("2.005"), "EUR"), ("M", "EURUSD", Decimal(3), "USD")],
        ]
        whole = client.get_reports_commissions_file(format_="csv", group_by=["ib"])
        assert whole.decode().splitlines()[0].startswith("ib_id,lots,accrued")
        assert client.get_transfer("t1").amount == "7"
        with pytest.raises(ValueError, match="no time zone"):
            client.get_reports_commissions(from_=datetime(2026, 9, 1))  # noqa: DTZ001  - that it is none


def test_a_key_makes_a_proposal_once(url: str) -> None:
    wanted = models.ProposalRequest(title="Six from the 1st")
    with Client(url, "ola-secret") as client:
        first, again = (client.post_proposals(wanted, idempotency_key="k-1") for _ in range(2))
        other = client.post_proposals(wanted, idempotency_key="k-2")
        assert first == again
        assert (first.state, first.created_by, first.preview.corrected) == ("created", "ola", 3)
        assert other.proposal_id != first.proposal_id
        assert len(client.get_proposals().items) == 2


def test_a_refusal_has_its_code(url: str) -> None:
    """Also for an id that would else be a query."""
    with Client(url, "ola-secret") as client:
        with pytest.raises(ProblemError, match="404 unknown_transfer: ") as unknown:
            client.get_transfer("x?a=1")
        assert (unknown.value.status, unknown.value.code) == (404, "unknown_transfer")
    with Client(url, "wrong") as client, pytest.raises(ProblemError) as refused:
        client.get_statements()
    assert (refused.value.status, refused.value.problem.title) == (401, "Unauthorized")


def test_what_is_no_api_is_no_problem() -> None:
    """A proxy's own page."""
    proxy = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(502, text="<h1>Bad")))
    with Client("http://proxy.test", http=proxy) as client, pytest.raises(httpx.HTTPStatusError):
        client.get_me()


def test_the_readme_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    block = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    block = block.replace("http://127.0.0.1:8080", url).replace(
        "the token of a person or a key", "ola-secret"
    )
    exec(block, {})  # noqa: S102  - the document's own words
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["A", "A", "A", "B", "B", "M", "created", "409"]


def test_it_imports_as_cheaply_as_httpx() -> None:
    """Each `ibflow` command that asks a server waits for it: no Pydantic, which takes a third of a second."""
    shown = subprocess.run(
        [sys.executable, "-c", "import sys, ibflow_client; print('pydantic' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.strip() == "False"
