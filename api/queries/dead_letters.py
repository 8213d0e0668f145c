"""Input that nobody could use: what, where it was read, and what people decided about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.ledger import Ledger, Row
from api.queries.ordered import NEWEST, Asked, Listing
from api.queries.periods import BEGINNING
from api.scope import Scope

_LETTERS = """
FROM dead_letters AS letter FINAL
LEFT JOIN (
    SELECT dead_letter_id, argMax(action, _offset) AS newest,
        countIf(action IN ('replayed', 'dismissed')) > 0 AS is_closed
    FROM dead_letter_decisions FINAL GROUP BY dead_letter_id
) AS decided ON decided.dead_letter_id = letter.dead_letter_id
WHERE ({code:String} = '' OR code = {code:String})
  AND ({source:String} = '' OR positionCaseInsensitiveUTF8(source, {source:String}) > 0)
  AND received_at >= {since:DateTime64(6, 'UTC')}
  AND ({state:String} = '' OR ({state:String} = 'closed') = decided.is_closed)
"""

_DEAD_LETTERS = f"""
SELECT letter.dead_letter_id AS dead_letter_id, source, position, code, reason,
    substringUTF8(payload, 1, 2000) AS payload, received_at,
    if(decided.newest = '', 'open', decided.newest) AS state
{_LETTERS}
"""
LETTERS = Listing(
    _DEAD_LETTERS,
    {
        "read": ("received_at", "time"),
        "reason": ("code", "text"),
        "source": ("source", "text"),
        "state": ("state", "text"),
    },
    ("dead_letter_id",),
    ("code", "reason", "source", "position"),
)

_DEAD_LETTER_COUNTS = f"""
SELECT code, count() AS letters, min(letter.received_at) AS oldest, max(letter.received_at) AS newest
{_LETTERS} GROUP BY code ORDER BY letters DESC, code LIMIT 1000
"""

_DEAD_LETTER = """
SELECT dead_letter_id, source, position, code, reason, payload_base64, payload_bytes, server, header,
    is_blanked, received_at
FROM dead_letters FINAL WHERE dead_letter_id = {id:String} LIMIT 1
"""

_DECISIONS = """
SELECT action, by, at, note, payload_base64, became
FROM dead_letter_decisions FINAL WHERE dead_letter_id = {id:String} ORDER BY _offset, at LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters; an empty text means all."""

    code: str = ""
    source: str = ""
    since: datetime | None = None
    state: str = ""

    @property
    def parameters(self) -> dict[str, object]:
        """For the queries above."""
        return {
            "code": self.code,
            "source": self.source,
            "since": self.since or BEGINNING,
            "state": self.state,
        }


def dead_letters(
    ledger: Ledger, scope: Scope, wanted: LetterFilter, limit: int, asked: Asked = NEWEST
) -> dict[str, Any]:
    """One page of unusable input, newest first unless asked otherwise; of payloads 2,000 characters."""
    scope.check_whole()
    return LETTERS.page(ledger, asked, limit, **wanted.parameters)


def dead_letter_counts(ledger: Ledger, scope: Scope, wanted: LetterFilter) -> list[Row]:
    """Dead letters by code, the most frequent first."""
    scope.check_whole()
    return ledger.rows(_DEAD_LETTER_COUNTS, **wanted.parameters)


def dead_letter(ledger: Ledger, scope: Scope, dead_letter_id: str) -> Row | None:
    """One with its bytes, and what was decided about it, in order."""
    scope.check_whole()
    found = ledger.rows(_DEAD_LETTER, id=dead_letter_id)
    return found[0] | {"decisions": ledger.rows(_DECISIONS, id=dead_letter_id)} if found else None
