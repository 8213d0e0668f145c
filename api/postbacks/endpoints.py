"""Postback endpoints: read from one YAML file, refused as a whole if any line of it is wrong."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from api.postbacks.macros import check_template
from api.postbacks.public_addresses import Policy, check_url
from api.postbacks.safe_client import TOTAL_TIMEOUT_S
from api.postbacks.signing import decode_secret
from commission.outputs import MilestoneKind
from schemas.errors import Unusable

MAX_ENDPOINTS = 64
MAX_FILE_BYTES = 256_000
SHOWN = 5
MILESTONE_KINDS: tuple[str, ...] = get_args(MilestoneKind)


class EndpointsError(Unusable):
    """The file of endpoints cannot be used; the message names the endpoint and the field."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where milestones are told. Empty `events` or `ibs` mean all."""

    endpoint_id: str
    url: str
    key: bytes
    method: Literal["GET", "POST"] = "POST"
    events: frozenset[str] = frozenset()
    ibs: frozenset[str] = frozenset()
    timeout_s: float = TOTAL_TIMEOUT_S
    since: datetime | None = None
    policy: Policy = field(default_factory=Policy)

    def __repr__(self) -> str:
        """The endpoint without its secret, so that no log can hold one."""
        return f"Endpoint({self.endpoint_id})"


class _Entry(BaseModel):
    """One endpoint as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    url: Annotated[str, Field(max_length=2_000)]
    method: Literal["GET", "POST"] = "POST"
    secret: str = ""
    secret_env: str = ""
    events: list[str] = []
    ibs: list[str] = []
    timeout: Annotated[float, Field(gt=0, le=TOTAL_TIMEOUT_S)] = TOTAL_TIMEOUT_S
    since: datetime | Literal["beginning"]
    """Milestones before this moment are not sent, and an earlier 410 no longer disables the endpoint."""
    allow_http: bool = False
    allow_private: bool = False

    @field_validator("events")
    @classmethod
    def _known(cls, events: list[str]) -> list[str]:
        for event in events:
            if event not in MILESTONE_KINDS:
                raise ValueError(f"the event {event} is unknown; known are {', '.join(MILESTONE_KINDS)}")
        return events

    @model_validator(mode="after")
    def _sound(self) -> "_Entry":
        check_template(self.url)
        check_url(self.url, self.policy)
        if bool(self.secret) == bool(self.secret_env):
            raise ValueError("give `secret`, or `secret_env` with the name of an environment variable")
        return self

    @property
    def policy(self) -> Policy:
        return Policy(self.allow_http, self.allow_private)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoints: Annotated[list[_Entry], Field(max_length=MAX_ENDPOINTS)]


def load_endpoints(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Endpoint, ...]:
    """Read the file; raise `EndpointsError` with what to correct."""
    try:
        written = _yaml(path)
        file = _File.model_validate(written)
    except ValidationError as error:
        raise EndpointsError(f"{path.name}: {_first(error, written)}") from None
    ids = [entry.id for entry in file.endpoints]
    if len(set(ids)) < len(ids):
        raise EndpointsError(f"{path.name}: two endpoints share one id; an id names one endpoint for ever")
    return tuple(_endpoint(entry, path, environ) for entry in file.endpoints)


def check_ibs(endpoints: Iterable[Endpoint], known: Collection[str], file: str) -> None:
    """Raise `EndpointsError` for an endpoint of an IB that nobody knows: it would get nothing, silently."""
    wrong = [
        f"endpoint {endpoint.endpoint_id}, ibs: there is no IB {ib}{_meant(ib, known)}"
        for endpoint in endpoints
        for ib in sorted(endpoint.ibs - set(known))
    ]
    if wrong:
        more = f" (and {len(wrong) - SHOWN} more)" if len(wrong) > SHOWN else ""
        raise EndpointsError(f"{file}: {'; '.join(wrong[:SHOWN])}{more}")


def _meant(ib: str, known: Collection[str]) -> str:
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(ib.casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[close[0]]}?" if close else ""


def _yaml(path: Path) -> object:
    try:
        text = path.read_bytes()[: MAX_FILE_BYTES + 1]
        if len(text) > MAX_FILE_BYTES:
            raise EndpointsError(f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
        return YAML(typ="safe", pure=True).load(text)
    except OSError as error:
        raise EndpointsError(f"{path.name} cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise EndpointsError(f"{path.name} is not YAML: {type(error).__name__}") from None


def _endpoint(entry: _Entry, path: Path, environ: Mapping[str, str]) -> Endpoint:
    secret = entry.secret or environ.get(entry.secret_env, "")
    try:
        key = decode_secret(secret)
    except ValueError as error:
        where = entry.secret_env or "secret"
        raise EndpointsError(f"{path.name}: endpoint {entry.id}, {where}: {error}") from None
    since = None if entry.since == "beginning" else entry.since
    return Endpoint(
        endpoint_id=entry.id,
        url=entry.url,
        key=key,
        method=entry.method,
        events=frozenset(entry.events),
        ibs=frozenset(entry.ibs),
        timeout_s=entry.timeout,
        since=since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since,
        policy=entry.policy,
    )


def _first(error: ValidationError, written: Any) -> str:
    """The first fault, at the endpoint's own id where it has one, and how many more there are."""
    first, *others = error.errors(include_input=False, include_url=False)
    place, more = first["loc"], f" (and {len(others)} more)" if others else ""
    if place[:1] != ("endpoints",) or len(place) < 2:
        return f"{'.'.join(map(str, place)) or 'file'}: {first['msg']}{more}"
    entry = written["endpoints"][place[1]]
    name = entry.get("id") if isinstance(entry, Mapping) else None
    field = ".".join(str(part) for part in place[2:] if part not in ("datetime", "literal['beginning']"))
    if field == "since" and first["type"] == "missing":
        return f"endpoint {name}: give `since`, a time, or `beginning` to send the whole history{more}"
    return f"endpoint {name or place[1]}{f', {field}' if field else ''}: {first['msg']}{more}"
