"""One client from its click to the rejection of its conversion, over real processes: one id all the way.

The network's click id comes with the registration; a deposit, KYC and trades earn a CPA of 300 USD for
ib-north and 400 - 300 = 100 for ib-master above it; the deposit is charged back. A receiver that takes what
Keitaro takes has one conversion, paid once: lead, sale of 300, rejected.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from infra.connect.sealing import new_key
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import OwnSettings
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


def asked(receiver: Receiver) -> list[dict[str, str]]:
    """The queries, in their order."""
    return [dict(parse_qsl(urlsplit(one.target).query, keep_blank_values=True)) for one in receiver.seen]


def test_a_click_becomes_a_conversion_and_is_rejected(tmp_path: Path, keitaro: Receiver) -> None:
    """Click, registration, deposit, KYC, trades, CPA, postback, chargeback, rejection of the same."""
    settings = OwnSettings(
        data_dir=tmp_path / "data", partitions=2, api_port=0, postback_keys=new_key(), store="memory"
    )
    settings = settings.model_copy(update={"postbacks": endpoints(tmp_path, keitaro.url)})
    with Stack(settings) as stack:
        publish_terms(TERMS, stack.kafka)
        stack.drain()
        joined = registered("anna ib-north", click={"clickid": "click-7", "sub1": "banner"})
        publish([joined, linked("1 anna"), kyc("anna approved", day=2)], stack.kafka)
        eventually(lambda: len(keitaro.seen) >= 1, 60)
        publish(
            [
                deposit("anna d1 500 USD", day=3),
                deal("1 buy 3 EURUSD in", day=4),
                deal("2 sell 3 EURUSD out", day=5),
            ],
            stack.kafka,
        )
        eventually(lambda: len(keitaro.seen) >= 2, 60)
        publish([chargeback("anna d1", day=9)], stack.kafka)
        eventually(lambda: len(keitaro.seen) >= 3, 60)
        stack.drain()
        stored = stack.server.client.query(
            "SELECT kind, milestone_id, takes_back, ib_id FROM milestones FINAL "
            "WHERE startsWith(kind, 'cpa.') ORDER BY kind, ib_id"
        ).result_rows
        eventually(lambda: attempts(stack) == 3, 60)
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
