"""From which account payouts are paid, of a YAML file; nothing in it is secret.

```yaml
payers:
  - name: Example Broker Ltd
    currencies: [EUR, GBP]
    account: {type: bank, iban: DE89370400440532013000, bic: COBADEFFXXX}   # pain.001
  - name: Example Broker Inc
    currencies: [USD]
    account: {type: us_bank, routing: "021000021", account: "000123456789"}   # nacha
    company_id: "1234567890"   # as the bank gave it
    bank_name: Chase
```
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.settings_file import read_settings_file
from infra.payees.details import BankAccount, UsBankAccount, to_details
from infra.payout_files.order import Debtor
from schemas.errors import Unusable
from schemas.payouts import Currency

SATURDAY = 5


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=140)]
    currencies: Annotated[frozenset[Currency], Field(min_length=1)]
    account: dict[str, str]
    company_id: Annotated[str, Field(max_length=10)] = ""
    bank_name: Annotated[str, Field(max_length=140)] = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    payers: Annotated[tuple[_Entry, ...], Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Payers:
    """The accounts, in the order of the file, each with its currencies."""

    known: tuple[tuple[frozenset[str], Debtor], ...] = ()

    @classmethod
    def read(cls, path: Path | None) -> "Payers":
        """Those of a file, none of None; raise `Unusable` with what is wrong, repeating no number."""
        if path is None:
            return cls()
        file = read_settings_file(path, _File)
        try:
            return cls(tuple((one.currencies, _debtor(one)) for one in file.payers))
        except Unusable as error:
            raise Unusable(f"{path.name}: {error}") from None

    def find(self, currency: str, kind: type[BankAccount | UsBankAccount]) -> Debtor | None:
        """The first that pays a currency from an account of a kind."""
        return next((one for of, one in self.known if currency in of and isinstance(one.account, kind)), None)


def execution_date(exported: date) -> date:
    """The first working day after a file is given out; what else is no working day the bank knows."""
    day = exported + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day


def _debtor(entry: _Entry) -> Debtor:
    account = to_details({"holder": entry.name, **entry.account})
    if not isinstance(account, BankAccount | UsBankAccount):
        raise Unusable(f"{entry.name} pays from a bank or us_bank account, not from a {account.type}")
    return Debtor(name=entry.name, account=account, company_id=entry.company_id, bank_name=entry.bank_name)
