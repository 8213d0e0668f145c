"""One client from its click to the rejection of its conversion, over real processes: one id all the way.

The network's click id comes with the click on a tracking link; it is passed on to the landing page beside
our own, and comes back with the registration, which our id makes ib-north's client. A deposit, KYC and trades
earn a CPA of 300 USD for ib-north and 400 - 300 = 100 for ib-master above it; the deposit is charged back. A
receiver that takes what Keitaro takes has one conversion, paid once: lead, sale of 300, rejected.
"""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from infra.cli.app import app
from infra.connect.sealing import new_key
from infra.links.keys import click_keys
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from ingest.source_items import Event
from schemas.settings import OwnSettings
from tests import services
from tests.api.receiver import Receiver, receiving
from tests.build import SYMBOLS, chargeback, cpa, deal, deposit, kyc, linked, partner, plan, registered
from tests.eventually import eventually

TERMS = [
    *SYMBOLS,
    plan("silver USD", cpa("300")),
    plan("gold USD", cpa("400")),
    partner("ib-master USD gold"),
    partner("ib-north USD silver ib-master"),
]
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # noqa: S105 # of a test


@pytest.fixture
def keitaro() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def endpoints(folder: Path, url: str) -> Path:
    """One tracker, for whoever is below ib-master."""
    path = folder / "postbacks.yaml"
    path.write_text(
        f"endpoints:\n  - {{id: keitaro, url: '{url}/key/postback', preset: keitaro, secret: {SECRET}, "
        "events: [registration, cpa.qualified, cpa.clawback], subtrees: [ib-master], ordered: true, "
        "allow_http: true, allow_private: true}\n",
        encoding="utf-8",
    )
    return path


def ibflow(stack: Stack, *arguments: str) -> str:
    """What a command says that asks this server."""
    done = CliRunner().invoke(app, [*arguments], env={"IBFLOW_URL": stack.server.url})
    assert done.exit_code == 0, done.output
    return done.stdout


def clicked(stack: Stack, folder: Path) -> tuple[str, dict[str, str]]:
    """Make a link of ib-north and click it: our id, and what else the landing page is given."""
    page = "https://broker.test/open?ref={click_id}"
    made = json.loads(ibflow(stack, "links", "create", "ib-north", page, "--campaign", "spring", "--json"))
    assert made["url"] == f"https://go.test/go/{made['code']}"
    ibflow(stack, "links", "show", made["code"], "--qr", str(folder / "link.png"))
    assert (folder / "link.png").read_bytes()[:4] == b"\x89PNG"
    agent = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)"}
    address = f"{stack.server.url}/go/{made['code']}"
    sent = httpx.get(f"{address}?clickid=click-7&sub1=banner", headers=agent)
    assert sent.status_code == 302
    ibflow(stack, "links", "end", made["code"])  # the click of before counts all the same
    assert httpx.get(address).status_code == 410
    assert json.loads(ibflow(stack, "links", "list", "--json")) == []
    landing = urlsplit(sent.headers["location"])
    assert (landing.scheme, landing.netloc, landing.path) == ("https", "broker.test", "/open")
    landed = dict(parse_qsl(landing.query))
    return landed.pop("ref"), landed


def now(event: Event) -> Event:
    """The event as of this moment: the click is of this moment as well."""
    return replace(event, occurred_at=datetime.now(UTC))


def asked(receiver: Receiver) -> list[dict[str, str]]:
    """The queries, in their order."""
    return [dict(parse_qsl(urlsplit(one.target).query, keep_blank_values=True)) for one in receiver.seen]


def test_a_click_becomes_a_conversion_and_is_rejected(tmp_path: Path, keitaro: Receiver) -> None:
    """Click, registration, deposit, KYC, trades, CPA, postback, chargeback, rejection of the same."""
    settings = OwnSettings(
        data_dir=tmp_path / "data",
        partitions=2,
        api_port=0,
        postback_keys=new_key(),
        click_keys=new_key(),
        landing_hosts="broker.test",
        public_url="https://go.test",
        store="memory",
    )
    settings = settings.model_copy(update={"postbacks": endpoints(tmp_path, keitaro.url)})
    with Stack(services.prepared(settings)) as stack:
        publish_terms(TERMS, stack.kafka)
        stack.drain()
        our_id, landed = clicked(stack, tmp_path)
        assert landed == {"clickid": "click-7", "sub1": "banner"}  # the landing page's, and so the CRM's
        joined = now(registered("anna", click=landed, click_ids=(our_id,)))
        publish(
            [joined, now(linked("1 anna")), now(kyc("anna approved", day=2))],
            stack.kafka,
            click_keys=click_keys(settings),
        )
        eventually(lambda: len(keitaro.seen) >= 1, 60)
        publish(
            [
                now(deposit("anna d1 500 USD", day=3)),
                now(deal("1 buy 3 EURUSD in")),
                now(deal("2 sell 3 EURUSD out")),
            ],
            stack.kafka,
        )
        eventually(lambda: len(keitaro.seen) >= 2, 60)
        publish([now(chargeback("anna d1", day=9))], stack.kafka)
        eventually(lambda: len(keitaro.seen) >= 3, 60)
        stack.drain()
        stored = stack.server.client.query(
            "SELECT kind, milestone_id, takes_back, ib_id FROM milestones FINAL "
            "WHERE startsWith(kind, 'cpa.') ORDER BY kind, ib_id"
        ).result_rows
        eventually(lambda: attempts(stack) == 3, 60)
        eventually(lambda: counts(stack, our_id) == 1, 60)
        check_attribution(stack, our_id)
    lead, sale, rejected = asked(keitaro)
    assert {one["subid"] for one in (lead, sale, rejected)} == {"click-7"}  # the click's own id
    assert [one["status"] for one in (lead, sale, rejected)] == ["lead", "sale", "rejected"]
    assert [(one["payout"], one["currency"]) for one in (sale, rejected)] == [("300", "USD"), ("300", "USD")]
    assert sale["tid"] == rejected["tid"] != lead["tid"]
    # Two IBs are paid and both are taken back; the network hears of the lower one, by the ledger's own id.
    assert [(kind, ib) for kind, _, _, ib in stored] == [
        ("cpa.clawback", "ib-master"), ("cpa.clawback", "ib-north"),
        ("cpa.qualified", "ib-master"), ("cpa.qualified", "ib-north"),
    ]  # fmt: skip
    assert sale["tid"] == stored[3][1] == stored[1][2]
    for seen in keitaro.seen:
        content = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode()
        due = hmac.new(b"01234567890123456789012345678901", content, sha256).digest()
        assert seen.headers["webhook-signature"].removeprefix("v1,") == b64encode(due).decode()


def attempts(stack: Stack) -> int:
    """Those that the database has as delivered."""
    sql = "SELECT count() FROM postback_attempts FINAL WHERE outcome = 'delivered'"
    return int(stack.server.client.query(sql).result_rows[0][0])


def counts(stack: Stack, click_id: str) -> int:
    """Rows of our click that the database has."""
    sql = "SELECT count() FROM clicks FINAL WHERE click_id = {id:String} AND params['clickid'] = 'click-7'"
    return int(stack.server.client.query(sql, {"id": click_id}).result_rows[0][0])


def check_attribution(stack: Stack, click_id: str) -> None:
    """The API tells the click that made anna ib-north's, and what became of the link's clicks."""
    (found,) = httpx.get(f"{stack.server.url}/v1/attributions").json()["items"]
    assert (found["client_id"], found["ib_id"], found["decision"]) == ("anna", "ib-north", "click")
    assert found["click_id"] == click_id
    assert httpx.get(f"{stack.server.url}/v1/links/{found['link']}/funnel").json() == {
        "clicks": 1,
        "bots": 0,
        "duplicates": 0,
        "visitors": 1,
        "registrations": 1,
        "first_deposits": 1,
        "qualified": 1,
    }
