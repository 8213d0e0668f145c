"""Long files, made in the background."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.exports import ListName
from api.shapes.base import Shape


class ExportRow(Shape):
    """One file that was asked for."""

    export_id: str
    of: Literal["commissions", "transfers"] | ListName
    format: Literal["csv", "xlsx", "parquet"]
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    rows: int = Field(description="Written so far.")
    total: int | None = Field(description="Rows in all; null until they are counted.")
    size: int = Field(description="Bytes of the file.")
    asked_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None = Field(description="Until when the file is kept, at the longest.")
    why: str = Field(description="Why there is no file, in words.")
    file: str = Field(description="Where the file is; empty if there is none.")


class ExportList(Shape):
    """Those of whoever asks, the newest first; what has no file is forgotten after a week."""

    items: list[ExportRow]
