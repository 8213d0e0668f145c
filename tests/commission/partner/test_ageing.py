"""How old a debt is: the oldest part is worked off first."""

import pytest

from commission.partner.ageing import Closed, aged
from tests.build import D


@pytest.mark.parametrize(
    ("closings", "parts", "oldest"),
    [
        # 100 of 120 days ago, 20 more of 80; 50 worked off 50 days ago: 50 old and 20; 5 more of 20 days ago
        (((120, "-100"), (80, "-120"), (50, "-70"), (20, "-75")), ("5", "0", "20", "50"), 120),
        # all of the 100 and 10 of the 20 are worked off: 10 are left, of 80 days ago
        (((120, "-100"), (80, "-120"), (50, "-10")), ("0", "0", "10", "0"), 80),
        # above zero in between: what came before is gone, what came after is new
        (((120, "-100"), (80, "4"), (31, "-7")), ("0", "7", "0", "0"), 31),
        # carried below a minimum is above zero: nobody owes
        (((40, "3"),), ("0", "0", "0", "0"), 0),
        # as old as a limit is within it
        (((90, "-1"), (60, "-3"), (30, "-6")), ("3", "2", "1", "0"), 90),
        ((), ("0", "0", "0", "0"), 0),
    ],
)
def test_a_debt_is_as_old_as_its_parts(
    closings: tuple[tuple[int, str], ...], parts: tuple[str, ...], oldest: int
) -> None:
    """Worked out beside each."""
    found = aged(Closed(days, D(closing)) for days, closing in closings)
    assert (found.parts, found.oldest_days) == (tuple(map(D, parts)), oldest)
    assert found.total == (max(-D(closings[-1][1]), D(0)) if closings else 0)
