"""A provider of OpenID Connect for tests: over HTTP, with RSA keys, and wrong wherever a test asks for it."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.api.people_world import ORIGIN

BACK = f"{ORIGIN}/sign-in/oidc/back"
CLIENT, SECRET = "ibflow:1", "s3cret/+"


class IdentityProvider:
    """Hands out codes and tokens as OpenID Connect asks, or otherwise where a test says so."""

    def __init__(self, back: str = BACK) -> None:
        self.back = back
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.claims: dict[str, Any] = {"sub": "u-1", "email": "olga@example.org", "email_verified": True}
        self.changed: dict[str, Any] = {}
        """Claims of the token that are said otherwise; None leaves one out."""
        self.sign: Any = None
        """Makes the token another way."""
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        handler = type("Handler", (_Handler,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()

    def code_for(self, url: str) -> dict[str, str]:
        """What a browser comes back with, once somebody agreed."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert (asked["redirect_uri"], asked["client_id"]) == (self.back, CLIENT)
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def token_for(self, form: dict[str, str], basic: str) -> dict[str, str] | None:
        """The answer for a code, which counts once and for whoever began."""
        asked = self.codes.pop(form["code"], None)
        made = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if asked is None or made != asked["code_challenge"] or form["redirect_uri"] != self.back:
            return None
        assert httpx.BasicAuth("ibflow%3A1", "s3cret%2F%2B")._auth_header == basic
        now = int(time.time())
        claims = self.claims | {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60}
        claims |= {"nonce": asked["nonce"]} | self.changed
        claims = {name: value for name, value in claims.items() if value is not None}
        sign = self.sign or (lambda it: jwt.encode({"alg": "RS256", "kid": "k1"}, it, self.key))
        return {"access_token": "a", "token_type": "Bearer", "id_token": sign(claims)}


class _Handler(BaseHTTPRequestHandler):
    provider: IdentityProvider

    def do_GET(self) -> None:
        self.provider.asked.append(self.path)
        if self.path.startswith("/authorize?"):  # whoever comes here agrees
            self.send_response(303)
            self.send_header(
                "Location", f"{self.provider.back}?{urlencode(self.provider.code_for(self.path))}"
            )
            self.end_headers()
            return
        issuer = self.provider.issuer
        self._answer(
            {"keys": [self.provider.key.as_dict(private=False)]}
            if self.path == "/keys"
            else {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
            }
        )

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        form = {name: one for name, (one,) in parse_qs(self.rfile.read(size).decode()).items()}
        found = self.provider.token_for(form, self.headers.get("Authorization", ""))
        self._answer(found or {"error": "invalid_grant"}, 200 if found else 400)

    def _answer(self, body: Any, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
