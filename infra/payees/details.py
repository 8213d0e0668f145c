"""Where an IB is paid, one value a kind: checked when made of a person's words, masked when shown."""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import asdict
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException
from stdnum.exceptions import ValidationError
from stdnum.us import rtn

from commission.value import TaggedValue
from infra.payees.wallets import check_address
from schemas.errors import Unusable

Name = Annotated[str, Meta(min_length=1, max_length=140)]
Number = Annotated[str, Meta(min_length=1, max_length=34)]
HIDDEN = "••••"
MIN_SECRET = 6
"""Characters of a number; a shorter one may be in a text by chance."""


class _Details(TaggedValue):
    """Shown masked, so that no log and no traceback has the number."""

    def __repr__(self) -> str:
        return f"<{self.type} {masked(self)}>"  # type: ignore[arg-type] # each kind is below

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("masked", masked(self))]  # type: ignore[arg-type] # as above


class BankAccount(_Details, tag="bank"):
    """An account with an IBAN, without spaces; `bic` "" where the bank finds it itself (SEPA)."""

    holder: Name
    iban: Number
    bic: Annotated[str, Meta(max_length=11)] = ""


class UsBankAccount(_Details, tag="us_bank"):
    """An account in the United States; a company is paid as CCD, a person as PPD."""

    holder: Name
    routing: Number
    account: Annotated[str, Meta(min_length=1, max_length=17)]
    account_type: Literal["checking", "savings"] = "checking"
    holder_type: Literal["company", "person"] = "company"


class TradingAccount(_Details, tag="trading_account"):
    """An account on one of the broker's servers, credited by a balance operation."""

    server: Annotated[str, Meta(min_length=1, max_length=64)]
    login: Annotated[str, Meta(min_length=1, max_length=18)]


class Wallet(_Details, tag="wallet"):
    """An address on a network of `wallets.NETWORKS`, with its checksum."""

    network: Annotated[str, Meta(min_length=1, max_length=16)]
    address: Annotated[str, Meta(min_length=1, max_length=90)]


PayeeDetails = BankAccount | UsBankAccount | TradingAccount | Wallet
KINDS: dict[str, type[PayeeDetails]] = {
    "bank": BankAccount, "us_bank": UsBankAccount, "trading_account": TradingAccount, "wallet": Wallet,
}  # fmt: skip


def to_details(fields: Mapping[str, str]) -> PayeeDetails:
    """Read what a person gives: `type` and the fields of that kind, with or without spaces in numbers.

    Raise `Unusable` with every fault in words; they never repeat a number.
    """
    kind = KINDS.get(fields.get("type", ""))
    if kind is None:
        raise Unusable(f"type is one of {', '.join(KINDS)}")
    known = kind.__struct_fields__
    if unknown := sorted(set(fields) - {"type", *known}):
        counted = f"{len(unknown)} unknown field{'s' if len(unknown) > 1 else ''}"
        raise Unusable(f"{counted}; a {fields['type']} has {', '.join(known)}")
    needed = known[: len(known) - len(kind.__struct_defaults__)]
    if missing := [name for name in needed if not fields.get(name, "").strip()]:
        raise Unusable(f"a {fields['type']} needs {', '.join(missing)}")
    tidy = {name: _tidied(name, value) for name, value in fields.items() if value.strip()}
    try:
        details = msgspec.convert(tidy, kind)
    except msgspec.ValidationError as error:
        raise Unusable(str(error)) from None
    if wrong := faults(details):
        raise Unusable("; ".join(wrong))
    return details


def faults(details: PayeeDetails) -> tuple[str, ...]:
    """What is wrong with the numbers, in words that do not repeat them; () if nothing is."""
    match details:
        case BankAccount():
            return (*_iban_faults(details.iban), *_bic_faults(details.bic))
        case UsBankAccount():
            return (*_routing_faults(details.routing), *_us_account_faults(details.account))
        case Wallet():
            return check_address(details.network, details.address)
        case TradingAccount():
            is_number = details.login.isascii() and details.login.isdigit()
            return () if is_number else ("login: it is not a number",)


def masked(details: PayeeDetails) -> str:
    """The form for everywhere but the payout's file: enough to recognise it, too little to use it."""
    match details:
        case BankAccount():
            return f"{details.iban[:4]} {HIDDEN} {details.iban[-4:]}"
        case UsBankAccount():
            return f"{details.routing} {HIDDEN} {_tail(details.account)}".rstrip()
        case TradingAccount():
            return f"{details.server} {HIDDEN} {_tail(details.login)}".rstrip()
        case Wallet():
            return f"{details.network} {details.address[:6]} {HIDDEN} {details.address[-4:]}"


def place_of(details: PayeeDetails) -> tuple[str, str]:
    """Bank, server or network, and the number there, in full: for the file alone."""
    match details:
        case BankAccount():
            return details.bic, details.iban
        case UsBankAccount():
            return details.routing, details.account
        case TradingAccount():
            return details.server, details.login
        case Wallet():
            return details.network, details.address


def account_of(details: PayeeDetails) -> tuple[str, ...]:
    """What two accounts differ by: an IBAN is one with and without its BIC, whatever the holder's name."""
    number = details.iban if isinstance(details, BankAccount) else " ".join(place_of(details))
    return type(details).__name__, number.casefold()


def repeats_number(text: str, details: PayeeDetails) -> bool:
    """Whether a text that is shown to everybody has the number in full, however it is spaced."""
    number, given = (_letters_and_digits(one) for one in (place_of(details)[1], text))
    return len(number) >= MIN_SECRET and number in given


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text))).casefold()


def in_sepa(iban: str) -> bool:
    """Whether the account's country takes part in SEPA."""
    return _is_sepa_country(iban[:2])


@lru_cache(maxsize=512)
def _is_sepa_country(country: str) -> bool:
    return bool(IBAN(f"{country}00", allow_invalid=True).in_sepa_zone)


def fields_of(details: PayeeDetails) -> dict[str, str]:
    """What `to_details` reads, in full."""
    return {"type": details.type, **asdict(details)}


def _tidied(name: str, value: str) -> str:
    if name in {"iban", "bic"}:
        return "".join(value.split()).upper()
    if name in {"routing", "account", "login", "address"}:
        return "".join(value.split())
    return " ".join(value.split())


def _tail(number: str) -> str:
    """The last digits, a third of a short number at the most."""
    shown = min(4, len(number) // 3)
    return number[-shown:] if shown else ""


def _iban_faults(iban: str) -> tuple[str, ...]:
    try:
        IBAN(iban)
    except SchwiftyException as error:
        return (f"iban: {_words(error)}",)
    return ()


def _bic_faults(bic: str) -> tuple[str, ...]:
    try:
        if bic:
            BIC(bic)
    except SchwiftyException as error:
        return (f"bic: {_words(error)}",)
    return ()


def _routing_faults(routing: str) -> tuple[str, ...]:
    try:
        rtn.validate(routing)
    except ValidationError as error:
        return (f"routing: {_words(error)}",)
    return ()


def _us_account_faults(account: str) -> tuple[str, ...]:
    plain = account.isascii() and account.replace("-", "").isalnum()
    return () if plain else ("account: has other characters than letters, digits and hyphens",)


_WORDS = {
    "InvalidLength": "it has too many or too few characters",
    "InvalidFormat": "it has characters that cannot be there",
    "InvalidStructure": "its parts are not those of its country",
    "InvalidChecksumDigits": "its check digits do not fit: one of the characters is wrong",
    "InvalidChecksum": "its check digit does not fit: one of the digits is wrong",
    "InvalidCountryCode": "its country is not known",
    "InvalidComponent": "a part of it cannot be",
}


def _words(error: Exception) -> str:
    """The library's own sentence may repeat the number; ours does not."""
    return _WORDS.get(type(error).__name__, "it is not a valid one")
