"""Passwords by argon2, and the secret of a second factor sealed under the password: the log has neither."""

import hmac
import secrets
import threading
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from functools import cache
from time import time

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type, hash_secret_raw
from Crypto.Cipher import AES

from api.people import PeopleRefused

MIN_CHARS, MAX_CHARS = 12, 256
AT_ONCE = 2
"""Passwords that are hashed at a time, 64 MB each; more wait."""
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
STEP_S = 30

_hasher = PasswordHasher()
_turns = threading.BoundedSemaphore(AT_ONCE)


@cache
def _nobody() -> str:
    """What no password is right for; to make it takes as long as to look at one."""
    return _hasher.hash(secrets.token_hex(16))


def check_new(password: str, name: str) -> None:
    """Raise `PeopleRefused` for a password that is guessed too soon."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise PeopleRefused(f"a password has {MIN_CHARS} to {MAX_CHARS} characters")
    if len(set(password)) < MIN_CHARS // 3 or name.casefold() in password.casefold():
        raise PeopleRefused("that password is guessed too soon: use one without the name, such as four words")


def hashed(password: str) -> str:
    """The argon2id hash with its salt and costs."""
    with _turns:
        return _hasher.hash(password)


def is_right(password: str, known: str) -> bool:
    """Whether it is the password of a hash; "" takes as long and is never right."""
    with _turns:
        try:
            _hasher.verify(known or _nobody(), password)
        except (Argon2Error, InvalidHashError):
            return False
        return bool(known)


def new_totp() -> str:
    """A secret for an authenticator app."""
    return pyotp.random_base32()


def step_of(secret: str, code: str) -> int | None:
    """The half minute that a code is of: this one, the one before or the next; None if it is wrong."""
    totp, now = pyotp.TOTP(secret), int(time())
    code, found = code.replace(" ", ""), None  # apps show it as 123 456
    for step in (now // STEP_S + shift for shift in (-1, 0, 1)):
        if hmac.compare_digest(totp.at(step * STEP_S).encode(), code.encode()):
            found = step
    return found


def seal(secret: str, password: str) -> str:
    """The secret under the password, for the log."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    cipher = AES.new(_key(password, salt), AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
    text, tag = cipher.encrypt_and_digest(secret.encode())
    return b64encode(salt + nonce + text + tag).decode()


def unsealed(sealed: str, password: str) -> str:
    """The secret again; "" if the password is another."""
    try:
        raw = b64decode(sealed, validate=True)
        salt, rest = raw[:SALT_BYTES], raw[SALT_BYTES:]
        cipher = AES.new(_key(password, salt), AES.MODE_GCM, nonce=rest[:NONCE_BYTES], mac_len=TAG_BYTES)
        return cipher.decrypt_and_verify(rest[NONCE_BYTES:-TAG_BYTES], rest[-TAG_BYTES:]).decode()
    except (ValueError, NotBase64):
        return ""


def _key(password: str, salt: bytes) -> bytes:
    with _turns:
        return hash_secret_raw(
            password.encode(), salt, time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, type=Type.ID
        )
