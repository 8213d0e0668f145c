"""Who broker and IBs are before the law: a YAML file that the broker keeps.

```yaml
zone: Asia/Nicosia
broker: {name: Example Broker Ltd, address: [1 Harbour Street, 3030 Limassol], registration: HE 123456}
ibs:
  ib-north: {name: North Partners GmbH, address: [Hauptstr. 5, 10115 Berlin], tax_id: DE123456789}
```
"""

from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from commission.value import Value
from infra.statement_documents.document import Party
from schemas.errors import Unusable

MAX_BYTES = 64_000_000


class Parties(Value):
    """The broker, and its IBs by id; `zone` is that of the broker's calendar."""

    broker: Party
    ibs: dict[str, Party]
    zone: str = "UTC"

    def ib(self, ib_id: str, path: Path) -> Party:
        """One IB; raise `Unusable` if the file does not have it."""
        if ib_id not in self.ibs:
            raise Unusable(f"{path} does not say who {ib_id} is: add it under `ibs`")
        return self.ibs[ib_id]


def read_parties(path: Path) -> Parties:
    """Read the file; raise `Unusable` with what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unusable(f"{path} is larger than {MAX_BYTES:,} bytes")
        found = YAML(typ="safe", pure=True).load(path.read_bytes())
        return msgspec.convert(found, Parties)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise Unusable(f"{path} is not YAML: {type(error).__name__}") from None
    except msgspec.ValidationError as error:
        raise Unusable(f"{path}: {error}") from None
