"""Fields that a person gives in a small file of YAML or JSON, or on standard input; no message tells any."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.errors import Unusable


def read_bytes(path: Path, limit: int) -> bytes:
    """What the file holds, one byte beyond `limit` at most; raise `Unusable`."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None


def read_fields(text: bytes, name: str, example: str, limit: int) -> dict[str, Any]:
    """The fields by their names; raise `Unusable` where `text`, called `name`, has none such as `example`."""
    if len(text) > limit:
        raise Unusable(f"{name} is larger than {limit:,} bytes")
    try:
        found = YAML(typ="safe", pure=True).load(text.decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise Unusable(f"{name} is not YAML: {type(error).__name__}") from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found):
        raise Unusable(f"{name} has no fields such as `{example}`")
    return dict(found)
