"""What is kept encrypted: AES-256-GCM under keys of the settings, bound to what it is of."""

import secrets
from base64 import b64decode, b64encode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from Crypto.Cipher import AES

from schemas.errors import Unusable

KEY_BYTES = 32
NONCE_BYTES, TAG_BYTES = 12, 16
MAX_KEYS = 16


class WrongSeal(Unusable):
    """It was changed, or sealed for something else."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What keys are for."""

    setting: str
    """The environment's variable with the keys."""
    how: str
    """How to configure them, for people."""
    person: bytes
    """Tells the keys' names of one purpose from another's; 16 bytes at most."""


class SealingKeys:
    """The newest key seals, every key opens."""

    def __init__(self, purpose: Purpose, keys: tuple[bytes, ...]) -> None:
        self._purpose = purpose
        self._keys = {_name(key, purpose.person): key for key in keys}

    def __repr__(self) -> str:
        return f"<keys {', '.join(self._keys)}>"

    @classmethod
    def from_text(cls, purpose: Purpose, text: str) -> "SealingKeys":
        """Read a setting; raise `Unusable`."""
        return cls(purpose, read_keys(purpose, text))

    def seal(self, text: bytes, bound: bytes, nonce_of: Callable[[int], bytes] = secrets.token_bytes) -> str:
        """Encrypt: `key.nonce+text+tag`. It opens only beside the same `bound`."""
        name, key = next(iter(self._keys.items()))
        nonce = nonce_of(NONCE_BYTES)
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
        cipher.update(bound)
        sealed, tag = cipher.encrypt_and_digest(text)
        return f"{name}.{b64encode(nonce + sealed + tag).decode()}"

    def open(self, sealed: str, bound: bytes, what: str) -> bytes:
        """Decrypt; raise `Unusable` if its key is missing, `WrongSeal` if it does not fit `bound`."""
        name, _, body = sealed.partition(".")
        key = self._keys.get(name)
        if key is None:
            raise Unusable(f"{what} is sealed with the key {name:.16}, which is not given")
        try:
            raw = b64decode(body, validate=True)
            cipher = AES.new(key, AES.MODE_GCM, nonce=raw[:NONCE_BYTES], mac_len=TAG_BYTES)
            cipher.update(bound)
            return cipher.decrypt_and_verify(raw[NONCE_BYTES:-TAG_BYTES], raw[-TAG_BYTES:])
        except (ValueError, NotBase64):
            raise WrongSeal(f"{what} was changed") from None

    def is_newest(self, sealed: str) -> bool:
        """Whether it is sealed with the newest key."""
        return sealed.partition(".")[0] == next(iter(self._keys))


def read_keys(purpose: Purpose, text: str) -> tuple[bytes, ...]:
    """The keys of a setting, with commas between them, the newest first; raise `Unusable`."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise Unusable(purpose.how)
    if len(parts) > MAX_KEYS:
        raise Unusable(f"{purpose.setting} has over {MAX_KEYS} keys; rotate, and drop those before")
    return tuple(_read(number, part, purpose) for number, part in enumerate(parts, 1))


def keys_from(purpose: Purpose, text: str) -> Callable[[], SealingKeys]:
    """The keys when they are needed; keys that cannot be used raise `Unusable` now."""
    if not text.strip():
        return lambda: SealingKeys.from_text(purpose, "")
    keys = SealingKeys.from_text(purpose, text)
    return lambda: keys


def new_key() -> str:
    """A key for such a setting."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _read(number: int, text: str, purpose: Purpose) -> bytes:
    try:
        key = urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except (ValueError, NotBase64):
        key = b""
    if len(key) != KEY_BYTES:
        raise Unusable(f"key {number} of {purpose.setting} is not {KEY_BYTES} bytes of base64; {purpose.how}")
    return key


def _name(key: bytes, person: bytes) -> str:
    """What tells keys apart and gives none away."""
    return blake2b(key, digest_size=4, person=person).hexdigest()
