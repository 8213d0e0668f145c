"""The file of endpoints: what it says, what it must not say; macros and signatures."""

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.postbacks.endpoints import EndpointsError, load_endpoints
from api.postbacks.form import EndpointForm

KEY = bytes(range(32))
SECRET = f"whsec_{b64encode(KEY).decode()}"


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
    first, second = one.form.to_endpoint(), two.form.to_endpoint()
    assert (first.endpoint_id, first.method, first.events, first.ibs) == ("one", "GET", ("ftd",), ("A",))
    assert first.since == datetime(2026, 9, 1, tzinfo=UTC)
    assert (second.method, two.secret, second.timeout_ms, second.since) == ("POST", SECRET, 3_000, None)
    assert SECRET not in repr((one, two))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("url: 'https://t.example/?a={password}'", "password"),
        ("url: 'https://t.example/?a={click_ld}'", "did you mean {click_id}?"),
        ("events: [cpa.qualifed]", "did you mean cpa.qualified?"),
        ("preset: ketaro", "did you mean keitaro?"),
        ("fields: [txdi]", "did you mean txid?"),
        ("statuses: {ftdd: sale}", "did you mean ftd?"),
        ("countries: [Cyprus]", "countries"),
        ("min_payout: '-1'", "min_payout"),
        ("success: [99]", "success"),
        ("signing: ed25519", "not one of `signing: ed25519`"),
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


def test_two_endpoints_cannot_share_an_id(tmp_path: Path) -> None:
    """Attempts are remembered by the id."""
    path = tmp_path / "postbacks.yaml"
    entry = f"  - {{id: e, url: https://t.example/, since: beginning, secret: {SECRET}}}\n"
    path.write_text(f"endpoints:\n{entry}", "utf-8")
    assert len(load_endpoints(path)) == 1
    path.write_text(f"endpoints:\n{entry}{entry.replace('t.example', 'u.example')}", "utf-8")
    with pytest.raises(EndpointsError, match="share one id"):
        load_endpoints(path)


def form(**fields: Any) -> EndpointForm:
    return EndpointForm.model_validate({"id": "e", "url": "https://t.example/key/postback", **fields})


def test_a_preset_has_the_networks_own_parameters() -> None:
    """A URL without a query gets them; one with a query keeps its own; a preset is a GET."""
    keitaro = form(preset="keitaro")
    assert keitaro.whole_url == (
        "https://t.example/key/postback"
        "?subid={click_id}&status={status}&payout={payout}&currency={currency}&tid={txid}"
    )
    assert (keitaro.to_endpoint().method, keitaro.to_endpoint().reversal) == ("GET", "same")
    assert form(preset="tune").to_endpoint().must_not_match == "success=false"
    own = form(preset="keitaro", url="https://t.example/?subid={click_id}", reversal="none", method="POST")
    assert (own.whole_url, own.to_endpoint().reversal) == ("https://t.example/?subid={click_id}", "none")
    assert own.to_endpoint().method == "POST"


def test_what_is_shown_of_a_url_has_no_tokens() -> None:
    """Constants of the query are hidden, macros and names are not."""
    shown = form(url="https://t.example/p?token=s3cr3t&cid={click_id}&flag").to_endpoint().shown_url
    assert shown == "https://t.example/p?token=•••&cid={click_id}&flag"


def test_a_refused_form_repeats_nothing() -> None:
    """A URL may hold a token."""
    with pytest.raises(ValidationError) as refused:
        form(url="http://t.example/?token=s3cr3t")
    assert "s3cr3t" not in str(refused.value)
