"""Who is asking: people with tokens of their own, so that what one proposes another can approve.

```yaml
operators:
  - name: anna
    token_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    role: operator   # creates, approves, rejects; `viewer` only reads
```
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.settings_file import read_settings_file
from schemas.errors import Unusable
from schemas.people import NAME, KeyRight, Role
from schemas.settings import Settings

SHARED = "shared token"
LOCAL = "this machine"
HOW_TO_CONFIGURE = (
    "Give each person a token of their own: a YAML file of `operators` with `name`, `token_sha256` "
    "(`printf %s TOKEN | sha256sum`) and `role: operator`, named in IBFLOW_OPERATORS_FILE"
)


class OperatorsError(Unusable):
    """The file of operators cannot be used; the message says what to correct."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever sent a request, as far as the token tells."""

    name: str
    is_person: bool = False
    """False for the shared token and for this machine: anybody may be behind them."""
    may_write: bool = True
    ibs: tuple[str, ...] | None = None
    """The IBs whose sub-trees it sees; None: everything."""
    role: Role | None = None
    """Of a person; None: a token of the settings, or a key."""
    rights: frozenset[KeyRight] | None = None
    """Of a key."""
    endpoints: tuple[str, ...] = ()
    """The postback endpoints of a network."""
    session: str = ""
    """The hash of the session's token, of whoever signed in with a browser."""

    @property
    def caller(self) -> str:
        """Whose things are whose: a key may have the name of a person, and is somebody else."""
        return self.name if self.rights is None else f"key: {self.name}"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=NAME, max_length=64)]
    """One spelling a person: ASCII, single spaces, none around it."""
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    role: Literal["operator", "viewer"] = "operator"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    operators: Annotated[tuple[_Entry, ...], Field(min_length=1, max_length=1_000)]


class Operators:
    """Everybody who may ask, by token."""

    def __init__(self, shared_token: str = "", people: Iterable[tuple[str, Operator]] = ()) -> None:
        known = [(_digest(shared_token), Operator(SHARED))] if shared_token else []
        self._known = [*known, *people]

    @classmethod
    def from_settings(cls, settings: Settings) -> "Operators":
        """The shared token, and the people of the file; raise `OperatorsError` if it is wrong."""
        path = settings.operators_file
        people = read_operators(path) if path is not None else ()
        return cls(settings.api_token.get_secret_value(), people)

    @property
    def need_a_token(self) -> bool:
        """Whether anybody has a token, so that nobody without one is let in."""
        return bool(self._known)

    def of_token(self, token: str) -> Operator | None:
        """Whose token it is. All are compared, each in constant time, so time tells nothing."""
        given = _digest(token)
        found = [operator for known, operator in self._known if hmac.compare_digest(known, given)]
        return found[0] if found and token else None


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def read_operators(path: Path) -> list[tuple[str, Operator]]:
    """Everybody of a file, by the digest of their token; raise `OperatorsError`."""
    try:
        file = read_settings_file(path, _File)
    except Unusable as error:
        raise OperatorsError(str(error)) from None
    for field in ("name", "token_sha256"):
        values = [getattr(entry, field).casefold() for entry in file.operators]
        if len(set(values)) < len(values) or (field == "name" and {SHARED, LOCAL} & set(values)):
            raise OperatorsError(f"{path.name}: each operator needs a {field} of their own")
    return [
        (entry.token_sha256, Operator(entry.name, is_person=True, may_write=entry.role == "operator"))
        for entry in file.operators
    ]


class NotAllowed(Unusable):
    """Not for whoever asks, at any time: nobody named, or somebody who only reads."""


def check_writer(by: Operator) -> None:
    """Raise `NotAllowed` unless a named person asks: whether two people used one token nobody knows."""
    if not by.is_person:
        raise NotAllowed(f"`{by.name}` may be anybody, and two people decide. {HOW_TO_CONFIGURE}")
    if not by.may_write:
        raise NotAllowed(f"only operators do that, and {by.name} is a viewer")
