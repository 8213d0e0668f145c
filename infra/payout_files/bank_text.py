"""Text as banks take it: transliterated and shortened, never refused."""

import re
from functools import lru_cache

from anyascii import anyascii

MAX_NAME = 70
MAX_REMITTANCE = 140
NO_TEXT = "NOTPROVIDED"

_SLASHES = re.compile("/{2,}")
_SEPA = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")
_SPELLED = str.maketrans({
    "&": "+", "_": "-", "@": "(at)", '"': "'", "`": "'", "*": ".", ";": ",", "<": "(", ">": ")",
    "[": "(", "]": ")", "{": "(", "}": ")", "\\": "/", "|": "/", "~": "-", "!": ".", "=": "-",
})  # fmt: skip
_CURRENCIES = str.maketrans({"€": "EUR", "£": "GBP", "¥": "JPY", "$": "USD"})


def sepa_text(text: str, limit: int) -> str:
    """In the characters of SEPA (EPC217-08), at most `limit`: "Jürgen & Söhne" is "Jurgen + Sohne".

    It neither begins nor ends with a slash nor has two in a row: such text is reserved. Of nothing readable
    `NOTPROVIDED` is left, which banks know.
    """
    return _latin(text)[:limit].strip("/ ") or NO_TEXT


def is_shortened(text: str, limit: int) -> bool:
    """Whether the limit takes something away."""
    return len(_latin(text)) > limit


@lru_cache(maxsize=65_536)
def _latin(text: str) -> str:
    latin = anyascii(text.translate(_CURRENCIES)).translate(_SPELLED)
    kept = "".join(one if one in _SEPA else " " for one in latin)
    return _SLASHES.sub("/", " ".join(kept.split())).strip("/ ")


@lru_cache(maxsize=65_536)
def ascii_text(text: str) -> str:
    """Printable ASCII, as NACHA takes it, upper case."""
    latin = anyascii(text.translate(_CURRENCIES))
    return " ".join("".join(one if " " <= one <= "~" else " " for one in latin).upper().split())
