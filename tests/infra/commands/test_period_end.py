"""What the command refuses before it asks: the books would refuse it too, but after the preview."""

import pytest

from infra.commands.period_end import check
from schemas.errors import Unusable
from tests.build import at, period

CALENDAR = [
    {
        "period": one.period,
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
        "ended": {"offset": 7} if one.period == "2026-09" else None,
    }
    for one in map(period, ("2026-08", "2026-09", "2026-10", "2026-11", "2026-12"))
]
"""September has ended, and no month before it had to."""


@pytest.mark.parametrize(
    ("periods", "early", "why"),
    [
        (["2026-10"], "", ""),
        (["2026-10", "2026-11"], "the broker closes", ""),
        (["2026-1"], "", "there is no period 2026-1; did you mean 2026-1"),
        (["2026-09"], "", "2026-09 has ended already"),
        (["2026-11"], "why not", "2026-11 is out of turn: 2026-10 comes first"),
        (
            ["2026-10", "2026-11"],
            "",
            "2026-11 ends on 2026-12-01 00:00 UTC; before that say why with --early",
        ),
        (["2026-10", "2026-11", "2026-12"], "why not", "2026-12 begins on 2026-12-01 00:00 UTC"),
    ],
)
def test_what_cannot_end_is_told_at_once(periods: list[str], early: str, why: str) -> None:
    """It is the 9th of November."""
    if not why:
        check(CALENDAR, periods, early, at(70))
        return
    with pytest.raises(Unusable, match=why):
        check(CALENDAR, periods, early, at(70))
