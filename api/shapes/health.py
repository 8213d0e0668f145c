"""What `/health` answers."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape
from api.shapes.completeness import CompletenessMeter


class StoppedPartition(Shape):
    """A partition of a book that waits for a decision; later messages of it are not in the ledger."""

    topic: str
    partition: int
    offset: int
    since: datetime


class Health(Shape):
    """Whether the ledger can be read, how far the sink is behind, and which partitions are stopped."""

    status: str = Field(description="ok; degraded while a partition is stopped; unavailable.")
    stopped: list[StoppedPartition] = Field([], description="`ibflow book status` has the details.")
    sink_lag: int | None = Field(None, description="Messages not yet stored; null if no sink runs here.")
    rows: dict[str, int] = Field({}, description="Rows stored in each table, before duplicates are merged.")
    completeness: list["CompletenessMeter"] = Field([], description="Each server's last event and sweep.")
