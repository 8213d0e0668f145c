"""Variables that are nearly a setting: what a typo turns off would be off without a word."""

import os
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from schemas.errors import Unusable
from schemas.settings import Settings

PREFIX = Settings.model_config["env_prefix"]
LIKENESS = 0.8
"""Names that share so much are one, mistyped; what a file names for a password may be any other."""
FOR_TESTS = "TEST_"


def check_setting_names() -> None:
    """Raise `Unusable` with every name of the environment or of `.env` that is nearly a setting's."""
    env_file = Path(str(Settings.model_config["env_file"]))
    named = dict.fromkeys(os.environ, "") | dict.fromkeys(dotenv_values(env_file), f" in {env_file}")
    wrong = []
    for name, where in sorted(named.items()):
        if name.upper().startswith(PREFIX) and (meant := _meant(name.upper().removeprefix(PREFIX))):
            wrong.append(f"{name}{where} is no setting: is {PREFIX}{meant} meant?")
    if wrong:
        raise Unusable("\n".join(wrong))


def _meant(name: str) -> str:
    """The setting that a name is nearly, "" if it is one or is like none."""
    settings = [field.upper() for field in Settings.model_fields]
    if name in settings or name.startswith(FOR_TESTS):
        return ""
    begun = [setting for setting in settings if setting.startswith(f"{name}_")]
    return next(iter([*get_close_matches(name, settings, 1, LIKENESS), *begun]), "")
