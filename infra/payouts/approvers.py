"""Who may approve how much: a YAML file; with it, nobody else approves payouts and changes of balances.

```yaml
approvers:
  - {name: ben, up_to: {USD: 10000, EUR: 9000}}     # and nothing in another currency
  - {name: carol}                                   # without a limit
```
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.payouts import PayoutRefused
from api.settings_file import read_settings_file
from commission.money import shown
from schemas.errors import Unusable
from schemas.payouts import Currency


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    up_to: dict[Currency, Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    approvers: Annotated[tuple[_Entry, ...], Field(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class Approvers:
    """None: anybody approves anything, as far as another person made it."""

    known: dict[str, dict[str, Decimal] | None] | None = None

    @classmethod
    def read(cls, path: Path | None) -> "Approvers":
        """Those of a file; raise `Unusable` with what is wrong with it."""
        if path is None:
            return cls()
        file = read_settings_file(path, _File)
        known = {one.name.casefold(): one.up_to for one in file.approvers}
        if len(known) < len(file.approvers):
            raise Unusable(f"{path.name} names somebody twice")
        return cls(known)

    def check(self, name: str, amount: Decimal, currency: str) -> None:
        """Raise `PayoutRefused` unless this person may approve so much."""
        if self.known is None:
            return
        if name.casefold() not in self.known:
            raise PayoutRefused(f"{name} approves no payouts: IBFLOW_APPROVERS_FILE does not name {name}")
        up_to = self.known[name.casefold()]
        most = None if up_to is None else up_to.get(currency, Decimal(0))
        if most is not None and abs(amount) > most:
            raise PayoutRefused(
                f"{name} approves up to {shown(most, currency)} {currency}, and this is "
                f"{shown(abs(amount), currency)}: "
                "another person does, or it is made in parts"
            )


ANYBODY = Approvers()
