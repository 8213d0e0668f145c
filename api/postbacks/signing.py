"""Signatures as Standard Webhooks has them, and the pseudonyms made with the same secret."""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha256

PREFIX = "whsec_"
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64


def decode_secret(secret: str) -> bytes:
    """Read a `whsec_…` secret; the error never repeats it."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(
            f"the secret must be `{PREFIX}` and the base64 of "
            f"{MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} random bytes"
        )
    return key


def headers(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers: the id stays over retries, the timestamp is each attempt's own."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    signature = b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def sign_query(key: bytes, query: str) -> str:
    """The `{sig}` macro: hex HMAC-SHA256 of the canonical query."""
    return hmac.new(key, query.encode(), sha256).hexdigest()


def client_ref(key: bytes, client_id: str) -> str:
    """A pseudonym of the client: constant for one endpoint, useless to compare between endpoints."""
    return hmac.new(key, b"client_ref\x1f" + client_id.encode(), sha256).hexdigest()[:32]
