"""What a CRM changes of an IB: laid over the published record, in any order, and never breaking the tree."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.terms.admission import sort_out
from commission.terms.catalog import MAX_UPLINE_DEPTH, Terms
from commission.terms.partner_tree import MAX_CHANGES
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.records import TermsRecord
from tests.build import D, at, partner, per_lot, plan

PLANS = (plan("own USD", per_lot("*=5")), plan("gold USD", per_lot("*=7")))


def changed(ib_id: str, day: int, event_id: str = "", **told: Any) -> PartnerChanged:
    """A change as of a day; its id is the day's unless given."""
    return PartnerChanged(event_id=event_id or f"e{day}", ib_id=ib_id, occurred_at=at(day), **told)


def moved(ib_id: str, parent: str | None, day: int, **told: Any) -> PartnerChanged:
    """The IB has another master, or none, from a day on."""
    return changed(ib_id, day, parents=(ParentLink(since=at(day), ib_id=parent),), **told)


def known(*records: TermsRecord) -> Terms:
    """The terms after `records`, each learned by itself."""
    terms = Terms()
    for record in records:
        terms = terms.learn([record])
    return terms


def chain(terms: Terms, ib_id: str, day: int) -> str:
    """The upline as `sub/plan master/plan`."""
    upline = terms.upline(ib_id, at(day))
    assert upline is not None, "everybody above is known"
    return " ".join(
        f"{link.partner.ib_id}/{link.plan.plan_id if link.plan else '-'}" for link in upline.links
    )


def refused(terms: Terms, *news: TermsRecord) -> list[str]:
    """Why each refused record is."""
    return [why for _, why in sort_out(terms, news)]


NEW_MASTER = moved("ib-c", "ib-b", 10)
NEW_TIER = changed(
    "ib-c", 12, schedule=(PlanAssignment(since=at(12), plan_id="gold", rank="2", factor=D(2)),)
)


def test_a_new_master_and_a_new_tier_count_from_their_day() -> None:
    """ib-c leaves ib-a for ib-b on the 10th and earns by gold from the 12th; before, all is as published."""
    terms = known(
        *PLANS,
        partner("ib-a USD own"),
        partner("ib-b USD own"),
        partner("ib-c USD own ib-a"),
        NEW_MASTER,
        NEW_TIER,
    )
    assert chain(terms, "ib-c", 9) == "ib-c/own ib-a/own"
    assert chain(terms, "ib-c", 10) == "ib-c/own ib-b/own"
    assert chain(terms, "ib-c", 12) == "ib-c/gold ib-b/own"
    upline = terms.upline("ib-c", at(12))
    assert upline is not None
    assert (upline.links[0].held.rank, upline.links[0].held.factor) == ("2", D(2))


def test_the_order_of_arrival_does_not_count() -> None:
    """Changes before, between and after the whole record, and told twice, give one IB."""
    whole = partner("ib-c USD own ib-a")
    again = replace(NEW_TIER, occurred_at=at(20))  # its id is known: the first stands
    expected = known(whole, NEW_MASTER, NEW_TIER).partners["ib-c"]
    for order in permutations((whole, NEW_MASTER, NEW_TIER)):
        assert known(*order, NEW_MASTER, again).partners["ib-c"] == expected
        assert Terms().learn((*order, whole)).partners["ib-c"] == expected


def test_a_change_of_nobody_known_waits() -> None:
    """Until its record is published, the IB is not there; then the change counts."""
    assert known(NEW_MASTER).partners == {}
    assert known(NEW_MASTER, partner("ib-c USD own ib-a")).partners["ib-c"].parents == (
        ParentLink(ib_id="ib-a"), ParentLink(since=at(10), ib_id="ib-b")
    )  # fmt: skip


def test_a_back_dated_change_is_put_in_the_order_of_time() -> None:
    """Published: ib-a, from the 20th nobody. The CRM says ib-b from the 10th: it ends on the 20th."""
    whole = replace(partner("ib-c USD"), parents=(ParentLink(ib_id="ib-a"), ParentLink(since=at(20))))
    assert known(whole, NEW_MASTER).partners["ib-c"].parents == (
        ParentLink(ib_id="ib-a"), ParentLink(since=at(10), ib_id="ib-b"), ParentLink(since=at(20))
    )  # fmt: skip


def test_of_two_changes_of_one_moment_the_later_told_counts() -> None:
    """Both say who is above from the 10th on: the one that happened later corrects the other."""
    wrong, right = moved("ib-c", "ib-x", 10, event_id="z"), moved("ib-c", "ib-b", 10, event_id="a")
    right = replace(right, occurred_at=at(11))
    parents = known(partner("ib-c USD"), right, wrong).partners["ib-c"].parents
    assert parents[-1].ib_id == "ib-b"


def test_an_approved_application_makes_an_ib() -> None:
    """Received or declined it makes nobody; approved it does, with what it tells and what came before it."""
    received = changed(
        "ib-n", 1, application="received", name="North Ltd", currency="EUR", parents=(ParentLink(),)
    )
    declined = changed("ib-n", 2, application="declined", currency="EUR")
    agreed = changed("ib-n", 3, agreement_accepted=True)
    approved = changed("ib-n", 4, application="approved", name="North", currency="USD", identity="p7")
    assert known(received, declined, agreed).partners == {}
    assert known(received, declined, agreed, approved).partners == {
        "ib-n": PartnerDefined(
            ib_id="ib-n", name="North", currency="USD", identity="p7", agreement_accepted=True
        )
    }


def test_undated_facts_are_those_of_the_newest_change() -> None:
    """Agreed on the 5th and withdrawn on the 8th, in any order; a status has its own dates."""
    changes = (
        changed("ib-c", 5, agreement_accepted=True, kyc_approved=True),
        changed("ib-c", 8, agreement_accepted=False, name="C Ltd"),
        changed("ib-c", 9, statuses=(StatusChange(since=at(9), status="suspended"),)),
    )
    for order in permutations(changes):
        found = known(partner("ib-c USD own"), *order).partners["ib-c"]
        assert (found.agreement_accepted, found.kyc_approved, found.name) == (False, True, "C Ltd")
        assert found.statuses == (StatusChange(since=at(9), status="suspended"),)


# The tree


TREE = (partner("ib-a USD"), partner("ib-b USD own ib-a"), partner("ib-c USD own ib-b"))


def test_a_circle_is_refused_and_the_rest_is_not() -> None:
    """ib-a under ib-c would close a circle from the 10th; under ib-d, unknown as yet, it may go."""
    assert refused(known(*TREE), moved("ib-a", "ib-c", 10), moved("ib-a", "ib-d", 11)) == [
        "with it the parents run in a circle: ib-a → ib-c → ib-b → ib-a; correct the parent of ib-a"
    ]


def test_two_ibs_may_change_places_on_one_day() -> None:
    """Links of all times together run in a circle, those of no moment do."""
    free = moved("ib-c", None, 10)
    assert refused(known(*TREE), free, moved("ib-a", "ib-c", 10)) == []
    assert len(refused(known(*TREE), moved("ib-a", "ib-c", 9), free)) == 1


def test_ibs_that_are_not_known_yet_can_close_a_circle() -> None:
    """Both wait for their records: the second change is refused before they arrive."""
    assert len(refused(known(moved("ib-x", "ib-y", 1)), moved("ib-y", "ib-x", 1))) == 1


def test_a_whole_record_that_closes_a_circle_with_a_change_is_refused() -> None:
    """The folder says ib-b above ib-x; the CRM has put ib-b under ib-x. An earlier record of ib-x stays."""
    terms = known(*TREE, moved("ib-b", "ib-x", 5))
    circle = "with it the parents run in a circle"
    assert [why[: len(circle)] for why in refused(terms, partner("ib-x USD own ib-b"))] == [circle]
    before = terms.learn([partner("ib-x USD")])
    assert [why[: len(circle)] for why in refused(before, partner("ib-x USD own ib-b"))] == [circle]
    assert refused(before, partner("ib-x USD own ib-y"), partner("ib-y USD")) == []


def test_whole_records_alone_are_not_looked_at() -> None:
    """They were checked as a whole when they were published."""
    assert refused(known(*TREE), partner("ib-a USD own ib-c")) == []


def test_a_way_too_long_is_refused() -> None:
    """32 IBs in a row may earn from one client; one more above them may not."""
    rows = [partner("n0 USD"), *(partner(f"n{n} USD own n{n - 1}") for n in range(1, MAX_UPLINE_DEPTH))]
    (why,) = refused(known(*rows), moved("n0", "top", 3))
    assert why == "with it n31 and the IBs above it are 33; at most 32 may earn from one client"
    assert refused(known(*rows), moved("n1", "top", 3)) == []


def test_a_currency_does_not_change() -> None:
    """An application for an IB that is settled in another currency is refused; in the same it may come."""
    first = changed("ib-a", 3, application="approved", name="A", currency="EUR")
    assert refused(known(*TREE), first, replace(first, event_id="e4", currency="USD")) == [
        "ib-a is settled in USD; an IB's currency does not change"
    ]


def test_an_id_tells_one_thing() -> None:
    """The same event again is no news, wherever it was read; another under its id is refused."""
    terms = known(*TREE, NEW_MASTER)
    assert refused(terms, replace(NEW_MASTER, source="elsewhere")) == []
    assert refused(terms, moved("ib-c", "ib-a", 10)) == [
        "the event e10 of ib-c reported something else before, which counts; give this one another id"
    ]


def test_changes_of_one_ib_have_a_limit() -> None:
    """A CRM in a loop is stopped before the terms grow without end."""
    many = tuple(changed("ib-a", 3, event_id=f"e{n:05}", name="A") for n in range(MAX_CHANGES))
    terms = Terms(published={"ib-a": TREE[0]}, partners={"ib-a": TREE[0]}, changes={"ib-a": many})
    (why,) = refused(terms, changed("ib-a", 4))
    assert why == f"ib-a has been changed {MAX_CHANGES} times; publish its whole record instead"


@pytest.mark.parametrize("news", [(), PLANS])
def test_other_terms_are_never_refused(news: tuple[TermsRecord, ...]) -> None:
    """Only what touches the tree is looked at, also where something was changed."""
    assert refused(known(*TREE, NEW_MASTER), *news) == []
