"""Payouts: batches made, approved by another person, exported, and what became of their lines."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.paging import Cursor, Limit, decode_cursor, encode_cursor
from api.payouts import BankFiles, Payouts, Tick
from api.problems import Problem
from api.routes.context import WHOLE, Asking, Period
from api.shapes.payouts import (
    ImportedBankFile,
    PayoutBatch,
    PayoutBatchPage,
    PayoutFile,
    PayoutLinePage,
    PayoutResults,
    PayoutWarningPage,
    Resumed,
)
from api.views.payouts import batch_view, file_view, imported_view, line_view, refused_view
from commission.payouts.records import LineResult, Outcome
from schemas.payouts import BatchRequest

router = APIRouter(prefix="/v1/payouts", tags=["payouts"], dependencies=[WHOLE])

MAX_RESULTS = 200
"""Of one request, which has 64 kB; a client sends several."""
MAX_IBS = 300
MAX_FILE_BYTES = 64_000_000
MAX_TICKS, MAX_TICKS_BYTES = 200_000, 32_000_000
"""Two warnings for each line of the largest batch."""
NOT_HERE = "This process makes no payouts. Ask the one that `ibflow serve` started."


def _desk(request: Request) -> Payouts:
    desk: Payouts | None = request.app.state.payouts
    if desk is None:
        raise Problem(503, NOT_HERE, code="not_in_this_process")
    return desk


Desk = Annotated[Payouts, Depends(_desk)]
BatchId = Annotated[str, Path(max_length=64)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
Word = Annotated[str, Field(min_length=1, max_length=128)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Excluded(_Body):
    """Which IBs a batch leaves out, and why."""

    ibs: Annotated[list[Word], Field(min_length=1, max_length=MAX_IBS)]
    reason: Reason


class OneTick(_Body):
    """A warning that was looked at."""

    code: Word
    ib_id: Annotated[str, Field(max_length=128, description="Empty: of the whole batch.")] = ""


class Ticked(_Body):
    """Warnings that were looked at."""

    ticks: Annotated[list[OneTick], Field(max_length=MAX_TICKS)] = []


class Cancelled(_Body):
    """Why."""

    reason: Reason


class Exported(_Body):
    """Which file."""

    format: str = Field(
        "csv",
        max_length=32,
        description="csv, xlsx, pain.001.001.09, pain.001.001.03, nacha or bridge.",
        json_schema_extra={"example": "pain.001.001.09"},
    )
    reason: str = Field("", max_length=500, description="Why once more, if it was given out before.")


class Result(_Body):
    """What became of a line."""

    line_id: Word
    outcome: Outcome
    reason: str = Field("", max_length=140)


class Results(_Body):
    """What whoever pays reported."""

    source: Word
    results: Annotated[list[Result], Field(min_length=1, max_length=MAX_RESULTS)]


@router.post("", response_model=PayoutBatch, status_code=201)
def create(
    desk: Desk,
    by: Asking,
    wanted: BatchRequest,
    idempotency_key: Annotated[str, Header(max_length=128)] = "",
) -> Any:
    """Put the lines of a period in a currency that no batch has into one. Nothing is locked or paid yet.

    Sent again with the same `Idempotency-Key`, the answer is the same batch.
    """
    return batch_view(desk.create(wanted, by, idempotency_key))


@router.get("", response_model=PayoutBatchPage)
def listed(desk: Desk, period: Period = "", limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Batches, newest first."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found = desk.newest(period)
    page = [batch_view(batch) for batch in found[start : start + limit]]
    return {"items": page, "next_cursor": _next(start + limit, len(found))}


@router.get("/{batch_id}", response_model=PayoutBatch)
def shown(desk: Desk, batch_id: BatchId) -> Any:
    """One batch: who did what, and how many of its lines are where."""
    return batch_view(desk.get(batch_id))


@router.get("/{batch_id}/lines", response_model=PayoutLinePage)
def lines(desk: Desk, batch_id: BatchId, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Its lines, by IB, and what became of each."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    batch = desk.get(batch_id)
    page = [line_view(batch, line) for line in [*batch.lines.values()][start : start + limit]]
    return {"items": page, "next_cursor": _next(start + limit, len(batch.lines))}


@router.get("/{batch_id}/warnings", response_model=PayoutWarningPage)
def warnings(desk: Desk, batch_id: BatchId, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """What people must look at before it is paid (infra/payouts/warnings.py has the rules), and who has."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found = desk.warnings(batch_id)
    page = [
        {"code": one.code, "ib_id": one.ib_id, "words": one.words, "is_ticked": is_ticked}
        for one, is_ticked in found[start : start + limit]
    ]
    return {"items": page, "next_cursor": _next(start + limit, len(found))}


@router.post("/{batch_id}/exclude", response_model=PayoutBatch)
def exclude(desk: Desk, by: Asking, batch_id: BatchId, wanted: Excluded) -> Any:
    """Leave IBs out, before it is submitted."""
    return batch_view(desk.exclude(batch_id, wanted.ibs, wanted.reason, by))


@router.post("/{batch_id}/submit", response_model=PayoutBatch, max_body_size=MAX_TICKS_BYTES)
def submit(desk: Desk, by: Asking, batch_id: BatchId, wanted: Ticked | None = None) -> Any:
    """Ask another person for approval, once each warning is ticked; its lines change no more."""
    return batch_view(desk.submit(batch_id, by, _ticks(wanted)))


@router.post("/{batch_id}/approve", response_model=PayoutBatch, max_body_size=MAX_TICKS_BYTES)
def approve(desk: Desk, by: Asking, batch_id: BatchId, wanted: Ticked | None = None) -> Any:
    """Let the books lock its lines, once each new warning is ticked.

    The token says who approves: nobody who had a hand in it, or in where one of its IBs is paid since the
    IB's last payout.
    """
    return batch_view(desk.approve(batch_id, by, _ticks(wanted)))


@router.post("/{batch_id}/export", response_model=PayoutFile)
def export(desk: Desk, by: Asking, batch_id: BatchId, wanted: Exported) -> Any:
    """Give its file out, once every line is locked; lines that the books refused are not in it.

    Each line is paid to the payee's details that were valid at the approval. Once more the file has the same
    bytes, and wants a reason.
    """
    batch, file = desk.export(batch_id, wanted.format, wanted.reason, by)
    return {**batch_view(batch), **file_view(batch, file)}


@router.post("/{batch_id}/cancel", response_model=PayoutBatch)
def cancel(desk: Desk, by: Asking, batch_id: BatchId, wanted: Cancelled) -> Any:
    """Give everything back; not once its file was given out."""
    return batch_view(desk.cancel(batch_id, wanted.reason, by))


@router.post("/{batch_id}/resume", response_model=Resumed)
def resume(desk: Desk, by: Asking, batch_id: BatchId) -> Any:
    """Command the books once more what they have not answered, after a crash; each command counts once."""
    return {"commands": desk.resume(batch_id, by)}


@router.post("/results", response_model=PayoutResults)
def results(desk: Desk, by: Asking, wanted: Results) -> Any:
    """What became of lines, matched by their ids alone; what does not fit is listed, nothing is guessed."""
    told = [LineResult(line_id=r.line_id, outcome=r.outcome, reason=r.reason) for r in wanted.results]
    found = desk.import_results(told, wanted.source, by)
    refused = [refused_view(one) for one in found.refused]
    return {"recorded": found.recorded, "repeated": found.repeated, "refused": refused}


@router.post("/result-files", response_model=ImportedBankFile, max_body_size=MAX_FILE_BYTES)
def import_file(
    request: Request,
    by: Asking,
    file: Annotated[bytes, Body(media_type="application/octet-stream")],
    source: Annotated[str, Query(min_length=1, max_length=128, description="The file's name.")],
) -> Any:
    """Read a bank's file as it is: pain.002, camt.054, NACHA returns or CSV, of at most 64 MB.

    Lines are found by their EndToEndId alone. What does not match is listed, and nothing is guessed.
    """
    desk: BankFiles | None = request.app.state.bank_files
    if desk is None:
        raise Problem(503, NOT_HERE, code="not_in_this_process")
    return imported_view(desk.import_file(file, source, by))


def _ticks(wanted: Ticked | None) -> list[Tick]:
    return [] if wanted is None else [Tick(one.code, one.ib_id) for one in wanted.ticks]


def _next(end: int, count: int) -> str | None:
    return encode_cursor([end]) if end < count else None
