"""Proposals end to end over a real ClickHouse: previewed from the archive, approved by another, posted once.

Five USD a lot become six from the 1st on. September, with two paid deals of 1.5 lots, is closed: 15.00.
A third deal of 1 lot is October's, which is open: 5.00. The delta is 2 x 1.50 + 1.00 = 4.00, of it 3.00 late.
"""

import json
import socket
import threading
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from typer.testing import CliRunner

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.operators import NotAllowed, Operator
from api.proposals import ProposalRefused, UnknownProposal
from commission.events import ReratingApproved
from commission.outputs import Statement
from infra.cli.app import app as cli
from infra.proposals.desk import ProposalDesk
from infra.verify.invariants import verify
from schemas.errors import Unavailable
from schemas.proposals import ProposalRequest
from schemas.settings import Settings
from schemas.wire import Record
from tests import services
from tests.api.conftest import Browser
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    at,
    cpa,
    deal,
    deposit,
    ended,
    kyc,
    partner,
    per_lot,
    period,
    plan,
)
from tests.infra.proposals.live import Live, payouts_in_memory
from tests.payout_log import MemoryProposals

FIVE = plan("own USD", per_lot("*=5"))
SIX = replace(plan("own USD", per_lot("*=6"), version=2), since=at(1))
DEALS = (
    deal("1 buy 1.5 EURUSD out", day=3),
    deal("2 buy 1.5 EURUSD out", day=4),
    deal("3 buy 1 EURUSD out", day=33),
)
BROKER: tuple[Record, ...] = (
    *SYMBOLS, *(period(f"2026-{month}") for month in ("09", "10", "11")),
    FIVE, partner("ib-north USD own"), *ANNA,
)  # fmt: skip
OLA, BEA, CAT = (Operator(name, is_person=True) for name in ("ola", "bea", "cat"))
SHARED = Operator("shared token")
WANTED = ProposalRequest(title="Own pays 6 from the 1st")


@pytest.fixture
def live(connected: Client) -> Live:
    """September closed at five a lot; then six became known."""
    live = Live(connected)
    live.feed(*BROKER, *DEALS[:2], ended("2026-09"), DEALS[2], SIX)
    return live


@pytest.fixture
def desk(live: Live) -> ProposalDesk:
    return ProposalDesk(
        lambda: live.client,
        MemoryProposals(live.proposals),
        live.publish,
        payouts_in_memory(live)[1],
        live.tick,
    )


def test_the_preview_tells_what_posting_would_post(live: Live, desk: ProposalDesk) -> None:
    """Three deals, six rows, +4.00 for ib-north, of which 3.00 is September's and lands in October."""
    proposal = desk.create(WANTED, OLA)
    assert (proposal.state, proposal.created_by) == ("created", "ola")
    preview = proposal.preview
    assert (preview.deals, preview.corrected, preview.rows) == (4, 3, 6)  # three deals, and anna herself
    (line,) = preview.lines
    assert (line.ib_id, line.currency, line.reversals, line.accruals) == ("ib-north", "USD", 3, 3)
    assert (line.taken_back, line.given, line.delta, line.of_closed) == (D(20), D(24), D(4), D(3))
    rows = desk.changes(proposal.proposal_id, 0, 100)
    assert [str(row.amount.normalize()) for row in rows] == ["-7.5", "9", "-7.5", "9", "-5", "6"]
    assert [(row.period, row.lands_in) for row in rows[::2]] == [
        ("2026-09", "2026-10"), ("2026-09", "2026-10"), ("2026-10", "2026-10")
    ]  # fmt: skip
    assert {place.split("/")[0] for place in preview.positions} == {"client-book", "partner-book"}
    assert live.transfers("reversal") == []


def test_a_second_person_posts_exactly_the_preview(live: Live, desk: ProposalDesk) -> None:
    """What is posted has the ids that were previewed; October then pays 18 + 6 + 5 - 15 - 5 = 9.00."""
    proposal = desk.create(WANTED, OLA)
    posted = desk.approve(proposal.proposal_id, BEA)
    assert [(step.state, step.by) for step in posted.steps] == [
        ("created", "ola"), ("approved", "bea"), ("posted", "bea")
    ]  # fmt: skip
    sql = "SELECT transfer_id FROM transfers FINAL WHERE factors['proposal'] = {id:String}"
    stored = {row[0] for row in live.client.query(sql, {"id": proposal.proposal_id}).result_rows}
    assert stored == {change.transfer_id for change in desk.changes(proposal.proposal_id, 0, 100)}
    statements = [record for record in live.feed(ended("2026-10")) if isinstance(record, Statement)]
    assert [(s.opening, s.accrued, s.reversed, s.payable) for s in statements] == [(D(0), D(29), D(20), D(9))]
    broken = [(f.invariant, f.figures) for f in verify(live.client).findings if not f.holds]
    figures = f"0 of 0 proposals approved, 1 posted without: {proposal.proposal_id}"
    assert broken == [("corrections decided", figures)], "before the log is stored nobody approved it"
    live.store_proposals()
    assert [finding for finding in verify(live.client).findings if not finding.holds] == []
    with pytest.raises(ProposalRefused, match="nothing differs"):
        desk.create(WANTED, OLA)


def test_four_eyes(live: Live, desk: ProposalDesk) -> None:
    """Not by the same person, nor by a token anybody may have, nor by a viewer; and only once."""
    proposal = desk.create(WANTED, OLA)
    for by, kind, why in (
        (OLA, ProposalRefused, "second person"),
        (Operator("Ola", is_person=True), ProposalRefused, "second person"),
        (SHARED, NotAllowed, "IBFLOW_OPERATORS_FILE"),
        (Operator("bea", is_person=True, may_write=False), NotAllowed, "viewer"),
    ):
        with pytest.raises(kind, match=why):
            desk.approve(proposal.proposal_id, by)
    with pytest.raises(NotAllowed, match="anybody"):
        desk.create(WANTED, SHARED)
    assert live.transfers("reversal") == []
    posted = desk.approve(proposal.proposal_id, BEA)
    assert desk.approve(proposal.proposal_id, BEA) == posted, "the same person, once more"
    with pytest.raises(ProposalRefused, match="posted by bea already"):
        desk.approve(proposal.proposal_id, CAT)
    assert len(live.transfers("reversal")) == 3


def test_a_rejected_proposal_is_never_posted(live: Live, desk: ProposalDesk) -> None:
    """Its creator takes it back; approving comes too late."""
    proposal = desk.create(WANTED, OLA)
    assert desk.reject(proposal.proposal_id, OLA, "a typo").steps[-1].note == "a typo"
    with pytest.raises(ProposalRefused, match="rejected by ola"):
        desk.approve(proposal.proposal_id, BEA)
    assert live.transfers("reversal") == []


def test_a_stale_preview_is_refused(live: Live, desk: ProposalDesk) -> None:
    """Seven, not six, by the time bea looks: 7 x 4 lots - 20 = 8.00 instead of 4.00."""
    proposal = desk.create(WANTED, OLA)
    live.feed(replace(plan("own USD", per_lot("*=7"), version=3), since=at(1)))
    with pytest.raises(ProposalRefused, match="stale: ib-north USD 4 is now 8"):
        desk.approve(proposal.proposal_id, BEA)
    assert live.transfers("reversal") == []


def test_a_later_deal_does_not_make_it_stale(live: Live, desk: ProposalDesk) -> None:
    """It is rated by the new plan anyway."""
    proposal = desk.create(WANTED, OLA)
    live.feed(deal("4 buy 1 EURUSD out", day=34))
    assert desk.approve(proposal.proposal_id, BEA).state == "posted"


def test_what_was_approved_and_not_delivered_is_posted_again(live: Live, desk: ProposalDesk) -> None:
    """Kafka fails in between, once before anything and once after some: in the end all is there once."""
    proposal = desk.create(WANTED, OLA)
    live.fails = True
    with pytest.raises(Unavailable):
        desk.approve(proposal.proposal_id, BEA)
    assert desk.get(proposal.proposal_id).state == "approved"
    first = ReratingApproved(
        client_id="anna", proposal_id=proposal.proposal_id, occurred_at=live.now, deal=DEALS[0]
    )
    live.feed(first)
    live.fails = False
    with pytest.raises(ProposalRefused, match=r"approved by bea already; post what is left"):
        desk.reject(proposal.proposal_id, OLA)
    posted = desk.post(proposal.proposal_id, OLA)
    assert sorted(live.transfers("reversal")) == ["5.00", "7.50", "7.50"]
    assert [(step.state, step.by) for step in posted.steps[1:]] == [("approved", "bea"), ("posted", "ola")]
    assert desk.post(proposal.proposal_id, BEA) == posted


def test_a_window_takes_only_its_deals(live: Live, desk: ProposalDesk) -> None:
    """From the 4th on, before October: the second deal. Of another IB or client: nothing."""
    wanted = WANTED.model_copy(update={"since": at(4), "until": at(31)})
    assert [row.caused_by for row in desk.changes(desk.create(wanted, OLA).proposal_id, 0, 100)] == [
        "live|2"
    ] * 2
    for other in ({"ib": "ib-south"}, {"client": "ben"}):
        with pytest.raises(ProposalRefused, match="nothing differs"):
            desk.create(WANTED.model_copy(update=other), OLA)
    assert desk.create(WANTED.model_copy(update={"ib": "ib-north", "client": "anna"}), OLA).preview.rows == 6


def test_what_cannot_be_rated_again_stops_the_whole(live: Live, desk: ProposalDesk) -> None:
    """An IB above that nobody defined; with these left as they stand, nothing is left to correct."""
    live.feed(partner("ib-north USD own ib-unknown"))
    with pytest.raises(ProposalRefused, match=r"cannot be rated again: live.1: the terms lack"):
        desk.create(WANTED, OLA)
    with pytest.raises(ProposalRefused, match="nothing differs"):
        desk.create(WANTED.model_copy(update={"leave_undecided": True}), OLA)


def test_a_cpa_is_corrected_with_its_client(live: Live, desk: ProposalDesk) -> None:
    """300 became 400; a window that begins after the client qualified leaves it."""
    live.feed(kyc("anna approved", day=2), deposit("anna d1 500 USD", day=2))
    live.feed(replace(SIX, version=3, components=(per_lot("*=5"), cpa("300", min_lots=D(0)))))
    live.feed(deposit("anna d2 1 USD", day=9))
    assert live.transfers("accrual")[-1] == "300.00"
    live.feed(replace(SIX, version=4, components=(per_lot("*=5"), cpa("400", min_lots=D(0)))))
    proposal = desk.create(WANTED, OLA)
    (line,) = proposal.preview.lines
    assert (line.taken_back, line.given, line.delta) == (D(300), D(400), D(100))
    with pytest.raises(ProposalRefused, match="nothing differs"):
        desk.create(WANTED.model_copy(update={"since": at(3)}), OLA)
    desk.approve(proposal.proposal_id, BEA)
    assert live.transfers("reversal") == ["300.00"]


def test_an_unknown_id(desk: ProposalDesk) -> None:
    """It says where ids are."""
    for ask in (desk.get, lambda name: desk.changes(name, 0, 1)):
        with pytest.raises(UnknownProposal, match="proposals list"):
            ask("p-0")


# Over HTTP, with tokens

TOKENS = {"ola": "ola-secret", "bea": "bea-secret", "vic": "vic-secret"}


@pytest.fixture
def http(live: Live, desk: ProposalDesk, tmp_path: Path) -> Browser:
    """Two operators and a viewer, beside the one shared token."""
    settings: Any = {"operators_file": operators_file(tmp_path), "api_token": "everybody's"}
    ledger = Ledger(lambda: live.client)
    return Browser(create_app(ledger, Settings(_env_file=None, **settings), desks=Desks(proposals=desk)))


def operators_file(folder: Path) -> Path:
    lines = ["operators:"]
    for name, token in TOKENS.items():
        role = "viewer" if name == "vic" else "operator"
        lines.append(
            f"  - {{name: {name}, token_sha256: {sha256(token.encode()).hexdigest()}, role: {role}}}"
        )
    path = folder / "operators.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_two_operators_over_http(http: Browser, live: Live) -> None:
    """The token tells who: ola creates, ola may not approve, the shared token may not, bea does."""
    body = {"title": "Own pays 6", "since": "2026-09-01T00:00:00Z"}
    created = http.post("/v1/proposals", json=body, headers=bearer("ola-secret"))
    assert created.status_code == 201
    proposal_id = created.json()["proposal_id"]
    assert created.json()["preview"]["lines"][0]["delta"] == "4"
    path = f"/v1/proposals/{proposal_id}/approve"
    for token, status, why in (
        ("ola-secret", 409, "second person"),
        ("vic-secret", 403, "viewer"),
        ("everybody's", 403, "IBFLOW_OPERATORS_FILE"),
        ("nobody's", 401, "token"),
    ):
        refused = http.post(path, json={}, headers=bearer(token))
        assert (refused.status_code, why in refused.json()["detail"]) == (status, True)
    assert live.transfers("reversal") == []
    approved = http.post(path, json={}, headers=bearer("bea-secret"))
    assert approved.json()["state"] == "posted"
    assert len(live.transfers("reversal")) == 3
    rows = http.get(f"/v1/proposals/{proposal_id}/rows?limit=4", headers=bearer("vic-secret")).json()
    assert [row["amount"] for row in rows["items"]] == ["-7.5", "9", "-7.5", "9"]
    rest = f"/v1/proposals/{proposal_id}/rows?cursor={rows['next_cursor']}"
    assert [row["amount"] for row in http.get(rest, headers=bearer("bea-secret")).json()["items"]] == [
        "-5",
        "6",
    ]


def test_no_web_page_makes_a_browser_approve(http: Browser) -> None:
    """A form is no JSON, and a password the browser keeps is no Bearer token."""
    body = {"title": "x"}
    form = http.post("/v1/proposals", data=body, headers=bearer("ola-secret"))
    assert form.status_code == 415
    basic = {"Authorization": "Basic " + b64encode(b"ola:ola-secret").decode()}
    assert http.post("/v1/proposals", json=body, headers=basic).status_code == 403
    assert http.get("/v1/proposals", headers=basic).json() == {"items": [], "next_cursor": None}


def test_lists_have_pages(http: Browser) -> None:
    """Newest first, one at a time."""
    for title in ("first", "second", "third"):
        http.post("/v1/proposals", json={"title": title}, headers=bearer("ola-secret"))
    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"/v1/proposals?limit=2&cursor={cursor}", headers=bearer("ola-secret")).json()
        seen += [item["wanted"]["title"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["third", "second", "first"]


def test_the_portal_shows_what_is_proposed(http: Browser) -> None:
    """The list with the delta by IB; the page of one with its rows and the command that approves it."""
    empty = http.get("/proposals", headers=bearer("vic-secret"))
    assert "No proposal yet" in empty.text
    body = {"title": "Own pays <6>"}
    proposal_id = http.post("/v1/proposals", json=body, headers=bearer("ola-secret")).json()["proposal_id"]
    listed = http.get("/proposals", headers=bearer("vic-secret")).text
    assert "Own pays &lt;6&gt;" in listed
    assert "+4.00" in listed
    shown = http.get(f"/proposals/{proposal_id}", headers=bearer("vic-secret")).text
    assert f"ibflow proposals approve {proposal_id}" in shown
    assert "\u22127.50" in shown
    assert http.get("/v1/proposals/p-0", headers=bearer("vic-secret")).status_code == 404


# The command, on the database itself


def test_the_command_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the database and a real Kafka: create, list, and an approval that wants a second operator."""
    settings = Settings(data_dir=tmp_path)
    with services.ledger(settings.chdb_dir) as client:
        Live(client).feed(*BROKER, *DEALS[:2], SIX)
    with services.kafka(tmp_path / "kafka") as bootstrap:
        monkeypatch.setenv("IBFLOW_KAFKA", bootstrap)
        monkeypatch.setenv("IBFLOW_DATA_DIR", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        create = ["proposals", "create", "--title", "Six", "--from", "2026-09-01"]
        unnamed = CliRunner().invoke(cli, create)
        assert unnamed.exit_code == 2
        assert "IBFLOW_OPERATORS_FILE" in unnamed.output
        monkeypatch.setenv("IBFLOW_OPERATORS_FILE", str(operators_file(tmp_path)))
        monkeypatch.setenv("IBFLOW_API_TOKEN", "everybody's")
        assert CliRunner().invoke(cli, create).exit_code == 2, "no fallback to the shared token"
        monkeypatch.setenv("IBFLOW_OPERATOR_TOKEN", "ola-secret")
        created = CliRunner().invoke(cli, create)
        assert created.exit_code == 0, created.output
        assert "+3.00" in created.output
        listed = CliRunner().invoke(cli, ["proposals", "list", "--json"])
        (proposal,) = json.loads(listed.stdout)
        assert proposal["created_by"] == "ola"
        refused = CliRunner().invoke(cli, ["proposals", "approve", proposal["proposal_id"]])
        assert refused.exit_code == 2
        assert "second person" in refused.output
        assert (
            CliRunner().invoke(cli, ["proposals", "create", "--title", "x", "--from", "soon"]).exit_code == 2
        )


def test_the_command_asks_a_running_server(
    http: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's note tells where it is; the operator's token tells it who asks."""
    server = uvicorn.Server(uvicorn.Config(http.app, port=0, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (tmp_path / "serve.json").write_text(json.dumps({"url": url}), encoding="utf-8")
        monkeypatch.setenv("IBFLOW_DATA_DIR", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        said: list[tuple[int, str]] = []
        proposal_id = ""
        for token, words in (
            ("ola-secret", ["create", "--title", "Six", "--json"]),
            ("ola-secret", ["approve"]),
            ("bea-secret", ["approve"]),
            ("nobody's", ["list"]),
        ):
            monkeypatch.setenv("IBFLOW_OPERATOR_TOKEN", token)
            args = [*words, *([proposal_id] if words == ["approve"] else [])]
            result = CliRunner().invoke(cli, ["proposals", *args])
            proposal_id = proposal_id or json.loads(result.stdout)["proposal_id"]
            said.append((result.exit_code, result.output))
        server.should_exit = True
        thread.join(20)
    assert [code for code, _ in said] == [0, 2, 0, 2]
    assert "second person" in said[1][1]
    assert "posted by bea" in said[2][1]
