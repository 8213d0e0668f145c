"""Details as people give them: what is accepted, what is said of what is not, what is shown."""

import logging
from hashlib import sha256

import pytest
from rich.console import Console

from infra.payees.details import (
    BankAccount,
    PayeeDetails,
    TradingAccount,
    UsBankAccount,
    Wallet,
    fields_of,
    in_sepa,
    masked,
    to_details,
)
from schemas.errors import Unusable

CHASE = "021000021"
IBAN = "DE89370400440532013000"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
"""The first example of EIP-55."""
TETHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
SEGWIT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TAPROOT = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
"""The examples of BIP 173 and BIP 350."""
OLD_V1 = "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx"
"""An example of BIP 173 that BIP 350 takes back."""
SATOSHI = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"

KNOWN: list[tuple[PayeeDetails, str, str]] = [
    (BankAccount(holder="A", iban=IBAN), "DE89 •••• 3000", IBAN),
    (UsBankAccount(holder="A", routing=CHASE, account="000123456789"), "021000021 •••• 6789", "000123456789"),
    (UsBankAccount(holder="A", routing=CHASE, account="12345"), "021000021 •••• 5", "12345"),
    (UsBankAccount(holder="A", routing=CHASE, account="12"), "021000021 ••••", "12"),
    (TradingAccount(server="Live", login="700123"), "Live •••• 23", "700123"),
    (Wallet(network="ethereum", address=ETHER), "ethereum 0x5aAe •••• eAed", ETHER),
]  # fmt: skip


@pytest.mark.parametrize(("details", "shown", "number"), KNOWN)
def test_a_value_is_never_shown_in_full(
    details: PayeeDetails, shown: str, number: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by `str`, `repr`, a format, a container, a log or rich; nor its owner's name."""
    console = Console(record=True, width=200)
    console.print(details, [details])
    logging.getLogger("test").warning("%s %r %s", details, details, {"payee": details})
    every = f"{details} {details!r} {[details]} {caplog.text} {console.export_text()}"
    assert shown == masked(details)
    assert shown in every
    assert number not in every
    assert "holder" not in every


@pytest.mark.parametrize(("details", "_shown", "_number"), KNOWN[:2] + KNOWN[4:])
def test_what_is_written_down_is_read_again(details: PayeeDetails, _shown: str, _number: str) -> None:
    """As the fields of its kind."""
    assert details == to_details(fields_of(details))


def test_numbers_may_have_spaces_and_small_letters() -> None:
    """As people copy them."""
    given = {
        "type": "bank",
        "holder": " Jane   Doe ",
        "iban": "de89 3704 0044 0532 0130 00",
        "bic": "cobadeff ",
    }
    assert BankAccount(holder="Jane Doe", iban=IBAN, bic="COBADEFF") == to_details(given)


@pytest.mark.parametrize("address", [SEGWIT, TAPROOT, SATOSHI])
def test_bitcoin_addresses(address: str) -> None:
    """Of all kinds in use."""
    assert (
        address
        == fields_of(to_details({"type": "wallet", "network": "bitcoin", "address": address}))["address"]
    )


@pytest.mark.parametrize(
    "address",
    [
        ETHER,
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
    ],
)
def test_ethereum_addresses(address: str) -> None:
    """The examples of EIP-55, those in one case by its rule included."""
    for network in ("ethereum", "bsc", "polygon"):
        assert to_details({"type": "wallet", "network": network, "address": address})


US = {"type": "us_bank", "holder": "A", "routing": CHASE, "account": "1"}
WRONG = "one of the characters is wrong"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "type is one of bank, us_bank, trading_account, wallet"),
        ({"type": "cheque"}, "type is one of"),
        ({"type": "bank", "iban": IBAN}, "a bank needs holder"),
        ({"type": "bank", "holder": " ", "iban": ""}, "a bank needs holder, iban"),
        ({"type": "bank", "holder": "A", "iban": IBAN, "account": "1"}, "1 unknown field; a bank has holder"),
        ({"type": "bank", "holder": "A", "iban": IBAN[:-1] + "1"}, "iban: its check digits do not fit"),
        ({"type": "bank", "holder": "A", "iban": IBAN[:-1]}, "iban: it has too many or too few characters"),
        ({"type": "bank", "holder": "A", "iban": "XX" + IBAN[2:]}, "iban: its country is not known"),
        ({"type": "bank", "holder": "A", "iban": IBAN, "bic": "COBA"}, "bic: it has too many or too few"),
        ({"type": "bank", "holder": "A" * 141, "iban": IBAN}, "140"),
        ({**US, "routing": "021000022"}, "routing: its check digit does not fit"),
        ({**US, "account": "1*2"}, "account: has other characters"),
        ({**US, "account": "1" * 18}, "17"),
        ({**US, "account_type": "x"}, "account_type"),
        ({"type": "trading_account", "server": "Live", "login": "7e3"}, "login: it is not a number"),
        ({"type": "wallet", "network": "doge", "address": SATOSHI}, "network is one of bitcoin, ethereum"),
        ({"type": "wallet", "network": "bitcoin", "address": SATOSHI[:-1] + "b"}, "no Bitcoin address"),
        ({"type": "wallet", "network": "bitcoin", "address": TAPROOT[:-1] + "p"}, WRONG),
        ({"type": "wallet", "network": "bitcoin", "address": SEGWIT.upper()}, "in small letters"),
        ({"type": "wallet", "network": "bitcoin", "address": OLD_V1}, "of a kind that is not in use"),
        ({"type": "wallet", "network": "ethereum", "address": ETHER.replace("5aAe", "5aAE")}, WRONG),
        ({"type": "wallet", "network": "ethereum", "address": ETHER.lower()}, "without its checksum"),
        ({"type": "wallet", "network": "ethereum", "address": ETHER[:-1]}, "not 0x and 40 digits"),
        ({"type": "wallet", "network": "tron", "address": TETHER[:-1] + "u"}, WRONG),
        ({"type": "wallet", "network": "tron", "address": SATOSHI}, "not T and 33"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_not_repeated(given: dict[str, str], why: str) -> None:
    """In words; a number that was given is in none of them."""
    with pytest.raises(Unusable) as caught:
        to_details(given)
    assert why in str(caught.value)
    numbers = [
        value for name, value in given.items() if name in {"iban", "routing", "account", "address", "login"}
    ]
    assert not any(len(number) > 2 and number in str(caught.value) for number in numbers)


def base58(version: int) -> str:
    """An address of twenty zeros with its checksum."""
    raw = bytes([version]) + bytes(20)
    number = int.from_bytes(raw + sha256(sha256(raw).digest()).digest()[:4], "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + digits
    return digits


def test_an_address_of_another_network_is_not_trons() -> None:
    """Version 0x41 is Tron's; 0x42 begins with the same letter and has a checksum that fits."""
    ours, other = base58(0x41), base58(0x42)
    assert ("T", "T", 34) == (ours[0], other[0], len(other))
    assert to_details({"type": "wallet", "network": "tron", "address": ours})
    with pytest.raises(Unusable, match=WRONG):
        to_details({"type": "wallet", "network": "tron", "address": other})


def test_all_faults_are_said_at_once() -> None:
    """Both numbers, so that one correction is enough."""
    given = {"type": "us_bank", "holder": "A", "routing": "123", "account": "*"}
    with pytest.raises(Unusable, match=r"routing: .*; account: "):
        to_details(given)


@pytest.mark.parametrize(("iban", "is_in"), [("DE89", True), ("GB29", True), ("CH93", True), ("AE07", False)])
def test_the_countries_of_sepa(iban: str, is_in: bool) -> None:  # noqa: FBT001
    """The United Kingdom and Switzerland take part, the Emirates do not."""
    assert is_in == in_sepa(iban)
