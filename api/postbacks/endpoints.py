"""The YAML file of endpoints: a way to load them into the log, refused as a whole if any line is wrong."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from api.postbacks.form import EndpointForm, check_secret
from commission.postbacks.records import MAX_ENDPOINTS
from schemas.errors import Unusable

MAX_FILE_BYTES = 1_000_000
SHOWN = 5


class EndpointsError(Unusable):
    """The file of endpoints cannot be used; the message names the endpoint and the field."""


@dataclass(frozen=True, slots=True)
class Written:
    """An endpoint of the file, and its secret."""

    form: EndpointForm
    secret: str

    def __repr__(self) -> str:
        """Without its secret and its URL, so that no log can hold them."""
        return f"Written({self.form.id})"


class _Entry(EndpointForm):
    """One endpoint as written in the file."""

    secret: str = ""
    secret_env: str = ""

    @model_validator(mode="after")
    def _one_secret(self) -> "_Entry":
        if bool(self.secret) == bool(self.secret_env):
            raise ValueError("give `secret`, or `secret_env` with the name of an environment variable")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoints: Annotated[list[_Entry], Field(max_length=MAX_ENDPOINTS)]


def load_endpoints(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Written, ...]:
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


def check_ibs(forms: Iterable[EndpointForm], known: Collection[str], file: str) -> None:
    """Raise `EndpointsError` for an endpoint of an IB that nobody knows: it would get nothing, silently."""
    wrong = [
        f"endpoint {form.id}, {field}: there is no IB {ib}{_meant(ib, known)}"
        for form in forms
        for field, named in (("ibs", form.ibs), ("subtrees", form.subtrees))
        for ib in sorted(set(named) - set(known))
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


def _endpoint(entry: _Entry, path: Path, environ: Mapping[str, str]) -> Written:
    secret = entry.secret or environ.get(entry.secret_env, "")
    try:
        check_secret(secret, entry.signing)
    except ValueError as error:
        where = entry.secret_env or "secret"
        raise EndpointsError(f"{path.name}: endpoint {entry.id}, {where}: {error}") from None
    fields = entry.model_dump(exclude={"secret", "secret_env"})
    return Written(EndpointForm.model_validate(fields), secret)


def _first(error: ValidationError, written: Any) -> str:
    """The first fault, at the endpoint's own id where it has one, and how many more there are."""
    first, *others = error.errors(include_input=False, include_url=False)
    place, more = first["loc"], f" (and {len(others)} more)" if others else ""
    if place[:1] != ("endpoints",) or len(place) < 2:
        return f"{'.'.join(map(str, place)) or 'file'}: {first['msg']}{more}"
    entry = written["endpoints"][place[1]]
    name = entry.get("id") if isinstance(entry, Mapping) else None
    field = ".".join(str(part) for part in place[2:] if part not in ("datetime", "literal['beginning']"))
    return f"endpoint {name or place[1]}{f', {field}' if field else ''}: {first['msg']}{more}"
