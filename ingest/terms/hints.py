"""What to write instead: for the slips that people make in YAML and in numbers, found by how they look."""

import re
from decimal import Decimal

from commission.money import plain

_PERCENT = re.compile(r"(-?\d+(?:[.,]\d+)?)\s*%")
_WITH_CURRENCY = re.compile(r"[$€£]?\s*(-?\d+(?:[.,]\d+)?)\s*(?:[$€£]|[A-Za-z]{3,4})?")
BACKSLASH = r"in double quotes a backslash begins an escape; write single quotes, such as 'real\std*'"


def number_hint(text: str) -> str:
    """How to write a number that was meant: `40%` is 0.4, `4,5` is 4.5, `5 USD` is 5; "" if nobody knows."""
    if percent := _PERCENT.fullmatch(text):
        return f"write {plain(Decimal(percent[1].replace(',', '.')) / 100)} for {text}"
    if (found := _WITH_CURRENCY.fullmatch(text)) is None or text.count(",") + text.count(".") > 1:
        return ""
    number = found[1].replace(",", ".")
    if found[1] == text.strip():
        # 1,500 is fifteen hundred to some and one and a half to others.
        return f"write {number}, with a point" if "," in text and len(text.partition(",")[2]) != 3 else ""
    return f"write {number} alone; the currency is the one that the plan names"


def yaml_hint(reason: str) -> str:
    """What to write in place of what the parser refuses; "" where its reason says enough."""
    if "unknown escape" in reason:
        return BACKSLASH
    if "alias" in reason:
        return 'what begins with * needs quotes, such as "*": 5'
    if r"'\t'" in reason:
        return "indent with spaces, not with tabs"
    return ""
