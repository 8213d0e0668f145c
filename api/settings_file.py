"""A file that a setting names, such as who may ask or approve: YAML in a model's shape."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.errors import Unusable

Model = TypeVar("Model", bound=BaseModel)


def read_settings_file(path: Path, kind: type[Model]) -> Model:
    """What it says; raise `Unusable` with the place and what is wrong there, repeating no value."""
    try:
        return kind.model_validate(YAML(typ="safe", pure=True).load(path.read_bytes()))
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise Unusable(f"{path.name} is not YAML: {type(error).__name__}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise Unusable(f"{path.name}: {where}: {first['msg']}") from None
