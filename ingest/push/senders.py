"""Who may push: bridges, each for its own server, and CRMs, by tokens of their own.

```yaml
bridges:
  - name: live01
    server: Broker-Live01          # as broker.yaml names it; it can write for no other
    token_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
crms:
  - name: crm
    token_sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
```
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ingest.sources import ServerProfile
from schemas.errors import Unusable

MAX_SENDERS = 1_000
MAX_FILE_BYTES = 1_000_000
HOW_TO_CONFIGURE = (
    "Give each a token of its own: a YAML file of `bridges` (`name`, `server`, `token_sha256`) and `crms` "
    "(`name`, `token_sha256`), named in IBFLOW_BRIDGES_FILE; `printf %s TOKEN | sha256sum` hashes a token"
)


class BridgesError(Unusable):
    """The file of bridges cannot be used; the message says what to correct."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whoever a token belongs to; a bridge has the profile of its one server, a CRM has none."""

    name: str
    profile: ServerProfile | None = None


class _Crm(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Bridge(_Crm):
    server: Annotated[str, Field(min_length=1, max_length=64)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    bridges: Annotated[tuple[_Bridge, ...], Field(max_length=MAX_SENDERS)] = ()
    crms: Annotated[tuple[_Crm, ...], Field(max_length=MAX_SENDERS)] = ()


class Senders:
    """Everybody who may push, by token."""

    def __init__(self, known: Mapping[str, Sender]) -> None:
        self._known = dict(known)

    @classmethod
    def read(cls, path: Path, profiles: Mapping[str, ServerProfile]) -> "Senders":
        """The senders of a file; raise `BridgesError` if it is wrong or names an unknown server."""
        file = _read(path)
        entries = [*file.bridges, *file.crms]
        for field in ("name", "token_sha256"):
            if len({getattr(entry, field) for entry in entries}) < len(entries):
                raise BridgesError(f"{path.name}: each bridge and CRM needs a {field} of its own")
        for bridge in file.bridges:
            if bridge.server not in profiles:
                told = ", ".join(sorted(profiles)) or "none"
                raise BridgesError(
                    f"{path.name}: bridge {bridge.name} is for {bridge.server}; the terms know {told}"
                )
        bridges = {b.token_sha256: Sender(b.name, profiles[b.server]) for b in file.bridges}
        return cls(bridges | {crm.token_sha256: Sender(crm.name) for crm in file.crms})

    def of_token(self, token: str) -> Sender | None:
        """Whose token it is. All are compared, each in constant time, so time tells nothing."""
        given = sha256(token.encode()).hexdigest()
        found = [sender for known, sender in self._known.items() if hmac.compare_digest(known, given)]
        return found[0] if found and token else None


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES)
        return _File.model_validate(YAML(typ="safe", pure=True).load(text) or {})
    except OSError as error:
        raise BridgesError(f"{path.name} cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise BridgesError(f"{path.name} is not YAML: {type(error).__name__}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise BridgesError(f"{path.name}: {where}: {first['msg']}") from None
