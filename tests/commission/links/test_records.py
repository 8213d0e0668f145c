"""Which versions of a link count, what a fold needs of them, and by which plan a time is rated."""

from commission.links.records import MAX_LINKS, LinkPlan, links_after, why_refused
from commission.terms.checks.published import subject_of
from tests.build import at
from tests.link_world import link

SPRING = link("spring", "ib-north")


def test_links_are_bounded_and_their_ibs_are_for_ever() -> None:
    """On the log, where each version follows the one before; the message says why one counts for nothing."""
    second = link("spring", "ib-north", version=2)
    assert why_refused(None, SPRING, MAX_LINKS - 1) == ""
    assert "20,000 links" in why_refused(None, SPRING, MAX_LINKS)
    assert why_refused(SPRING, second, MAX_LINKS) == ""
    assert "ib-north's for ever" in why_refused(SPRING, link("spring", "ib-south", version=2), 1)
    assert "somebody was faster" in why_refused(SPRING, SPRING, 1)
    assert "the next version is 1, not 2" in why_refused(None, second, 0)


def test_a_fold_keeps_what_it_needs_of_the_newest_version() -> None:
    """No landing page, no campaign and no names of people, for each partition has every link."""
    newer = link("spring", "ib-north", version=3, campaign="c", window_days=7)
    found = links_after({}, [newer, SPRING])
    assert found == {"spring": link("spring", "ib-north", version=3, window_days=7, landing="", by="")}
    assert links_after(found, [SPRING]) == found


def test_a_plan_counts_from_its_time_on() -> None:
    """Before the first, and after one that names none, it is the IB's own."""
    planned = link("spring", "i", plans=(LinkPlan(since=at(4), plan_id="gold"), LinkPlan(since=at(6))))
    assert [planned.plan_at(at(day)) for day in (3, 4, 5, 6)] == [None, "gold", "gold", None]
    assert link("spring", "i", plans=(LinkPlan(plan_id="gold"),)).plan_at(at(1)) == "gold"


def test_a_link_is_over_from_its_end_on() -> None:
    """That instant is over already; without an end none is."""
    ended = link("spring", "i", expires_at=at(3))
    assert [ended.is_over(at(2, 23)), ended.is_over(at(3))] == [False, True]
    assert not SPRING.is_over(at(3_000))


def test_a_link_has_a_path_of_its_own_among_terms() -> None:
    """Its code and version."""
    assert subject_of(SPRING) == ("link", "spring", "1")
