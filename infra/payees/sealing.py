"""Payee details at rest: AES-256-GCM under keys of the settings, bound to the IB and the version."""

import json
import secrets
from base64 import b64decode, b64encode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from hashlib import blake2b

import msgspec
from Crypto.Cipher import AES

from infra.payees.details import PayeeDetails
from schemas.errors import Unusable
from schemas.settings import Settings

KEY_BYTES = 32
NONCE_BYTES, TAG_BYTES = 12, 16
MAX_KEYS = 16
HOW_TO_CONFIGURE = (
    "payee details are kept encrypted: make a key with `ibflow payees key` and give it to the server as "
    "IBFLOW_PAYEE_KEYS; keep a copy, for without it nobody can read them"
)

_DECODER = msgspec.json.Decoder(PayeeDetails)


class PayeeKeys:
    """The newest key seals, every key opens."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = {_name(key): key for key in keys}

    def __repr__(self) -> str:
        return f"<PayeeKeys {', '.join(self._keys)}>"

    @classmethod
    def from_text(cls, text: str) -> "PayeeKeys":
        """Read `IBFLOW_PAYEE_KEYS`: keys with commas between them, the newest first; raise `Unusable`."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise Unusable(HOW_TO_CONFIGURE)
        if len(parts) > MAX_KEYS:
            raise Unusable(f"IBFLOW_PAYEE_KEYS has over {MAX_KEYS} keys; rotate, and drop those before")
        return cls(tuple(_read(number, part) for number, part in enumerate(parts, 1)))

    def seal(
        self,
        details: PayeeDetails,
        ib_id: str,
        version: int,
        nonce_of: Callable[[int], bytes] = secrets.token_bytes,
    ) -> str:
        """Encrypt for one IB and version: `key.nonce+text+tag`. It opens for no other."""
        name, key = next(iter(self._keys.items()))
        nonce = nonce_of(NONCE_BYTES)
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
        cipher.update(_bound_to(ib_id, version))
        text, tag = cipher.encrypt_and_digest(msgspec.json.encode(details))
        return f"{name}.{b64encode(nonce + text + tag).decode()}"

    def open(self, sealed: str, ib_id: str, version: int) -> PayeeDetails:
        """Decrypt; raise `Unusable` if its key is missing, it was changed, or is of another IB or version."""
        name, _, body = sealed.partition(".")
        key = self._keys.get(name)
        if key is None:
            raise Unusable(
                f"{ib_id}: version {version} is sealed with the key {name:.16}, which is not given"
            )
        try:
            raw = b64decode(body, validate=True)
            cipher = AES.new(key, AES.MODE_GCM, nonce=raw[:NONCE_BYTES], mac_len=TAG_BYTES)
            cipher.update(_bound_to(ib_id, version))
            text = cipher.decrypt_and_verify(raw[NONCE_BYTES:-TAG_BYTES], raw[-TAG_BYTES:])
            return _DECODER.decode(text)
        except (ValueError, NotBase64):
            raise Unusable(
                f"{ib_id}: version {version} was changed, or sealed for another IB or version"
            ) from None

    def is_newest(self, sealed: str) -> bool:
        """Whether it is sealed with the newest key."""
        return sealed.partition(".")[0] == next(iter(self._keys))

    def resealed(self, sealed: str, ib_id: str, version: int) -> str:
        """The same details under the newest key."""
        return self.seal(self.open(sealed, ib_id, version), ib_id, version)


def keys_of(settings: Settings) -> Callable[[], PayeeKeys]:
    """The keys of the settings when they are needed; keys that cannot be used raise `Unusable` now."""
    text = settings.payee_keys.get_secret_value()
    if not text.strip():
        return lambda: PayeeKeys.from_text("")
    keys = PayeeKeys.from_text(text)
    return lambda: keys


def new_key() -> str:
    """A key for `IBFLOW_PAYEE_KEYS`."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _read(number: int, text: str) -> bytes:
    try:
        key = urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except (ValueError, NotBase64):
        key = b""
    if len(key) != KEY_BYTES:
        raise Unusable(
            f"key {number} of IBFLOW_PAYEE_KEYS is not {KEY_BYTES} bytes of base64; {HOW_TO_CONFIGURE}"
        )
    return key


def _name(key: bytes) -> str:
    """What tells keys apart and gives none away."""
    return blake2b(key, digest_size=4, person=b"ibflow-payees").hexdigest()


def _bound_to(ib_id: str, version: int) -> bytes:
    return json.dumps([ib_id, version]).encode()
