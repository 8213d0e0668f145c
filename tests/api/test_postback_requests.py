"""What is sent: macros, bodies, signatures; and what an answer means."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from standardwebhooks.webhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from api.postbacks import signing
from api.postbacks.connection import Answer
from api.postbacks.delivery import outcome_of
from api.postbacks.macros import MACROS
from api.postbacks.request import to_request
from api.postbacks.schedule import MAX_ATTEMPTS
from api.postbacks.secrets import OLD_FOR, decode_secrets, encode_secrets
from commission.outputs import MilestoneKind
from tests.api.postback_samples import AT, KEY, SECRET, delivery, target


def sent(url: str, **more: Any) -> str:
    """The address that a GET asks."""
    one = target(url)
    return to_request(delivery(**more), one.endpoint, one.secrets, AT).url


def test_macros_are_filled_and_encoded() -> None:
    """Values keep to their parameter, missing ones are empty, and who the client is is not among them."""
    names = sorted(MACROS - {"sig", "rand", "client_id"})
    found = sent("https://t.example/p?" + "&".join(f"{name}={{{name}}}" for name in names))
    values = {
        name: value[0] for name, value in parse_qs(urlsplit(found).query, keep_blank_values=True).items()
    }
    pseudonym = hmac.new(KEY, b"client_ref\x1fclient-77", hashlib.sha256).hexdigest()[:32]
    assert values == {
        "click_id": "k 1&2", "event": "cpa.qualified", "event_id": "m1", "goal": "cpa.qualified",
        "txid": "m1", "original_txid": "", "status": "approved", "sequence": "7", "payout": "250",
        "amount": "250", "amount_usd": "250", "currency": "USD", "ib_id": "A", "client_ref": pseudonym,
        "event_time_unix": str(int(AT.timestamp())), "event_time_iso": "2026-09-01T10:00:00Z",
        "country": "CY", "symbol": "", "lots": "", "trades": "",
        "campaign": "autumn", "sub1": "s/ü", **{f"sub{number}": "" for number in range(2, 11)},
    }  # fmt: skip
    assert "client-77" not in found


@pytest.mark.parametrize(
    ("kind", "payout"),
    [
        ("cpa.qualified", "250"),
        ("cpa.clawback", "-250"),
        ("commission.accrued", "250"),
        ("commission.reversed", "-250"),
        ("payout.paid", ""),
        ("ftd", ""),
    ],
)
def test_payout_is_what_the_ib_earned(kind: MilestoneKind, payout: str) -> None:
    """A deposit is the client's money and never reported as a payout; a clawback is negative."""
    assert sent("https://t.example/?p={payout}", kind=kind) == f"https://t.example/?p={payout}"


def test_under_the_same_txid_a_rejected_payout_is_the_one_that_was_paid() -> None:
    """The status says that it is void; a negative amount beside it would take it twice."""
    found = sent("https://t.example/?t={txid}&p={payout}", kind="cpa.clawback", txid="m0")
    assert found.endswith("?t=m0&p=250")


def test_a_clawback_names_the_conversion_it_takes_back() -> None:
    """Fault 30: whatever the txid, `{original_txid}` is that of the conversion."""
    assert sent("https://t.example/?o={original_txid}", kind="cpa.clawback").endswith("?o=m0")


def test_personal_data_is_sent_only_where_it_is_allowed() -> None:
    """The macro is refused without it; a body has it only if its field is named."""
    with pytest.raises(ValueError, match="personal data"):
        target("https://t.example/?c={client_id}")
    allowed = target("https://t.example/?c={client_id}&p={payout}", fields=["client_id"])
    found = to_request(delivery(), allowed.endpoint, allowed.secrets, AT).url
    assert found == "https://t.example/?c=client-77&p="


def test_a_body_has_the_fields_that_are_allowed() -> None:
    """Two of them, and nothing else."""
    one = target("https://t.example/", method="POST", fields=["txid", "status"])
    body = json.loads(to_request(delivery(), one.endpoint, one.secrets, AT).body)
    assert body == {
        "type": "cpa.qualified", "timestamp": "2026-09-01T10:00:00Z",
        "data": {"txid": "m1", "status": "approved"},
    }  # fmt: skip


def test_the_sig_macro_signs_the_other_parameters_sorted() -> None:
    """A receiver rebuilds it from what it got, and a click parameter named `{sig}` changes nothing."""
    found = sent(
        "https://t.example/p?z={sub1}&s={sig}&a={click_id}", click={"clickid": "{sig}", "sub1": "a=b&c"}
    )
    pairs = parse_qsl(urlsplit(found).query)
    rest = sorted(pair for pair in pairs if pair[0] != "s")
    canonical = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in rest)
    assert rest == [("a", "{sig}"), ("z", "a=b&c")]
    assert dict(pairs)["s"] == hmac.new(KEY, canonical.encode(), hashlib.sha256).hexdigest()


def test_rand_is_each_attempts_own() -> None:
    """For receivers behind a cache."""
    one = target("https://t.example/?r={rand}")
    found = {to_request(delivery(), one.endpoint, one.secrets, AT, attempt).url for attempt in (1, 2)}
    assert len(found) == 2


def test_a_post_is_verified_by_the_public_packages() -> None:
    """`standardwebhooks` and Svix's take it, and refuses it with a byte changed."""
    one = target("https://t.example/", method="POST")
    now = datetime.now(UTC)  # the packages refuse what is older than five minutes
    request = to_request(delivery(), one.endpoint, one.secrets, now)
    assert SvixWebhook(SECRET).verify(request.body, request.headers)["data"]["txid"] == "m1"
    assert Webhook(SECRET).verify(request.body, request.headers)["data"]["txid"] == "m1"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(request.body + b" ", request.headers)
    assert len(request.body) < 20_000


def test_the_vector_of_standard_webhooks() -> None:
    """The package's own example, and Svix's: the same secret, id, time and body."""
    found = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_ed25519_is_verified_with_the_public_key_alone() -> None:
    """v1a, as RFC 8032 has it; the second half of a secret has to be the public key of the first."""
    secret = signing.new_secret("ed25519")
    one = target("https://t.example/", secret, method="POST", signing="ed25519")
    request = to_request(delivery(), one.endpoint, one.secrets, AT)
    version, _, text = request.headers["webhook-signature"].partition(",")
    content = f"msg_m1.{int(AT.timestamp())}.".encode() + request.body
    public = b64decode(signing.public_key(secret).removeprefix("whpk_"))
    key = ECC.import_key(bytes.fromhex("302a300506032b6570032100") + public)
    eddsa.new(key, "rfc8032").verify(content, b64decode(text))
    assert version == "v1a"
    raw = b64decode(secret.removeprefix("whsk_"))
    with pytest.raises(ValueError, match="second half"):
        signing.decode_secret("whsk_" + b64encode(raw[:32] + bytes(32)).decode())


def test_the_key_of_rfc_8032_gives_its_signature() -> None:
    """Its first test: an empty message."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    secret = "whsk_" + b64encode(seed).decode()
    assert signing.public_key(secret) == "whpk_" + b64encode(public).decode()
    assert signing.sign_query(secret, "") == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )


def test_while_secrets_change_there_are_two_signatures() -> None:
    """For a day; then the old one signs no more. The client keeps its pseudonym."""
    one = target("https://t.example/?r={client_ref}&s={sig}")
    fresh = signing.new_secret("hmac")
    rotated = decode_secrets(encode_secrets(one.secrets.rotated(fresh, AT)))
    first = to_request(delivery(), one.endpoint, one.secrets, AT)
    during = to_request(delivery(), one.endpoint, rotated, AT + OLD_FOR - timedelta(seconds=1))
    later = to_request(delivery(), one.endpoint, rotated, AT + OLD_FOR)
    counts = [len(one.headers["webhook-signature"].split()) for one in (first, during, later)]
    assert counts == [1, 2, 1]
    assert parse_qs(urlsplit(first.url).query)["r"] == parse_qs(urlsplit(later.url).query)["r"]
    assert SECRET not in repr(rotated)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "secret", "whpk_AAAA"])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    """The message does not repeat it."""
    with pytest.raises(ValueError, match="24 to 64 random") as refused:
        signing.decode_secret(secret)
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "status", "body", "outcome"),
    [
        ({}, 204, b"", "delivered"),
        ({}, 302, b"", "retry"),
        ({}, 500, b"", "retry"),
        ({}, 410, b"", "disabled"),
        ({"success": [302]}, 302, b"", "delivered"),
        ({"success": [302]}, 200, b"", "retry"),
        ({"must_match": "OK"}, 200, b"all ok", "delivered"),
        ({"must_match": "OK"}, 200, b"no", "retry"),
        ({"must_not_match": "success=false"}, 200, b"success=false; err_msg=no", "retry"),
        ({"preset": "tune"}, 200, b"success=FALSE;", "retry"),
        ({"preset": "tune", "must_not_match": ""}, 200, b"success=false;", "delivered"),
    ],
)
def test_what_an_answer_means(fields: dict[str, Any], status: int, body: bytes, outcome: str) -> None:
    """Fault 29: a tracker that says no with 200, and one that says yes with 302."""
    endpoint = target("https://t.example/?a={txid}", **fields).endpoint
    answer = Answer(status, "", body)
    assert outcome_of(endpoint, answer, 1) == outcome
    if outcome == "retry":
        assert outcome_of(endpoint, answer, MAX_ATTEMPTS) == "failed"


def test_no_answer_is_tried_again() -> None:
    """Until the attempts are used up."""
    endpoint = target("https://t.example/").endpoint
    assert (outcome_of(endpoint, None, 1), outcome_of(endpoint, None, MAX_ATTEMPTS)) == ("retry", "failed")
