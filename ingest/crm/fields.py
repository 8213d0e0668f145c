"""The fields of a CRM's record: their names, their limits, and what each reads as."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from ingest.formats.cells import shown, to_amount
from ingest.ids import ID, bad_id
from ingest.iso_codes import COUNTRY_HINT, CURRENCY_HINT, is_currency, to_country
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import RowRejected

FIELDS = (
    "event",
    "event_id",
    "occurred_at",
    "client_id",
    "ib_id",
    "server",
    "login",
    "deposit_id",
    "chargeback_id",
    "withdrawal_id",
    "amount",
    "currency",
    "status",
    "country",
    "click_ids",
    "identity",
    "jurisdiction",
    "expires_at",
    "name",
    "parent_ib_id",
    "plan_id",
    "rank",
    "factor",
)
CLICK = "click"
"""A mapping of the entry URL's parameters, or fields `click.<name>`."""
MAX_CLICKS = 30
MAX_CLICK_CHARS = 200
MAX_WORD_CHARS = 64
"""Of a jurisdiction, a rank."""
MAX_NAME_CHARS = 200

_CLICK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Word = TypeVar("Word", bound=str)


def is_field(name: str) -> bool:
    """Tell whether records may have a field of this name."""
    click = name.removeprefix(f"{CLICK}.")
    return name in FIELDS or (click != name and _CLICK_NAME.fullmatch(click) is not None)


@dataclass(frozen=True, slots=True)
class Fields:
    """One record's fields as text, and what each reads as; raises `RowRejected`, saying what to do."""

    by_name: dict[str, str]
    clicks: dict[str, str]
    source: str

    def get(self, name: str) -> str:
        """The text without spaces around it; empty where there is none."""
        return self.by_name.get(name, "").strip()

    def needed(self, name: str) -> str:
        """The text of a field that must be there."""
        text = self.get(name)
        if not text:
            raise RowRejected("missing_cell", f"a {self.get('event')} needs {name}, which is empty")
        return text

    def identity(self, name: str) -> str:
        """An id."""
        text = self.needed(name)
        if not ID.fullmatch(text):
            raise bad_id(name, text)
        return text

    def optional_identity(self, name: str) -> str | None:
        """An id, or none."""
        return self.identity(name) if self.get(name) else None

    def status(self, words: tuple[Word, ...], otherwise: Word | None = None) -> Word:
        """The status, one of `words`; `otherwise` where it is empty, if that says it all."""
        text = self.get("status").lower()
        if not text and otherwise is not None:
            return otherwise
        found = next((word for word in words if word == (text or self.needed("status"))), None)
        if found is None:
            raise RowRejected("unknown_status", f"status `{shown(text)}` is not one of {', '.join(words)}")
        return found

    def bounded(self, name: str, limit: int = MAX_WORD_CHARS) -> str:
        """A text within a limit."""
        text = self.get(name)
        if len(text) > limit:
            raise RowRejected(f"bad_{name}", f"{name} is longer than {limit} characters")
        return text

    def instant(self, name: str) -> datetime:
        """A time, in UTC."""
        return _to_instant(self.needed(name), name)

    @property
    def ids(self) -> dict[str, Any]:
        """What every event of a client has."""
        return {
            "event_id": self.identity("event_id"),
            "client_id": self.identity("client_id"),
            "occurred_at": self.instant("occurred_at"),
            "source": self.source,
        }

    @property
    def money(self) -> dict[str, Any]:
        """A positive amount and its currency."""
        return {"amount": positive(self.needed("amount")), "currency": self.currency("currency")}

    def part(self) -> Decimal | None:
        """A positive amount of a deposit; None is all of it."""
        return positive(self.get("amount")) if self.get("amount") else None

    def currency(self, name: str) -> str:
        """A currency's code."""
        text = self.needed(name)
        if not is_currency(text):
            raise RowRejected("bad_currency", f"currency `{shown(text)}` is unknown; {CURRENCY_HINT}")
        return text

    def country(self) -> str:
        """Two capitals, however the CRM spells the country; empty where it tells none."""
        text = self.get("country")
        code = to_country(text) if text else ""
        if code is None:
            raise RowRejected("bad_country", f"country `{shown(text)}` is unknown; {COUNTRY_HINT}")
        return code


def fields_of(record: Mapping[str, object], source: str) -> Fields:
    """The fields of a record; raise `RowRejected` for one that is unknown or no text."""
    by_name: dict[str, str] = {}
    clicks: dict[str, str] = {}
    for name, told in record.items():
        if name == CLICK and isinstance(told, Mapping):
            clicks |= {str(key): _text(f"{CLICK}.{key}", part) for key, part in told.items()}
        elif name.startswith(f"{CLICK}."):
            clicks[name.removeprefix(f"{CLICK}.")] = _text(name, told)
        elif name in FIELDS:
            by_name[name] = _text(name, told)
        else:
            raise RowRejected(
                "unknown_field",
                f"the field `{shown(name)}` is unknown; known are {', '.join(FIELDS)} and click.<name>."
                " Leave out what is not needed, personal data above all",
            )
    return Fields(by_name, {name: text for name, text in clicks.items() if text}, source)


def _text(name: str, told: object) -> str:
    """A field as text; a number is one as it was written, never a float."""
    if told is None:
        return ""
    if isinstance(told, str):
        return told
    if isinstance(told, Decimal) and told.is_finite():
        return f"{told:f}"
    if isinstance(told, int) and not isinstance(told, bool):
        return str(told)
    raise RowRejected(
        "bad_field", f"{shown(name)} must be text: write amounts as such as '250.50', in quotes"
    )


def check_clicks(clicks: dict[str, str]) -> None:
    """Raise `RowRejected` for click parameters beyond the limits."""
    if len(clicks) > MAX_CLICKS:
        raise RowRejected("too_many_clicks", f"{len(clicks)} click parameters; the limit is {MAX_CLICKS}")
    for name, text in clicks.items():
        if not _CLICK_NAME.fullmatch(name):
            raise RowRejected(
                "bad_click", f"click parameter `{shown(name)}`: a name has letters, digits and _ . - only"
            )
        if len(text) > MAX_CLICK_CHARS:
            raise RowRejected(
                "click_too_long",
                f"click.{name} has {len(text)} characters; the limit is {MAX_CLICK_CHARS}",
            )


def positive(text: str, what: str = "amount") -> Decimal:
    """A number above 0."""
    amount = to_amount(text, "Amount")
    if amount <= 0:
        raise RowRejected(
            "bad_amount", f"{what} `{shown(text)}` is not positive; what is taken back is an event of its own"
        )
    return amount


def _to_instant(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not MIN_YEAR < at.year < MAX_YEAR:
        raise RowRejected(
            "bad_time", f"{name} `{shown(text)}` is not ISO 8601 with a zone, such as 2026-09-01T08:30:00Z"
        )
    return at.astimezone(UTC)
