"""The keys that mark click ids: the newest marks, each is believed."""

from infra.connect.sealing import Purpose, read_keys
from schemas.settings import Settings

PURPOSE = Purpose(
    "IBFLOW_CLICK_KEYS",
    "click ids are marked with a key, so that nobody can make one up: make one with `ibflow links key` and"
    " give it to the server, and to whoever ingests registrations, as IBFLOW_CLICK_KEYS",
    b"ibflow-click",
)


def click_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys of the settings, () if there are none; raise `Unusable` for what is no key."""
    text = settings.click_keys.get_secret_value()
    return read_keys(PURPOSE, text) if text.strip() else ()
