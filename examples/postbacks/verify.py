"""Verify a postback: `python verify.py SECRET ID TIMESTAMP SIGNATURES < body`; exits 0 if it is genuine.

SECRET is `whsec_…`, which needs nothing but Python, or the public key `whpk_…`, which needs
`pip install cryptography` (or pycryptodome). Copy `verify` into your receiver.
"""

import base64
import hmac
import sys
import time

TOLERANCE_S = 300


def verify(secret: str, webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Whether one of the signatures fits and the request is at most five minutes old."""
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return any(_fits(secret, one, content) for one in signatures.split())


def _fits(secret: str, signature: str, content: bytes) -> bool:
    version, _, text = signature.partition(",")
    try:
        given = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    if version == "v1" and secret.startswith("whsec_"):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return hmac.compare_digest(given, hmac.digest(key, content, "sha256"))
    if version == "v1a" and secret.startswith("whpk_"):
        return _fits_ed25519(base64.b64decode(secret.removeprefix("whpk_")), given, content)
    return False


def _fits_ed25519(public: bytes, given: bytes, content: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return _fits_with_pycryptodome(public, given, content)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(given, content)
    except InvalidSignature:
        return False
    return True


def _fits_with_pycryptodome(public: bytes, given: bytes, content: bytes) -> bool:
    from Crypto.Signature import eddsa

    try:
        eddsa.new(eddsa.import_public_key(public), "rfc8032").verify(content, given)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(0 if verify(*sys.argv[1:5], sys.stdin.buffer.read()) else 1)
