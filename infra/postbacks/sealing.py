"""Secrets of endpoints at rest: sealed under keys of the settings, bound to the endpoint and its version."""

import json
from collections.abc import Callable

from api.postbacks.secrets import Secrets, decode_secrets, encode_secrets
from commission.postbacks.records import EndpointSaved
from infra.connect.sealing import Purpose, SealingKeys, keys_from
from schemas.settings import Settings

PURPOSE = Purpose(
    "IBFLOW_POSTBACK_KEYS",
    "endpoints' secrets are kept encrypted: make a key with `ibflow endpoints key` and give it to the server "
    "as IBFLOW_POSTBACK_KEYS; keep a copy, for without it nobody can send to them",
    b"ibflow-postback",
)
OpenKeys = Callable[[], SealingKeys]


def keys_of(settings: Settings) -> OpenKeys:
    """The keys of the settings when they are needed; keys that cannot be used raise `Unusable` now."""
    return keys_from(PURPOSE, settings.postback_keys.get_secret_value())


def seal(keys: SealingKeys, secrets: Secrets, endpoint_id: str, version: int) -> str:
    """Encrypt for one version of an endpoint."""
    return keys.seal(encode_secrets(secrets), _bound_to(endpoint_id, version))


def opened(keys: SealingKeys, saved: EndpointSaved) -> Secrets:
    """Decrypt; raise `Unusable` if its key is missing or it is of another endpoint or version."""
    name = saved.endpoint.endpoint_id
    what = f"endpoint {name}: version {saved.version}"
    return decode_secrets(keys.open(saved.sealed, _bound_to(name, saved.version), what))


def _bound_to(endpoint_id: str, version: int) -> bytes:
    return json.dumps([endpoint_id, version]).encode()
