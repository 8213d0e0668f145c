"""Addresses of wallets: the form of each network, and the checksum that finds a wrong character."""

import re
from collections.abc import Callable
from hashlib import sha256

from Crypto.Hash import keccak
from stdnum import bitcoin
from stdnum.exceptions import ValidationError

WRONG = "its checksum does not fit: one of the characters is wrong"

_ETHEREUM = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_TRON = re.compile(r"T[1-9A-HJ-NP-Za-km-z]{33}\Z")
_TRON_VERSION = 0x41
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_TAPROOT = re.compile(rf"bc1p[{_BECH32}]{{58}}\Z")
_PREFIX_OF_BC = (3, 3, 0, 2, 3)
_BECH32M = 0x2BC830A3
"""What the checksum of an address of witness version 1 comes to (BIP 350)."""


def check_address(network: str, address: str) -> tuple[str, ...]:
    """What is wrong with an address, in words that do not repeat it; () if nothing is."""
    if network not in NETWORKS:
        return (f"network is one of {', '.join(NETWORKS)}",)
    fault = NETWORKS[network](address)
    return (f"address: {fault}",) if fault else ()


def _bitcoin_fault(address: str) -> str:
    start = address[:4].lower()
    if start.startswith("bc1") and address != address.lower():
        return "write it in small letters"
    if start.startswith("bc1") and start != "bc1q" and not _TAPROOT.match(address):
        return "it is of a kind that is not in use, or one of the characters is wrong"
    if _TAPROOT.match(address):
        data = [_BECH32.index(one) for one in address[3:]]
        fits = bitcoin.bech32_checksum([*_PREFIX_OF_BC, *data]) == _BECH32M
        return "" if fits else WRONG
    try:
        bitcoin.validate(address)
    except ValidationError:
        return "it is no Bitcoin address, or one of the characters is wrong"
    return ""


def _ethereum_fault(address: str) -> str:
    if not _ETHEREUM.match(address):
        return "it is not 0x and 40 digits of 0-9, a-f"
    digits = address[2:]
    if digits == _checksummed(digits):
        return ""
    if digits in {digits.lower(), digits.upper()}:
        return (
            "it is in one case, without its checksum: copy it in upper and lower case, as the wallet shows it"
        )
    return WRONG


def _checksummed(digits: str) -> str:
    """The digits in the case that EIP-55 gives each: upper where the hash of them all has 8 or more."""
    lower = digits.lower()
    mark = keccak.new(digest_bits=256, data=lower.encode()).hexdigest()
    return "".join(
        one.upper() if int(nibble, 16) >= 8 else one for one, nibble in zip(lower, mark, strict=False)
    )


def _tron_fault(address: str) -> str:
    if not _TRON.match(address):
        return "it is not T and 33 letters and digits"
    raw = bitcoin.b58decode(address)
    fits = sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]
    if len(raw) != 25 or raw[0] != _TRON_VERSION or not fits:
        return WRONG
    return ""


NETWORKS: dict[str, Callable[[str], str]] = {
    "bitcoin": _bitcoin_fault,
    "ethereum": _ethereum_fault,
    "bsc": _ethereum_fault,
    "polygon": _ethereum_fault,
    "tron": _tron_fault,
}
"""What is wrong with an address, by network; chains with Ethereum's addresses share its check."""
