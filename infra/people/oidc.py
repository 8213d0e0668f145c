"""Sign-in by a provider of OpenID Connect: code flow with PKCE, state and nonce, and a signed token checked.

What a sign-in that has begun must remember is in a cookie sealed by a key of this process, so nothing piles
up here whoever begins how many. The person is one whom an admin added; a second factor is the provider's.
"""

import json
import logging
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from Crypto.Cipher import AES
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.people import Caller, SignInFailed
from infra.people.sign_in import SignIn
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures that are taken; never one by a shared secret, and never none."""
TIMEOUT_S = 10.0
BEGUN_S = 600
"""How long somebody may take at the provider."""
LEEWAY_S = 60
KEYS_S = 3_600
KEYS_AGAIN_S = 30
"""A key that is not known is looked for again, but not at each forged token."""
MAX_ANSWER_BYTES = 1_000_000
NONCE_BYTES, TAG_BYTES = 16, 16
HEAD_BYTES = NONCE_BYTES + TAG_BYTES
NO = "the provider did not confirm who you are; begin again"


class Begun(NamedTuple):
    """What is remembered of a sign-in between its two ends."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    until: float


class Oidc:
    """One provider, as the settings name it."""

    def __init__(
        self,
        settings: Settings,
        sign_ins: SignIn,
        *,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raise `Unusable` where a setting is missing. Nothing is asked of the provider yet."""
        self._issuer, self._client = settings.oidc_issuer.rstrip("/"), settings.oidc_client_id
        self._redirect, self._claim = settings.oidc_redirect_url, settings.oidc_claim
        self._secret, self._sign_ins, self._now = _secret_of(settings), sign_ins, now
        self._http = httpx.Client(timeout=TIMEOUT_S, transport=transport)
        self._cookie_key = secrets.token_bytes(32)
        self._known: dict[str, Any] = {}
        self._keys, self._keys_at = KeySet([]), float("-inf")

    def begin(self, wanted: str) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it comes back with; `wanted` is the page afterwards."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(state, nonce, verifier, wanted, self._now() + BEGUN_S)
        url = prepare_grant_uri(
            self._discovered()["authorization_endpoint"],
            self._client,
            "code",
            self._redirect,
            "openid email profile",
            begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return url, self._sealed(begun)

    def finish(self, given: Mapping[str, str], cookie: str, caller: Caller) -> tuple[str, str]:
        """The token of a new session, and the page to go on to; raise `SignInFailed`."""
        begun = self._opened(cookie)
        is_ours = begun is not None and secrets.compare_digest(
            begun.state.encode(), given.get("state", "").encode()
        )
        if begun is None or not is_ours or begun.until < self._now():
            raise SignInFailed("this sign-in was not begun in this browser, or too long ago; begin again")
        if given.get("iss", self._issuer).rstrip("/") != self._issuer or not given.get("code"):
            log.warning("OpenID Connect: refused by the provider: %s", given.get("error", "no code")[:64])
            raise self._sign_ins.refused_by_provider("", caller, NO)
        claims = self._claims(self._exchange(given["code"], begun.verifier, caller), begun.nonce, caller)
        name = claims.get(self._claim)
        is_proved = self._claim != "email" or claims.get("email_verified") is True
        if not isinstance(name, str) or not is_proved:
            why = f"the provider proves no {self._claim}"
            raise self._sign_ins.refused_by_provider(str(name or ""), caller, why)
        return self._sign_ins.sign_in_as(name, caller), begun.wanted

    # The provider

    def _discovered(self) -> dict[str, Any]:
        if not self._known:
            found = self._get(f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise Unavailable(f"the provider says that it is another than {self._issuer}")
            if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys():
                raise Unavailable(f"the provider's description lacks {', '.join(sorted(missing))}")
            self._known = found
        return self._known

    def _exchange(self, code: str, verifier: str, caller: Caller) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
            "client_id": self._client,
        }
        known = quote(self._client, safe=""), quote(self._secret, safe="")
        auth = httpx.BasicAuth(*known) if self._secret else httpx.USE_CLIENT_DEFAULT
        try:
            answer = self._http.post(self._discovered()["token_endpoint"], data=form, auth=auth)
        except httpx.HTTPError as error:
            raise Unavailable(f"the provider of sign-in does not answer ({type(error).__name__})") from None
        if answer.status_code != httpx.codes.OK:
            log.warning("OpenID Connect: the provider takes no code: %s", answer.status_code)
            raise self._sign_ins.refused_by_provider("", caller, NO)
        return _json(answer)

    def _claims(self, answer: dict[str, Any], nonce: str, caller: Caller) -> CodeIDToken:
        """What the provider says of whom, signed for us and for this sign-in alone."""
        options = {"iss": {"essential": True, "values": [self._issuer, f"{self._issuer}/"]},
                   "aud": {"essential": True, "value": self._client}}  # fmt: skip
        bound = {"nonce": nonce, "client_id": self._client, "access_token": answer.get("access_token", "")}
        try:
            token = self._decoded(str(answer.get("id_token", "")))
            claims = CodeIDToken(token.claims, token.header, options, bound)
            claims.validate(int(self._now()), LEEWAY_S)
        except Exception as error:
            log.warning("OpenID Connect: a token is refused: %s: %s", type(error).__name__, str(error)[:200])
            raise self._sign_ins.refused_by_provider("", caller, NO) from None
        return claims

    def _decoded(self, text: str) -> jwt.Token:
        age = self._now() - self._keys_at
        if age > KEYS_S:
            self._read_keys()
        try:
            return jwt.decode(text, self._keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if age <= KEYS_AGAIN_S:
                raise
            self._read_keys()  # the provider may have a new key
            return jwt.decode(text, self._keys, algorithms=ALGORITHMS)

    def _read_keys(self) -> None:
        found = self._get(self._discovered()["jwks_uri"])
        self._keys, self._keys_at = KeySet.import_key_set(found), self._now()  # type: ignore[arg-type] # their JSON

    def _get(self, url: str) -> dict[str, Any]:
        try:
            answer = self._http.get(url)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"the provider of sign-in does not answer ({type(error).__name__})") from None
        return _json(answer)

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    # The cookie

    def _sealed(self, begun: Begun) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = AES.new(self._cookie_key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
        text, tag = cipher.encrypt_and_digest(json.dumps(begun).encode())
        return urlsafe_b64encode(nonce + tag + text).decode()

    def _opened(self, cookie: str) -> Begun | None:
        """What was sealed by this process; None for anything else."""
        try:
            raw = urlsafe_b64decode(cookie)
            nonce, tag, text = raw[:NONCE_BYTES], raw[NONCE_BYTES:HEAD_BYTES], raw[HEAD_BYTES:]
            cipher = AES.new(self._cookie_key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
            return Begun(*json.loads(cipher.decrypt_and_verify(text, tag)))
        except (ValueError, TypeError):
            return None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json() if len(answer.content) <= MAX_ANSWER_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("the provider of sign-in answers with something else than a JSON object")
    return found


def _secret_of(settings: Settings) -> str:
    """The client's secret; "" of a public client, which PKCE alone proves."""
    missing = [
        f"IBFLOW_{name.upper()}"
        for name in ("oidc_client_id", "oidc_redirect_url")
        if not getattr(settings, name)
    ]
    if missing:
        raise Unusable(f"IBFLOW_OIDC_ISSUER wants {' and '.join(missing)} too")
    if settings.oidc_client_secret_file is None:
        return ""
    try:
        return settings.oidc_client_secret_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unusable(f"IBFLOW_OIDC_CLIENT_SECRET_FILE cannot be read ({error.strerror})") from None
