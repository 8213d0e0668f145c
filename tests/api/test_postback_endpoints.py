"""The file of endpoints: what it says, what it must not say; macros and signatures."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest

from api.postbacks.delivery import to_request
from api.postbacks.endpoints import Endpoint, EndpointsError, load_endpoints
from api.postbacks.schedule import Delivery, DueMilestone

KEY = bytes(range(32))
SECRET = f"whsec_{b64encode(KEY).decode()}"
AT = datetime(2026, 9, 1, 10, tzinfo=UTC)
MILESTONE = DueMilestone(
    milestone_id="m1",
    kind="cpa.qualified",
    client_id="client-77",
    ib_id="A",
    occurred_at=AT,
    amount=Decimal("250.00"),
    currency="USD",
    country="CY",
    click={"clickid": "k 1&2", "sub1": "s/ü", "evil": "x"},
)


def endpoint(url: str, method: str = "GET") -> Endpoint:
    assert method in ("GET", "POST")
    return Endpoint("e", url, KEY, "GET" if method == "GET" else "POST")


def test_a_file_gives_its_endpoints(tmp_path: Path) -> None:
    """Filters, method and secrets arrive, the secret from the file or from the environment."""
    path = tmp_path / "postbacks.yaml"
    path.write_text(
        f"""
endpoints:
  - id: one
    url: https://t.example/p?cid={{click_id}}
    method: GET
    secret: {SECRET}
    events: [ftd]
    ibs: [A]
    since: 2026-09-01T00:00:00Z
  - {{id: two, url: "https://u.example/", secret_env: U_SECRET, timeout: 3, since: beginning}}
""",
        encoding="utf-8",
    )
    one, two = load_endpoints(path, {"U_SECRET": SECRET})
    assert (one.endpoint_id, one.method, one.events, one.ibs) == (
        "one",
        "GET",
        frozenset({"ftd"}),
        frozenset({"A"}),
    )
    assert one.since == datetime(2026, 9, 1, tzinfo=UTC)
    assert (two.method, two.key, two.timeout_s, two.since) == ("POST", KEY, 3, None)
    assert SECRET not in repr((one, two))
    assert "\\x01" not in repr((one, two))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("url: 'https://t.example/?a={password}'", "password"),
        ("url: 'https://t.example/{click_id}?a=1'", "query only"),
        ("url: 'https://{click_id}.example/'", "query only"),
        ("url: 'https://t.example/?a={'", "brace"),
        ("url: 'http://t.example/'", "scheme"),
        ("url: 'https://10.0.0.1/'", "public"),
        ("url: 'https://2130706433/'", "disguise"),
        ("url: 'https://a:b@t.example/'", "credentials"),
        ("events: [bonus]", "bonus"),
        ("method: PUT", "method"),
        ("timeout: 60", "timeout"),
        ("secret: ''", "secret_env"),
        ("secret: whsec_c2hvcnQ=", "24 to 64"),
        ("colour: red", "colour"),
        ("id: 'a b'", "id"),
        ("since: ''", "endpoint e, since"),
        ("url: 'https://t.example/?{sub1}=1'", "value, not for its name"),
        ("url: 'https://t.example/?a=1&x{sub1}'", "value, not for its name"),
    ],
)
def test_a_wrong_line_refuses_the_file_and_tells_no_secret(tmp_path: Path, line: str, told: str) -> None:
    """The message names what to correct; the secret is not in it."""
    entry = {"id": "e", "url": "'https://t.example/'", "secret": SECRET, "since": "2026-09-01"}
    name, _, value = line.partition(": ")
    lines = "\n    ".join(f"{key}: {text}" for key, text in (entry | {name: value}).items())
    path = tmp_path / "postbacks.yaml"
    path.write_text(f"endpoints:\n  - {lines}\n", encoding="utf-8")
    with pytest.raises(EndpointsError) as refused:
        load_endpoints(path)
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "endpoints: 3", "[]", "endpoints: [!!python/object:os.system {}]"])
def test_what_is_no_file_of_endpoints_is_refused(tmp_path: Path, text: str) -> None:
    """Broken YAML, other shapes, and a file that is not there."""
    path = tmp_path / "postbacks.yaml"
    path.write_text(text, encoding="utf-8")
    for wrong in (path, tmp_path / "missing.yaml"):
        with pytest.raises(EndpointsError):
            load_endpoints(wrong)


def test_the_whole_history_is_sent_only_where_a_person_says_so(tmp_path: Path) -> None:
    """An endpoint without `since` would tell a tracker of years; the message names the endpoint by its id."""
    path = tmp_path / "postbacks.yaml"
    path.write_text(f"endpoints:\n  - {{id: keitaro, url: https://t.example/, secret: {SECRET}}}\n", "utf-8")
    with pytest.raises(EndpointsError, match="endpoint keitaro: give `since`"):
        load_endpoints(path)


def test_two_endpoints_cannot_share_an_id(tmp_path: Path) -> None:
    """Attempts are remembered by the id."""
    path = tmp_path / "postbacks.yaml"
    entry = f"  - {{id: e, url: https://t.example/, since: beginning, secret: {SECRET}}}\n"
    path.write_text(f"endpoints:\n{entry}", "utf-8")
    assert len(load_endpoints(path)) == 1
    path.write_text(f"endpoints:\n{entry}{entry.replace('t.example', 'u.example')}", "utf-8")
    with pytest.raises(EndpointsError, match="share one id"):
        load_endpoints(path)


def test_macros_are_filled_and_encoded() -> None:
    """Values keep to their parameter, missing ones are empty, and the client's id is not among them."""
    names = (
        "click_id event txid payout amount currency ib_id client_ref "
        "event_time_unix event_time_iso country sub1 sub2"
    )
    url = "https://t.example/p?" + "&".join(f"{name}={{{name}}}" for name in names.split())
    sent = to_request(Delivery(MILESTONE, endpoint(url), 1), AT).url
    values = {
        name: value[0] for name, value in parse_qs(urlsplit(sent).query, keep_blank_values=True).items()
    }
    pseudonym = hmac.new(KEY, b"client_ref\x1fclient-77", hashlib.sha256).hexdigest()[:32]
    assert values == {
        "click_id": "k 1&2", "event": "cpa.qualified", "txid": "m1", "payout": "250", "amount": "250",
        "currency": "USD", "ib_id": "A", "client_ref": pseudonym, "event_time_unix": str(int(AT.timestamp())),
        "event_time_iso": "2026-09-01T10:00:00Z", "country": "CY", "sub1": "s/ü", "sub2": "",
    }  # fmt: skip
    assert "client-77" not in sent


@pytest.mark.parametrize(
    ("kind", "payout"), [("cpa.qualified", "250"), ("cpa.clawback", "-250"), ("ftd", "")]
)
def test_payout_is_what_the_ib_earned(kind: str, payout: str) -> None:
    """A deposit is the client's money and never reported as a payout; a clawback is negative."""
    delivery = Delivery(replace(MILESTONE, kind=kind), endpoint("https://t.example/?p={payout}"), 1)
    assert to_request(delivery, AT).url == f"https://t.example/?p={payout}"


def test_the_sig_macro_signs_the_other_parameters_sorted() -> None:
    """A receiver rebuilds it from what it got, and a click parameter named `{sig}` changes nothing."""
    milestone = replace(MILESTONE, click={"clickid": "{sig}", "sub1": "a=b&c"})
    template = "https://t.example/p?z={sub1}&s={sig}&a={click_id}"
    sent = to_request(Delivery(milestone, endpoint(template), 1), AT).url
    pairs = parse_qsl(urlsplit(sent).query)
    signature = dict(pairs)["s"]
    rest = sorted(pair for pair in pairs if pair[0] != "s")
    canonical = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in rest)
    assert rest == [("a", "{sig}"), ("z", "a=b&c")]
    assert signature == hmac.new(KEY, canonical.encode(), hashlib.sha256).hexdigest()


def test_a_post_is_signed_as_standard_webhooks_has_it() -> None:
    """An independent computation over id, timestamp and body gives the same signature."""
    request = to_request(Delivery(MILESTONE, endpoint("https://t.example/", "POST"), 1), AT)
    key = b64decode(SECRET.removeprefix("whsec_"))
    signed = b".".join((b"msg_m1", str(int(AT.timestamp())).encode(), request.body))
    expected = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-id"] == "msg_m1"
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    body = json.loads(request.body)
    assert (body["type"], body["timestamp"]) == ("cpa.qualified", "2026-09-01T10:00:00Z")
    assert (body["data"]["txid"], body["data"]["payout"], body["data"]["click_id"]) == ("m1", "250", "k 1&2")
    assert b"client-77" not in request.body
    assert len(request.body) < 20_000


def test_the_id_is_constant_and_the_timestamp_each_attempts_own() -> None:
    """A receiver recognises a repeated postback and refuses an old one."""
    later = datetime(2026, 9, 1, 11, tzinfo=UTC)
    first = to_request(Delivery(MILESTONE, endpoint("https://t.example/"), 1), AT)
    second = to_request(Delivery(MILESTONE, endpoint("https://t.example/"), 2), later)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.url == second.url
