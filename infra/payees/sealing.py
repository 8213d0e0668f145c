"""Payee details at rest: sealed under keys of the settings, bound to the IB and the version."""

import json
import secrets
from collections.abc import Callable

import msgspec

from infra.connect.sealing import Purpose, SealingKeys, WrongSeal
from infra.payees.details import PayeeDetails
from schemas.errors import Unusable
from schemas.settings import Settings

PURPOSE = Purpose(
    "IBFLOW_PAYEE_KEYS",
    "payee details are kept encrypted: make a key with `ibflow payees key` and give it to the server as "
    "IBFLOW_PAYEE_KEYS; keep a copy, for without it nobody can read them",
    b"ibflow-payees",
)

_DECODER = msgspec.json.Decoder(PayeeDetails)


class PayeeKeys:
    """The newest key seals, every key opens."""

    def __init__(self, keys: SealingKeys) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return f"<PayeeKeys {self._keys!r}>"

    @classmethod
    def from_text(cls, text: str) -> "PayeeKeys":
        """Read `IBFLOW_PAYEE_KEYS`: keys with commas between them, the newest first; raise `Unusable`."""
        return cls(SealingKeys.from_text(PURPOSE, text))

    def seal(
        self,
        details: PayeeDetails,
        ib_id: str,
        version: int,
        nonce_of: Callable[[int], bytes] = secrets.token_bytes,
    ) -> str:
        """Encrypt for one IB and version. It opens for no other."""
        return self._keys.seal(msgspec.json.encode(details), _bound_to(ib_id, version), nonce_of)

    def open(self, sealed: str, ib_id: str, version: int) -> PayeeDetails:
        """Decrypt; raise `Unusable` if its key is missing, it was changed, or is of another IB or version."""
        what = f"{ib_id}: version {version}"
        try:
            return _DECODER.decode(self._keys.open(sealed, _bound_to(ib_id, version), what))
        except (WrongSeal, msgspec.MsgspecError):
            raise Unusable(f"{what} was changed, or sealed for another IB or version") from None

    def is_newest(self, sealed: str) -> bool:
        """Whether it is sealed with the newest key."""
        return self._keys.is_newest(sealed)

    def resealed(self, sealed: str, ib_id: str, version: int) -> str:
        """The same details under the newest key."""
        return self.seal(self.open(sealed, ib_id, version), ib_id, version)


def keys_of(settings: Settings) -> Callable[[], PayeeKeys]:
    """The keys of the settings when they are needed; keys that cannot be used raise `Unusable` now."""
    text = settings.payee_keys.get_secret_value()
    if not text.strip():
        return lambda: PayeeKeys.from_text("")
    keys = PayeeKeys.from_text(text)
    return lambda: keys


def _bound_to(ib_id: str, version: int) -> bytes:
    return json.dumps([ib_id, version]).encode()
