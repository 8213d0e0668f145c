"""What details say beside the account: the currency an IB is paid in, and by which rule it is billed."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from commission.payouts.tax import Tax
from schemas.errors import Unusable
from schemas.payees import Versions, valid_version

_CURRENCY = re.compile(r"[A-Z0-9]{3,8}")
FIELDS = ("currency", "tax")


class Billing(NamedTuple):
    """ "" and None where nothing is said: paid as it is owed, without an invoice."""

    currency: str
    tax: Tax | None
    method: str = ""
    """The kind of the account."""


NO_BILLING = Billing("", None)


def billing_of(versions: Versions) -> Billing:
    """Of the valid version."""
    valid = valid_version(versions)
    if valid is None:
        return NO_BILLING
    one = valid.proposed
    return Billing(one.currency, one.tax, one.kind)


def to_billing(fields: Mapping[str, str]) -> Billing:
    """Read `currency: EUR` and `tax: vat 19`; raise `Unusable`."""
    currency = fields.get("currency", "").strip().upper()
    if currency and _CURRENCY.fullmatch(currency) is None:
        raise Unusable("currency: it is a code such as EUR")
    return Billing(currency, _to_tax(fields.get("tax", "").split()))


def _to_tax(words: list[str]) -> Tax | None:
    match [word.removesuffix("%") for word in words if word != "%"]:
        case []:
            return None
        case ["none" | "reverse_charge" as kind]:
            return Tax(kind=kind)
        case ["vat" | "withholding" as kind, percent]:
            try:
                tax = Tax(kind=kind, percent=Decimal(percent))
            except InvalidOperation:
                raise Unusable(f"tax: the percentage of {kind} is a number such as 19") from None
            if why := tax.why_not():
                raise Unusable(f"tax: {why}")
            return tax
    raise Unusable("tax: it is `vat 19`, `withholding 10`, `reverse_charge` or `none`")
