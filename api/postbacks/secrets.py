"""What is secret of an endpoint: its URL, which may hold a token, and the secrets it signs with."""

from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from api.postbacks.signing import decode_secret
from commission.value import Time, Value

OLD_FOR = timedelta(days=1)
"""How long the secret before still signs as well, so that a receiver can change over."""
MIN_TOKEN = 6
"""Of a constant in a query that is cut from what is kept."""


class Secret(Value):
    """A secret in its text form; `until` of one that was replaced."""

    text: str
    until: Time | None = None


class Secrets(Value):
    """Sealed beside the endpoint; never in an answer, a log or a message."""

    url: str
    signing: tuple[Secret, ...]
    """The newest first."""
    pseudonyms: str
    """Base64: clients keep their pseudonyms when the secret changes."""

    def __repr__(self) -> str:
        """Nothing of it, so that no log can hold one."""
        return "<Secrets>"

    @property
    def pseudonym_key(self) -> bytes:
        """The key of the endpoint's pseudonyms."""
        return b64decode(self.pseudonyms)

    def at(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, the newest first."""
        return tuple(one.text for one in self.signing if one.until is None or one.until > now)

    def rotated(self, text: str, now: datetime) -> "Secrets":
        """With a new secret in front; the one before signs for a day more."""
        before = Secret(text=self.signing[0].text, until=now + OLD_FOR)
        return msgspec.structs.replace(self, signing=(Secret(text=text), before))

    def without(self, text: str) -> str:
        """A text in which no token of the URL and no secret stands: a receiver may echo what it was sent."""
        for secret in _hidden(self):
            text = text.replace(secret, "…")
        return text


@lru_cache(maxsize=1_024)
def _hidden(secrets: Secrets) -> tuple[str, ...]:
    """What must stand in no text, the longest first."""
    query = secrets.url.partition("?")[2]
    constants = [pair.partition("=")[2] for pair in query.split("&") if "{" not in pair]
    hidden = {*(one for one in constants if len(one) >= MIN_TOKEN), *(one.text for one in secrets.signing)}
    return tuple(sorted(hidden, key=len, reverse=True))


def new_secrets(url: str, text: str) -> Secrets:
    """Those of a new endpoint."""
    key = b64encode(decode_secret(text)).decode()
    return Secrets(url=url, signing=(Secret(text=text),), pseudonyms=key)


def encode_secrets(secrets: Secrets) -> bytes:
    """What is sealed."""
    return msgspec.json.encode(secrets)


def decode_secrets(text: bytes) -> Secrets:
    """What was sealed."""
    return msgspec.json.decode(text, type=Secrets)
