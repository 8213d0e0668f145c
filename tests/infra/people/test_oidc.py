"""Sign-in by a provider: a real one over HTTP with RSA keys, and everything that it could say wrongly."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.app import create_app
from api.desks import Desks
from api.people import People
from infra.people.oidc import BEGUN_S, Oidc
from schemas.errors import Unavailable, Unusable
from schemas.people import Access
from schemas.settings import Settings
from tests.api.identity_provider import BACK, CLIENT, SECRET, IdentityProvider
from tests.api.people_world import Visitor, World


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    found = IdentityProvider()
    yield found
    found.close()


class Place:
    """An app in which the provider's people may sign in; olga@example.org was added as an auditor."""

    def __init__(self, world: World, provider: IdentityProvider, folder: Path) -> None:
        secret = folder / "secret"
        secret.write_text(f"{SECRET}\n", encoding="utf-8")
        self.settings = settings_of(provider, oidc_client_secret_file=secret)
        self.shift = 0.0
        self.oidc = Oidc(self.settings, world.sign_ins, now=lambda: time.time() + self.shift)
        people = People(world.desk, world.sign_ins, world.audit, self.oidc)
        world.app = create_app(world.ledger, self.settings, desks=Desks(people=people))
        world.desk.add("olga@example.org", Access(role="auditor"), "anna")
        self.world, self.provider = world, provider

    def begin(self, visitor: Visitor, path: str = "/sign-in/oidc") -> dict[str, str]:
        """Go there; what the browser comes back with."""
        gone = visitor.ask("GET", path)
        assert gone.status_code == 303
        assert gone.headers["location"].startswith(f"{self.provider.issuer}/authorize?")
        return self.provider.code_for(gone.headers["location"])

    def back(self, visitor: Visitor, given: dict[str, str]) -> httpx.Response:
        """Come back."""
        return visitor.ask("GET", f"/sign-in/oidc/back?{httpx.QueryParams(given)}")


def settings_of(provider: IdentityProvider, **more: Any) -> Settings:
    known = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_redirect_url": BACK}
    return Settings(_env_file=None, **(known | more))


class NoLedger:
    """Sign-in asks no ledger."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def place(provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    ledger: Any = NoLedger()
    world = World(ledger, monkeypatch)
    world.ledger = ledger
    found = Place(world, provider, tmp_path)
    yield found
    found.oidc.close()


def test_somebody_signs_in_by_the_provider(place: Place) -> None:
    """There and back to the page that was wanted, as who was added, with an entry in the audit log."""
    visitor = place.world.browser()
    assert "/sign-in/oidc?next=" in visitor.page("/sign-in?next=/docs")
    answer = place.back(visitor, place.begin(visitor, "/sign-in/oidc?next=/docs/problems"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs/problems"), answer.text
    assert "ibflow_begun" not in visitor.cookies
    me = visitor.ask("GET", "/v1/me", {"Accept": "application/json"}).json()
    assert (me["name"], me["role"]) == ("olga@example.org", "auditor")
    assert place.world.done()[-1] == ("olga@example.org", "sign_in", "by the provider of OpenID Connect")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-in/oidc", "javascript:1"]
)
def test_it_goes_on_to_pages_of_ours_alone(place: Place, wanted: str) -> None:
    """Whatever the address of the first step said."""
    visitor = place.world.browser()
    given = place.begin(visitor, f"/sign-in/oidc?{httpx.QueryParams({'next': wanted})}")
    assert place.back(visitor, given).headers["location"] == "/"


CLAIMS: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another client"},
    {"aud": [CLIENT, "another"], "azp": None},
    {"aud": [CLIENT, "another"], "azp": "another"},
    {"iss": "http://127.0.0.1:1"},
    {"exp": 1},
    {"exp": None},
    {"iat": None},
    {"sub": None},
    {"nbf": 99_999_999_999},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email_verified": None},
    {"email": None},
    {"email": ["olga@example.org"]},
    {"email": "nobody@example.org"},
    {"email": "iris@example.org\n"},
]


@pytest.mark.parametrize("changed", CLAIMS)
def test_a_token_that_proves_nothing_lets_nobody_in(place: Place, changed: dict[str, Any]) -> None:
    """Of another sign-in, client, provider or time; without a verified name; of nobody who was added."""
    place.provider.changed = changed
    visitor = place.world.browser()
    refused = place.back(visitor, place.begin(visitor))
    assert (refused.status_code, "ibflow_session" in visitor.cookies) == (401, False)
    assert place.world.done()[-1][1] == "sign_in_failed"


def _base64(text: bytes) -> str:
    return urlsafe_b64encode(text).decode().rstrip("=")


def forged(kind: str, provider: IdentityProvider) -> Any:
    """Makes a token that is not the provider's."""
    other = RSAKey.generate_key(2048, {"kid": "k1"})
    public = provider.key.as_pem(private=False)

    def unsigned(claims: dict[str, Any], alg: str = "none") -> str:
        parts = [json.dumps({"alg": alg, "kid": "k1"}), json.dumps(claims)]
        return ".".join(_base64(one.encode()) for one in parts) + "."

    def by_public_key(claims: dict[str, Any]) -> str:
        text = unsigned(claims, "HS256")[:-1]
        return f"{text}.{_base64(hmac.digest(public, text.encode(), 'sha256'))}"

    makers: dict[str, Any] = {
        "of another key": lambda it: jwt.encode({"alg": "RS256", "kid": "k1"}, it, other),
        "unsigned": unsigned,
        "by the public key": by_public_key,
        "no token": lambda _: "x.y",
        "cut": lambda it: jwt.encode({"alg": "RS256", "kid": "k1"}, it, provider.key)[:-4],
    }
    return makers[kind]


@pytest.mark.parametrize("kind", ["of another key", "unsigned", "by the public key", "no token", "cut"])
def test_a_forged_token_lets_nobody_in(place: Place, kind: str) -> None:
    """Signed by somebody else, by nobody, or by the public key as if it were a secret."""
    place.provider.sign = forged(kind, place.provider)
    visitor = place.world.browser()
    refused = place.back(visitor, place.begin(visitor))
    assert (refused.status_code, "ibflow_session" in visitor.cookies) == (401, False)


def test_an_answer_is_of_the_browser_that_began(place: Place) -> None:
    """Another browser's state, none, an old or foreign cookie, a code twice: nobody signs in by a link."""
    mine, other = place.world.browser(), place.world.browser()
    given = place.begin(mine)
    place.begin(other)
    for visitor, said in ((other, given), (place.world.browser(), given), (mine, given | {"state": "x"})):
        cookies = dict(visitor.cookies)
        assert place.back(visitor, said).status_code == 401
        visitor.cookies |= {name: one for name, one in cookies.items() if name == "ibflow_begun"}
    fresh = place.world.browser()
    again = place.begin(fresh)
    fresh.cookies["ibflow_begun"] = fresh.cookies["ibflow_begun"][:-8] + "AAAAAAA="
    assert place.back(fresh, again).status_code == 401
    assert place.back(mine, given).status_code == 303, "the right one, after all of that"
    late = place.world.browser()
    begun = place.begin(late)
    place.shift = BEGUN_S + 1
    assert "too long ago" in place.back(late, begun).text
    place.shift = 0
    used = place.world.browser()
    once = place.begin(used)
    cookie = used.cookies["ibflow_begun"]
    assert place.back(used, once).status_code == 303
    used.cookies = {"ibflow_begun": cookie}
    assert place.back(used, once).status_code == 401, "the provider takes a code once"


def test_a_session_is_a_new_one(place: Place) -> None:
    """What a browser came with, and somebody else may know, is no session afterwards."""
    visitor = place.world.browser()
    visitor.cookies["ibflow_session"] = "planted"
    answer = place.back(visitor, place.begin(visitor))
    assert (answer.status_code, visitor.cookies["ibflow_session"] != "planted") == (303, True)


def test_the_provider_may_refuse_and_may_be_another(place: Place) -> None:
    """Its error is not shown in its words; an answer in the name of another provider is refused."""
    visitor = place.world.browser()
    state = place.begin(visitor)["state"]
    refused = place.back(
        visitor, {"error": "access_denied", "error_description": "<b>no</b>", "state": state}
    )
    assert (refused.status_code, "<b>no" in refused.text) == (401, False)
    mixed = place.begin(visitor) | {"iss": "https://other.example"}
    assert place.back(visitor, mixed).status_code == 401


def test_a_new_key_of_the_provider_is_looked_for(place: Place) -> None:
    """Once it signs by another; a forged token does not make us ask each time."""
    visitor = place.world.browser()
    assert place.back(visitor, place.begin(visitor)).status_code == 303
    place.provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
    place.provider.sign = lambda it: jwt.encode({"alg": "RS256", "kid": "k2"}, it, place.provider.key)
    asked = place.provider.asked.count("/keys")
    place.shift = 40
    assert place.back(visitor, place.begin(visitor)).status_code == 303
    place.provider.sign = forged("of another key", place.provider)
    for _ in range(3):
        visitor = place.world.browser()
        assert place.back(visitor, place.begin(visitor)).status_code == 401
    assert place.provider.asked.count("/keys") == asked + 1


def test_somebody_disabled_or_a_name_by_another_claim(place: Place) -> None:
    """A disabled name is not let in; `sub` and `preferred_username` need no verified e-mail."""
    place.world.desk.disable("olga@example.org", "anna")
    visitor = place.world.browser()
    assert place.back(visitor, place.begin(visitor)).status_code == 401
    place.oidc._claim = "sub"
    place.provider.claims = {"sub": "Mary"}
    assert place.back(visitor, place.begin(visitor)).status_code == 303
    assert place.world.done()[-1][0] == "mary"


def test_a_provider_that_is_away_is_said(place: Place) -> None:
    """503 with a sentence; nobody waits for ever, and passwords go on."""
    place.provider.close()
    answer = place.world.browser().ask("GET", "/sign-in/oidc", {"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert place.world.signed_in("anna").page("/account")


def test_settings_say_what_they_lack(provider: IdentityProvider, tmp_path: Path) -> None:
    """At the start, and before anybody is sent anywhere; plain HTTP is for this machine alone."""
    nobody: Any = None
    with pytest.raises(Unusable, match="IBFLOW_OIDC_CLIENT_ID and IBFLOW_OIDC_REDIRECT_URL"):
        Oidc(settings_of(provider, oidc_client_id="", oidc_redirect_url=""), nobody)
    with pytest.raises(Unusable, match="cannot be read"):
        Oidc(settings_of(provider, oidc_client_secret_file=tmp_path / "none"), nobody)
    for wrong in ("http://idp.example", "https://idp.example/?x", "ftp://idp.example"):
        with pytest.raises(ValueError, match="oidc_issuer"):
            Settings(_env_file=None, oidc_issuer=wrong)
    away = Oidc(settings_of(provider, oidc_issuer="http://127.0.0.1:9"), nobody)
    with pytest.raises(Unavailable, match="does not answer"):
        away.begin("/")
    away.close()
