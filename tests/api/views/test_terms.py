"""The terms as a point of their log knew them."""

from typing import Any

from msgspec.structs import replace

from api.ledger import Ledger
from api.scope import EVERYTHING
from api.views.terms import terms_view
from schemas.wire import encode
from tests.build import at, ended, partner, period


class Archive(Ledger):
    """A ledger that answers every query with the same rows."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.answer = [*rows]

    def rows(self, _sql: str, **_parameters: Any) -> list[dict[str, Any]]:
        """The rows."""
        return self.answer


def test_a_bad_line_hides_none_of_its_message() -> None:
    """The router makes a dead letter of the line alone, and publishes what stands beside it."""
    (line,) = encode([partner("IB-7 USD")])
    row = {"_offset": 0, "message": f"{{bad\n{line.decode()}", "stored_at": at(1)}
    found = terms_view(Archive(row), EVERYTHING, at(2), "", "", "")
    assert ["IB-7"] == [known["ib_id"] for known in found["partners"]]


def test_an_end_that_was_refused_is_none() -> None:
    """September has ended; November, out of turn, has not, though a message says so."""
    calendar = [period(name) for name in ("2026-09", "2026-10", "2026-11")]
    ends = [replace(ended(name), at=at(100)) for name in ("2026-09", "2026-11")]
    told = [calendar, *([end] for end in ends)]
    rows = [
        {"_offset": n, "message": b"\n".join(encode(news)).decode(), "stored_at": at(100 + n)}
        for n, news in enumerate(told)
    ]
    found = terms_view(Archive(*rows), EVERYTHING, at(200), "", "", "")
    assert [(p["period"], p["ended"] and p["ended"]["offset"]) for p in found["periods"]] == [
        ("2026-09", 1),
        ("2026-10", None),
        ("2026-11", None),
    ]
