"""Countries and currencies as people and systems spell them → one code, or what to write instead.

A country's code decides about money: a plan that pays for NO pays nothing for `no`. So it is read by the
tables of ISO 3166 and ISO 4217 where it enters, and nothing else gets past.
"""

from functools import lru_cache

import pycountry

from commission.money import CENT_CURRENCIES

_COUNTRIES = {"UK": "GB", "EL": "GR", "XK": "XK", "XKX": "XK", "KOSOVO": "XK"}
"""Codes in common use beside ISO 3166: the United Kingdom, Greece as the EU writes it, Kosovo."""
_CRYPTO = frozenset(("BTC", "ETH", "LTC", "XRP", "BCH", "BNB", "SOL", "ADA", "TRX", "XMR", "UST", "DAI"))
_MAX_CHARS = 64

COUNTRY_HINT = "write two capitals of ISO 3166, such as NO for Norway"
CURRENCY_HINT = "write three capitals of ISO 4217, such as USD, or the code of a coin, such as USDT"


@lru_cache(maxsize=4_096)
def to_country(text: str) -> str | None:
    """The two capitals of a country that is named by any code or name of ISO 3166; None if it is none."""
    told = " ".join(text.split())
    if not told or len(told) > _MAX_CHARS:
        return None
    if told.upper() in _COUNTRIES:
        return _COUNTRIES[told.upper()]
    try:
        return str(pycountry.countries.lookup(told).alpha_2)
    except LookupError:
        return None


@lru_cache(maxsize=4_096)
def is_currency(code: str) -> bool:
    """Tell whether a code is one of ISO 4217, of a cent account, or of a coin."""
    if code in CENT_CURRENCIES or code in _CRYPTO:
        return True
    if len(code) == 3 and code.isupper():  # ISO 4217 has codes of three letters only
        return pycountry.currencies.get(alpha_3=code) is not None
    return 4 <= len(code) <= 5 and code.isascii() and code.isalpha() and code.isupper()
