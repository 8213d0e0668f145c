"""XML of a bank, read without entities and within bounds; names without the namespace of the message."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from schemas.errors import Unusable

MAX_BYTES = 64_000_000
"""A report on 100,000 payments has some 50 MB."""
MAX_TEXT = 500
"""Of a bank's own words; more is cut off, and ends with an ellipsis."""
MAX_DIGITS = 18


def message_of(body: bytes, tags: Iterable[str]) -> tuple[Element, str]:
    """The report in a file, whatever prefixes and envelope it has, and its version or "".

    Its elements lose their namespace; those of others (supplementary data) keep theirs: nothing finds them.
    Raise `Unusable` for what cannot be read.
    """
    root = _root(body)
    wanted = tuple(tags)
    for element in root.iter():
        space, _, tag = element.tag.rpartition("}")
        if tag in wanted:
            prefix = f"{space}}}" if space else ""
            for one in element.iter():
                if one.tag.startswith(prefix):
                    one.tag = one.tag.removeprefix(prefix)
            return element, space.rpartition(":")[2]
    raise Unusable(f"the XML has no {' or '.join(wanted)}")


def text_at(element: Element, *paths: str) -> str:
    """The text at the first path that has one; "" if none has."""
    for path in paths:
        if found := (element.findtext(path) or "").strip():
            return found if len(found) <= MAX_TEXT else f"{found[:MAX_TEXT]}…"
    return ""


def amount_at(element: Element, *paths: str) -> tuple[Decimal | None, str]:
    """The amount and its currency at the first path that has one; (None, "") if none has."""
    for path in paths:
        found = element.find(path)
        if found is not None:
            return to_amount(found.text or "", f"the amount at {path}"), found.get("Ccy", "")
    return None, ""


def to_amount(text: str, where: str) -> Decimal:
    """A plain number; raise `Unusable` for another, or one that no bank has."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise Unusable(f"{where} is not a number") from None
    if (
        not number.is_finite()
        or len(number.as_tuple().digits) > MAX_DIGITS
        or abs(number.adjusted()) > MAX_DIGITS
    ):
        raise Unusable(f"{where} has over {MAX_DIGITS} digits")
    return number


def _root(body: bytes) -> Element:
    if len(body) > MAX_BYTES:
        raise Unusable(f"the file is larger than {MAX_BYTES:,} bytes; ask the bank for shorter ones")
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise Unusable("the file has a DTD or declares entities, which are not read") from None
    except ParseError as error:
        raise Unusable(f"the file is not well-formed XML: {error}; was it cut off?") from None
    except (ValueError, LookupError):
        raise Unusable("the file's encoding is unknown; ask the bank for UTF-8") from None
    return root
