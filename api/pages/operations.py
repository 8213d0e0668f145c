"""Operations: is everything flowing; input that could not be used, and what people decided about it."""

from base64 import b64decode
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.permissions import why_not
from api.problems import Problem
from api.queries import dead_letters as letters
from api.queries import quality
from api.queries.completeness import meters
from api.queries.dead_letters import LetterFilter
from api.queries.operations import positions, stopped_partitions
from api.queries.periods import ALWAYS
from api.queries.unknown_ibs import unknown_ibs
from api.queries.unpaid import unpaid_counts
from api.routes.context import WHOLE, Asking, Code
from api.routes.dead_letters import newest_bytes
from schemas.dead_letters import CLOSING

router = APIRouter(include_in_schema=False, dependencies=[WHOLE])

LISTED = 100
SORTS = {"Read": "read", "Reason": "reason", "Source": "source", "State": "state"}
MAX_SHOWN_BYTES = 4_000
"""Of a dead letter's bytes; `ibflow dead-letters show` has all."""


@router.get("/operations")
def operations(page: PageHere) -> HTMLResponse:
    """Stopped partitions, what is not stored yet, servers' newest deals, what could not be read."""
    lag = page.request.app.state.sink_lag
    return page.show(
        "operations.html",
        stopped=stopped_partitions(page.ledger, page.scope),
        lag=None if lag is None else int(lag()),
        servers=meters(page.ledger, page.scope),
        letters=letters.dead_letter_counts(page.ledger, page.scope, LetterFilter(state="open")),
        rows=quality.row_counts(page.ledger, page.scope),
        positions=positions(page.ledger, page.scope),
        unknown=unknown_ibs(page.ledger, page.scope),
        waiting=unpaid_counts(page.ledger, page.scope, ALWAYS)["waiting"],
    )


@router.get("/dead-letters")
def dead_letters(
    page: PageHere,
    code: Code = "",
    state: Literal["", "open", "closed"] = "open",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """Input that could not be used, newest first, with its place and what to do."""
    wanted = LetterFilter(code=code, state=state)
    found = letters.dead_letters(page.ledger, page.scope, wanted, LISTED, asked)
    return page.show(
        "dead_letters.html",
        of=of_query(page.link, asked, found, SORTS, "read"),
        counts=letters.dead_letter_counts(page.ledger, page.scope, LetterFilter(state=state)),
        code=code,
        state=state,
    )


@router.get("/dead-letters/{dead_letter_id}")
def dead_letter(
    page: PageHere, by: Asking, dead_letter_id: Annotated[str, Path(max_length=64)]
) -> HTMLResponse:
    """One: its bytes as text, what is wrong, how to correct it, who did what."""
    found = letters.dead_letter(page.ledger, page.scope, dead_letter_id)
    if found is None:
        raise Problem(404, f"No dead letter {dead_letter_id} is stored.", code="unknown_dead_letter")
    payload, newest = b64decode(found["payload_base64"]), newest_bytes(found)
    is_cut = found["payload_bytes"] > len(payload)
    editable = None if is_cut else _text(newest)
    return page.show(
        "dead_letter.html",
        letter=found,
        is_closed=any(one["action"] in CLOSING for one in found["decisions"]),
        is_edited=newest != payload,
        editable=editable,
        rows=min(max((editable or "").count("\n") + 2, 3), 16),
        may=by.is_person and not why_not(by, "POST", "/v1/dead-letters"),
        text=payload[:MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace"),
        is_cut=len(payload) > MAX_SHOWN_BYTES or is_cut,
    )


def _text(payload: bytes) -> str | None:
    """The bytes for a field of a form; None of what is no text, and would come back as something else."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return None if any(ord(one) < ord(" ") and one not in "\t\r\n" for one in text) else text
