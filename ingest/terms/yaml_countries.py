"""Countries in a file of terms: any code or name of ISO 3166 becomes its two capitals."""

from typing import Any

from ingest.iso_codes import COUNTRY_HINT, to_country
from ingest.terms.yaml_page import Items, Page, Text

COUNTRY_FIELDS = ("country", "countries", "countries_not")
"""Fields of plans whose texts are countries."""


def read_countries(page: Page, value: Any, label: str, name: str) -> Any:
    """A field's text, or list of texts, with each country as its code; other fields stay as they are."""
    if isinstance(value, Items) and name in COUNTRY_FIELDS:
        return Items(value.line, [read_countries(page, item, label, name) for item in value])
    if name not in COUNTRY_FIELDS or not isinstance(value, Text) or not value:
        return value
    code = to_country(value)
    if code is None:
        page.fail(value.line, f"{label} is {str(value)!r}; {COUNTRY_HINT}")
        return Text.at(value.line, "XX")
    return Text.at(value.line, code)
