"""An IB's own endpoint: of its sub-tree as it was at each event, so deep as it sees, and of nobody else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commission.outputs import Milestone
from commission.postbacks.records import Endpoint, EndpointSaved
from commission.postbacks.routing import wants
from tests.commission.postbacks.folded import fold
from tests.endpoint_world import NOON


def own(owner: str, levels: int = 64, **fields: Any) -> Endpoint:
    """An endpoint of an IB's own."""
    return Endpoint(endpoint_id=f"own-{owner}", owner=owner, levels=levels, **fields)


def event(milestone_id: str, ib: str, *above: str, **more: Any) -> Milestone:
    """Something of an IB, under those above it, the nearest first."""
    given_: dict[str, Any] = {"kind": "cpa.qualified", "client_id": "c-1", "occurred_at": NOON, **more}
    return Milestone(milestone_id=milestone_id, ib_id=ib, upline=above, **given_)


def saved(endpoint: Endpoint, version: int = 1) -> EndpointSaved:
    """A version of it."""
    return EndpointSaved(endpoint=endpoint, version=version, sealed="s", by="iris", at=NOON)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, str | None], int]:
    """Each IB's master, an earlier one or none; and how many levels IBs see."""
    count = draw(st.integers(1, 9))
    masters: dict[str, str | None] = {"ib0": None}
    for number in range(1, count):
        above = draw(st.one_of(st.none(), st.integers(0, number - 1)))
        masters[f"ib{number}"] = None if above is None else f"ib{above}"
    return masters, draw(st.integers(0, 4))


def levels_down(masters: dict[str, str | None], owner: str, ib: str) -> int | None:
    """How far below one another stands, counted from the top down; None if it does not."""
    level, found = 0, {owner}
    while found:
        if ib in found:
            return level
        found = {one for one, master in masters.items() if master in found}
        level += 1
    return None


@given(trees())
def test_it_never_hears_beside_above_or_too_deep(drawn: tuple[dict[str, str | None], int]) -> None:
    """Of every IB of a random tree every own endpoint hears exactly if it is its own or so few levels below.

    Also an endpoint that was told to narrow itself to others hears of none but those of its sub-tree.
    """
    masters, levels = drawn
    for ib in masters:
        above, at = [], masters[ib]
        while at is not None:
            above.append(at)
            at = masters[at]
        happened = event("m", ib, *above, paid_below=("ib8",))
        for owner in masters:
            level = levels_down(masters, owner, ib)
            is_seen = level is not None and level <= levels
            assert wants(own(owner, levels), happened) is is_seen
            assert wants(own(owner, levels, ibs=tuple(masters)), happened) is is_seen
            assert wants(own(owner, levels, ibs=(owner,)), happened) is (ib == owner)
            assert wants(own(owner, levels, subtrees=tuple(masters)), happened) is is_seen


def test_an_ib_hears_of_what_itself_and_who_is_below_is_paid() -> None:
    """One CPA pays south, and north above it: north hears of both, south of its own, the broker's of one."""
    told = fold(
        saved(own("north")),
        saved(own("south")),
        saved(own("east")),
        saved(Endpoint(endpoint_id="network", subtrees=("north",))),
        event("m-south", "south", "north", "master"),
        event("m-north", "north", "master", paid_below=("south",)),
        event("m-master", "master", paid_below=("south", "north")),
    )
    assert sorted((one.endpoint_id, one.event.milestone_id) for one in told) == [
        ("network", "m-south"),
        ("own-north", "m-north"),
        ("own-north", "m-south"),
        ("own-south", "m-south"),
    ]


def test_whose_it_is_stays_whatever_is_written() -> None:
    """A version with another owner, or none, counts for nothing: south's endpoint goes on as south's."""
    told = fold(
        saved(own("south")),
        saved(Endpoint(endpoint_id="own-south"), version=2),
        saved(Endpoint(endpoint_id="own-south", owner="master", levels=64), version=2),
        event("m-north", "north"),
        event("m-south", "south", "north"),
    )
    assert [one.event.milestone_id for one in told] == ["m-south"]
