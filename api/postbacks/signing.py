"""Signatures as Standard Webhooks has them, v1 and v1a, and what else is made with an endpoint's secrets."""

import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

HMAC_PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64
SEED_BYTES = 32
HOW = (
    f"the secret must be `{HMAC_PREFIX}` and the base64 of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} random "
    f"bytes, or `{PRIVATE_PREFIX}` and the base64 of an ed25519 key of {SEED_BYTES} or {2 * SEED_BYTES} bytes"
)


@lru_cache(maxsize=1_024)
def decode_secret(secret: str) -> bytes:
    """The bytes of a `whsec_…` or `whsk_…` secret; raise `ValueError`, which never repeats it."""
    prefix = secret.partition("_")[0] + "_"
    try:
        key = b64decode(secret.removeprefix(prefix), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if prefix == HMAC_PREFIX and MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        return key
    if prefix == PRIVATE_PREFIX and len(key) in (SEED_BYTES, 2 * SEED_BYTES):
        if len(key) > SEED_BYTES and _public(key[:SEED_BYTES]) != key[SEED_BYTES:]:
            raise ValueError("the second half of the ed25519 secret is not the public key of the first")
        return key[:SEED_BYTES]
    raise ValueError(HOW)


def new_secret(signing: str) -> str:
    """A fresh secret for `hmac` or `ed25519`."""
    seed = secrets.token_bytes(SEED_BYTES)
    if signing == "ed25519":
        return PRIVATE_PREFIX + b64encode(seed + _public(seed)).decode()
    return HMAC_PREFIX + b64encode(seed).decode()


def is_of(secret: str, signing: str) -> bool:
    """Whether a secret is for this way of signing."""
    return secret.startswith(PRIVATE_PREFIX) == (signing == "ed25519")


def public_key(secret: str) -> str:
    """What a receiver verifies v1a with, `whpk_…`; "" of an HMAC secret, which both have."""
    if not secret.startswith(PRIVATE_PREFIX):
        return ""
    return PUBLIC_PREFIX + b64encode(_public(decode_secret(secret))).decode()


def headers(signed_with: Iterable[str], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers: the id stays over retries, the timestamp is each attempt's own.

    While secrets are changed there are two, and a signature of each.
    """
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in signed_with),
    }


def sign_query(secret: str, query: str) -> str:
    """The `{sig}` macro: hex HMAC-SHA256 of the canonical query, or hex ed25519."""
    if secret.startswith(PRIVATE_PREFIX):
        return _sign(decode_secret(secret), query.encode()).hex()
    return hmac.new(decode_secret(secret), query.encode(), sha256).hexdigest()


def client_ref(key: bytes, client_id: str) -> str:
    """A pseudonym of the client: constant for one endpoint, useless to compare between endpoints."""
    return hmac.new(key, b"client_ref\x1f" + client_id.encode(), sha256).hexdigest()[:32]


def _signature(secret: str, content: bytes) -> str:
    key = decode_secret(secret)
    if secret.startswith(PRIVATE_PREFIX):
        return f"v1a,{b64encode(_sign(key, content)).decode()}"
    return f"v1,{b64encode(hmac.digest(key, content, 'sha256')).decode()}"


@lru_cache(maxsize=1_024)
def _key(seed: bytes) -> ECC.EccKey:
    return ECC.construct(curve="Ed25519", seed=seed)


def _public(seed: bytes) -> bytes:
    return bytes(_key(seed).public_key().export_key(format="raw"))


def _sign(seed: bytes, content: bytes) -> bytes:
    return bytes(eddsa.new(_key(seed), "rfc8032").sign(content))
