"""The example broker through real Kafka, Faust and ClickHouse, undisturbed and with kill -9."""

import base64
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from commission.ledger import ledger_hash
from commission.outputs import Transfer
from commission.terms.calendar import PeriodEnded
from infra.commands.example import ENDED_PERIODS, Example
from infra.commands.rate import rate, read_events
from infra.connect.sealing import new_key
from infra.processes.child_process import Process
from infra.processes.progress import Watch
from infra.processes.stack import Stack
from infra.sources.files import feed, read_inputs
from infra.verify.invariants import Report, read_transfers, verify
from ingest.counts import Counts
from ingest.publish.publisher import publish, publish_terms
from schemas.dead_letters import DeadLetter
from schemas.settings import Settings
from schemas.wire import Record, encode
from tests import services
from tests.eventually import eventually

KILLS = 3
MESSAGE_RECORDS = 50
"""Small messages, so that a kill finds many of them under way, at any step of the protocol."""
PATIENCE_S = 60


@pytest.fixture(scope="module")
def example() -> Example:
    return Example.load()


@pytest.fixture(scope="module")
def events(example: Example) -> list[Record]:
    """Every event of the example's files, in the order they are fed, with the ends of its months."""
    items = read_inputs((*example.inputs, *example.late), Counts())
    found = [item for item in items if not isinstance(item, DeadLetter)]
    return [*found, *(PeriodEnded(period=period) for period in ENDED_PERIODS)]


def settings(folder: Path, postbacks: Path | None = None) -> Settings:
    return Settings(data_dir=folder, partitions=4, api_port=0, postbacks=postbacks, postback_keys=new_key())


@dataclass(frozen=True)
class Outcome:
    """What a stack's ledger came to."""

    ledger_hash: str
    report: Report
    rows: int
    cpa_milestones: int


def outcome(stack: Stack) -> Outcome:
    client = stack.server.client
    rows = list(read_transfers(client))
    sql = "SELECT count() FROM milestones FINAL WHERE startsWith(kind, 'cpa.') AND empty(paid_below)"
    return Outcome(ledger_hash(rows), verify(client), len(rows), client.query(sql).result_rows[0][0])


class Tracker(ThreadingHTTPServer):
    """A partner network's server, on this machine: remembers every postback it was sent."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), TrackerHandler)


class TrackerHandler(BaseHTTPRequestHandler):
    """Answers every postback with 204."""

    server: Tracker

    def do_POST(self) -> None:
        """Remember the postback."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def tracker() -> Iterator[Tracker]:
    with Tracker() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def endpoints(folder: Path, tracker: Tracker) -> Path:
    path = folder / "postbacks.yaml"
    path.write_text(
        f"""
        endpoints:
          - id: tracker
            url: http://127.0.0.1:{tracker.server_port}/postback?cid={{click_id}}&event={{event}}
            secret: {SECRET}
            events: [cpa.qualified, cpa.clawback]
            allow_http: true
            allow_private: true
        """
    )
    return path


@pytest.fixture(scope="module")
def undisturbed(
    example: Example, tracker: Tracker, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, Outcome]:
    """The example without a fault: its outcome, and the outcome after its exports were fed again."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Stack(services.prepared(settings(folder, endpoints(folder, tracker)))) as stack:
        publish_terms(example.broker.records, stack.kafka, example.broker.name)
        stack.drain()
        feed(example.inputs, stack.kafka, Counts())
        stack.drain()
        feed(example.late, stack.kafka, Counts())
        stack.drain()
        stack.end_periods(ENDED_PERIODS)
        stack.drain()
        once = outcome(stack)
        feed((*example.late, *example.inputs), stack.kafka, Counts())
        stack.drain()
        twice = outcome(stack)
        eventually(lambda: delivered(stack) == once.cpa_milestones)
        return once, twice


def delivered(stack: Stack) -> int:
    """Attempts that the ledger records as delivered."""
    sql = "SELECT count() FROM postback_attempts FINAL WHERE outcome = 'delivered'"
    return int(stack.server.client.query(sql).result_rows[0][0])


def test_milestones_reach_the_tracker_signed(undisturbed: tuple[Outcome, Outcome], tracker: Tracker) -> None:
    """Every conversion is told once, not once for each IB, under a signature of the secret's holder alone."""
    assert undisturbed[0].cpa_milestones > 10
    assert undisturbed[0].cpa_milestones == len(tracker.received)
    for headers, body in tracker.received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.digest(bytes(range(32)), signed, "sha256")
        assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert len(tracker.received) == len({headers["webhook-id"] for headers, _ in tracker.received})
    told = [json.loads(body)["type"] for _, body in tracker.received]
    assert told.count("cpa.clawback") == 1


def test_every_invariant_holds_on_the_example(undisturbed: tuple[Outcome, Outcome]) -> None:
    """`ibflow verify` finds nothing broken, and there was something to find it in."""
    once, _ = undisturbed
    assert [finding for finding in once.report.findings if not finding.holds] == []
    assert once.rows > 1_000


def test_the_pipeline_and_rate_agree(
    undisturbed: tuple[Outcome, Outcome], example: Example, events: list[Record], tmp_path: Path
) -> None:
    """Folding an events file in memory gives the ledger that Kafka, Faust and ClickHouse give."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(encode(events)))
    outputs, digest = rate(example.broker.records, read_events(path))
    assert sum(isinstance(output, Transfer) for output in outputs) > 1_000
    assert undisturbed[0].ledger_hash == digest


def test_files_fed_twice_change_nothing(undisturbed: tuple[Outcome, Outcome]) -> None:
    """The same exports again, older revisions after newer ones, are recognised by key and revision."""
    once, twice = undisturbed
    assert (once.ledger_hash, once.rows) == (twice.ledger_hash, twice.rows)
    assert twice.report.holds


def test_three_kills_change_nothing(
    undisturbed: tuple[Outcome, Outcome], example: Example, events: list[Record], tmp_path: Path
) -> None:
    """kill -9 of the worker with work under way, three times: the ledger is the undisturbed one.

    What is late comes when the rest is applied, as undisturbed: a chargeback that overtakes the deals behind
    its CPA leaves the same balances, by other rows.
    """
    late = len([item for item in read_inputs(example.late, Counts()) if not isinstance(item, DeadLetter)])
    everything = [event for event in events if not isinstance(event, PeriodEnded)]
    deals, after = everything[:-late], everything[-late:]
    share = len(deals) // KILLS + 1
    with Stack(services.prepared(settings(tmp_path))) as stack:
        publish_terms(example.broker.records, stack.kafka, example.broker.name)
        stack.drain()
        watch = Watch(stack.kafka)
        for kill in range(KILLS):
            with asleep(stack.processes[0]):
                for start in range(kill * share, min((kill + 1) * share, len(deals)), MESSAGE_RECORDS):
                    publish(deals[start : start + MESSAGE_RECORDS], stack.kafka)
                written = watch.progress({}).written
            wait_for_output(watch, written)
            stack.processes[0].kill()
        watch.close()
        stack.drain()
        publish(after, stack.kafka)
        stack.drain()
        stack.end_periods(ENDED_PERIODS)
        stack.drain()
        assert stack.processes[0].restarts == KILLS
        disturbed = outcome(stack)
    assert undisturbed[0].ledger_hash == disturbed.ledger_hash
    assert [finding for finding in disturbed.report.findings if not finding.holds] == []


@contextmanager
def asleep(worker: Process) -> Iterator[None]:
    """Let the worker do nothing meanwhile, so that it cannot be done before anyone looks."""
    running = eventually(
        lambda: worker.running if worker.running and worker.running.poll() is None else None,
        within=PATIENCE_S,
        why=lambda: "the worker is not started again",
    )
    process = psutil.Process(running.pid)
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def wait_for_output(watch: Watch, written: int) -> None:
    """Return while the worker is at work: it has sent more than was `written`, and has more to do."""
    progress = eventually(
        lambda: now if (now := watch.progress({})).written != written else None,
        within=PATIENCE_S,
        every=0,
        why=lambda: "the worker does nothing",
    )
    assert progress.to_apply > 0
