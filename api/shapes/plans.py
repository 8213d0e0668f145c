"""Plans: what the checks say, what changed, what another folder of terms would have cost."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.shapes.base import Shape


class PlanFinding(Shape):
    """Something the checks of terms say of a plan."""

    severity: str = Field(description="`error`, `trap`, `warning` or `note`.")
    code: str
    text: str
    place: str = Field(description="The path to it, such as `plan/gold/2/lots`.")


class PlanCase(Shape):
    """A golden case of the server's folder of terms, run."""

    file: str
    line: int
    case: str
    passed: bool
    differs: list[str] = Field(description="What was expected and what came, where it did not pass.")


class PlanCheck(Shape):
    """Findings of the plan as published; golden cases of the folder, null where the server has none."""

    findings: list[PlanFinding]
    cases: list[PlanCase] | None


class PlanField(Shape):
    """One field of a plan."""

    field: str
    old: str
    new: str


class PlanPay(Shape):
    """What one lot pays."""

    chain: list[str]
    symbol: str
    before: str
    after: str


class PlanChanges(Shape):
    """A version beside the one before."""

    fields: list[PlanField]
    pays: list[PlanPay]
    same: int = Field(description="Chains and symbols that are paid as before.")


class WhatIfState(Shape):
    """The history under the server's folder of terms: running, done or failed."""

    state: str
    by: str
    started_at: datetime
    ended_at: datetime | None
    since: datetime
    until: datetime
    found: dict[str, Any] | None = Field(description="As `ibflow what-if --json` prints it.")
    why: str
