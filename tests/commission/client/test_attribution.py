"""Whose client somebody is who came by a link, and what that link's own plan pays."""

import pytest
from msgspec.structs import replace

from commission.client.attribution import CLOCK_SKEW, Attribution, attribute
from commission.events import ClientRegistered
from commission.links.records import LinkPlan, LinkSaved
from commission.terms.catalog import Terms
from commission.terms.partners import PlanAssignment
from tests.build import (
    PARTNERS,
    PLANS,
    SYMBOLS,
    TERMS,
    at,
    deal,
    linked,
    partner,
    per_lot,
    plan,
    reassigned,
    registered,
    run,
)
from tests.link_world import came, click, link

SPRING = link("spring", "ib-north", campaign="spring-24")
"""Clicks of 30 days before a registration count; where the CRM names another IB, the CRM wins."""
SUMMER = link("summer", "ib-master")


def judged(event: ClientRegistered, *links: LinkSaved) -> Attribution:
    """How the registration is attributed where these links are known."""
    found = attribute(event, Terms().learn(links or (SPRING, SUMMER)))
    assert found is not None
    return found


def verdicts(found: Attribution) -> list[str]:
    """What became of each click, in their order."""
    return [verdict for _, verdict in found.clicks]


def test_without_a_click_the_crm_decides() -> None:
    """Most clients: there is nothing to attribute, and nothing is kept."""
    assert attribute(registered("anna ib-north"), Terms().learn([SPRING])) is None


def test_a_click_within_the_window_decides() -> None:
    """The CRM named nobody: the client is of the IB whose link it clicked."""
    one = click("spring", day=2)
    found = judged(came("anna", one, day=5))
    assert (found.decision, found.ib_id, found.link, found.click_id) == ("click", "ib-north", "spring", one)
    assert found.clicked_at == at(2)
    assert verdicts(found) == ["counts"]


@pytest.mark.parametrize(("day", "verdict"), [(32, "counts"), (33, "too_old")])
def test_the_window_ends_after_thirty_days(day: int, verdict: str) -> None:
    """A click of day 2 counts up to the 30th day after it, the 32nd, and not on the 33rd."""
    found = judged(came("anna", click("spring", day=2), day=day))
    assert verdicts(found) == [verdict]
    assert found.ib_id == ("ib-north" if verdict == "counts" else None)
    assert found.decision == ("click" if verdict == "counts" else "no_click")


def test_the_window_is_the_links_own() -> None:
    """Three days after a click a link of two days counts no more."""
    short = replace(SPRING, window_days=2)
    assert verdicts(judged(came("anna", click("spring", day=2), day=4), short)) == ["counts"]
    assert verdicts(judged(came("anna", click("spring", day=2), day=5), short)) == ["too_old"]


def test_a_click_on_a_link_that_was_over_counts_nothing() -> None:
    """The link ended on day 3: a click of day 2 counts, one of day 3 does not, whenever they register."""
    ended = replace(SPRING, expires_at=at(3))
    assert verdicts(judged(came("anna", click("spring", day=2), day=5), ended)) == ["counts"]
    assert verdicts(judged(came("anna", click("spring", day=3), day=5), ended)) == ["expired"]


def test_forged_bots_and_later_clicks_count_nothing() -> None:
    """A made-up id, a bot's click, one on a link nobody knows, and one after the registration."""
    forged = click("spring", day=2)[:-1] + "!"
    ids = [forged, click("spring", day=2, is_bot=True), click("nobody", day=2), click("spring", day=6)]
    found = judged(came("anna ib-south", *ids, day=5))
    assert verdicts(found) == ["unknown", "bot", "unknown_link", "too_late"]
    assert (found.decision, found.ib_id, found.link) == ("no_click", "ib-south", "")


def test_a_clock_that_is_behind_takes_no_click_away() -> None:
    """The CRM's clock may be a minute behind ours."""
    event = came("anna", click("spring", day=5), day=5)
    assert verdicts(judged(replace(event, occurred_at=at(5) - CLOCK_SKEW))) == ["counts"]


def test_the_last_of_two_clicks_decides() -> None:
    """Whatever order the CRM tells them in; a later one that does not count takes nothing away."""
    first, second = click("spring", day=2), click("summer", day=3)
    bot = click("spring", day=4, is_bot=True)
    found = judged(came("anna", second, first, bot, day=5))
    assert (found.ib_id, found.link) == ("ib-master", "summer")
    assert verdicts(found) == ["counts", "older", "bot"]


@pytest.mark.parametrize(
    ("conflict", "crm", "decision", "ib_id", "counts_for"),
    [
        ("crm", "ib-north", "agreed", "ib-north", "spring"),
        ("crm", "ib-south", "crm_wins", "ib-south", ""),
        ("click", "ib-south", "click_wins", "ib-north", "spring"),
        ("click", "", "click", "ib-north", "spring"),
    ],
)
def test_a_conflict_is_decided_by_the_links_rule(
    conflict: str, crm: str, decision: str, ib_id: str, counts_for: str
) -> None:
    """Where CRM and click name two IBs, the rule of the link says who wins."""
    by_rule = replace(SPRING, conflict=conflict)
    found = judged(came(f"anna {crm}", click("spring", day=2), day=5), by_rule)
    assert (found.decision, found.ib_id, found.crm_ib) == (decision, ib_id, crm or None)
    assert found.link_for(found.ib_id) == counts_for


# In the books


DEARER = plan("spring USD", per_lot("*=6"))
"""6 a lot where ib-north's own plan, silver, pays 5 of forex; gold pays the master 7."""
BY_LINK = replace(SPRING, plans=(LinkPlan(since=at(4), plan_id="spring"),))
WORLD = (*TERMS, DEARER)


def test_the_links_plan_is_for_its_clients_only() -> None:
    """anna came by the link, ben did not; both are of ib-north, and each trades a lot of forex.

    anna: 6 to ib-north, and 7 - 6 = 1 to the master; ben: 5, and 7 - 5 = 2. Together 11 and 3.
    """
    said = run(
        BY_LINK,
        came("anna", click("spring", day=2), day=3),
        registered("ben ib-north", day=3),
        linked("1 anna"),
        linked("2 ben"),
        deal("1 buy 1 EURUSD out", day=5),
        deal("2 buy 1 EURUSD out", day=5, login=2),
        terms=WORLD,
    )
    assert said.owed == {"ib:ib-north:pending": "11.00 USD", "ib:ib-master:pending": "3.00 USD"}
    plans = {(t.client_id, t.ib_id): (t.plan_id, t.amount) for t in said.transfers}
    assert plans["anna", "ib-north"] == ("spring", 6)
    assert plans["ben", "ib-north"] == ("silver", 5)


def test_the_links_plan_counts_from_its_time_on() -> None:
    """On day 3 the link has no plan yet: silver's 5; from day 4 on 6; from day 6 on, taken back, 5 again."""
    until = replace(BY_LINK, plans=(*BY_LINK.plans, LinkPlan(since=at(6))))
    said = run(
        until,
        came("anna", click("spring", day=2), day=2),
        linked("1 anna"),
        *(deal(f"{day} buy 1 EURUSD out", day=day) for day in (3, 4, 5, 6)),
        terms=WORLD,
    )
    paid = [t.amount for t in said.transfers if t.ib_id == "ib-north"]
    assert paid == [5, 6, 6, 5]


def test_a_plan_that_the_link_gets_later_is_learned() -> None:
    """Another version of the link, with a plan, counts for deals behind it; those before stand."""
    said = run(
        SPRING,
        came("anna", click("spring", day=2), day=2),
        linked("1 anna"),
        deal("1 buy 1 EURUSD out", day=5),
        replace(BY_LINK, version=2),
        replace(BY_LINK, version=2, plans=()),  # the same version again is the first that was told
        deal("2 buy 1 EURUSD out", day=5),
        terms=WORLD,
    )
    assert [t.amount for t in said.transfers if t.ib_id == "ib-north"] == [5, 6]


def test_the_links_plan_waits_until_it_is_known() -> None:
    """A link may name a plan before it is published: the deal waits, and is rated by it once it comes."""
    said = run(
        BY_LINK,
        came("anna", click("spring", day=2), day=2),
        linked("1 anna"),
        deal("1 buy 1 EURUSD out", day=5),
        DEARER,
        terms=TERMS,
    )
    assert said.reasons == {"1": "waiting unknown_ib"}
    assert [t.amount for t in said.transfers if t.ib_id == "ib-north"] == [6]


def test_another_ibs_plan_is_not_the_links() -> None:
    """anna is given to ib-master on day 4: what she trades then is gold's 7, without the link."""
    said = run(
        replace(BY_LINK, plans=(LinkPlan(plan_id="spring"),)),
        came("anna", click("spring", day=2), day=2),
        linked("1 anna"),
        deal("1 buy 1 EURUSD out", day=3),
        reassigned("anna ib-master", day=4),
        deal("2 buy 1 EURUSD out", day=5),
        terms=WORLD,
    )
    assert [(t.ib_id, t.amount) for t in said.transfers] == [
        ("ib-north", 6),
        ("ib-master", 1),
        ("ib-master", 7),
    ]


def test_the_ibs_factor_is_for_its_own_plan() -> None:
    """ib-north earns twice its plan: 10 a lot of silver; the link's plan pays 6 as it is written."""
    double = partner("ib-north USD silver", schedule=(PlanAssignment(plan_id="silver", factor=2),))
    said = run(
        BY_LINK,
        came("anna", click("spring", day=2), day=2),
        linked("1 anna"),
        deal("1 buy 1 EURUSD out", day=3),
        deal("2 buy 1 EURUSD out", day=5),
        terms=(*SYMBOLS, *PLANS, PARTNERS[0], double, DEARER),
    )
    assert [t.amount for t in said.transfers] == [10, 6]


def test_the_registration_tells_how_it_was_attributed() -> None:
    """Its milestone has the link, our click id and the decision; later ones have the link."""
    one = click("spring", day=2)
    said = run(SPRING, came("anna", one, day=3))
    (registration,) = said.milestones
    assert (registration.ib_id, registration.link, registration.click_id) == ("ib-north", "spring", one)
    assert (registration.attribution, registration.crm_ib) == ("click", "")


def test_a_registration_that_is_sent_again_changes_nothing() -> None:
    """The same is a repeat, whatever is found genuine by now; another click is another registration."""
    one = click("spring", day=2)
    first = came("anna ib-south", one, day=3)
    by_click = replace(SPRING, conflict="click")
    again = replace(first, event_id="again", genuine_clicks=())
    assert run(by_click, first, again, replace(first, genuine_clicks=())).dead_letters == []
    said = run(by_click, first, came("anna ib-south", click("summer", day=3), day=3, event_id="other"))
    assert [letter.code for letter in said.dead_letters] == ["registered_before"]
    assert [one.ib_id for one in said.milestones] == ["ib-north"]


def test_the_newest_version_counts_whenever_it_is_told() -> None:
    """Two servers may tell the books of two versions in any order, and again."""
    older, newer = SPRING, replace(SPRING, version=2, expires_at=at(2))
    for told in ((older, newer), (newer, older), (older, newer, older, newer)):
        assert verdicts(judged(came("anna", click("spring", day=2), day=3), *told)) == ["expired"]
