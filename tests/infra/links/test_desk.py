"""Links as people keep them: what is refused, what is the same again, when a link may be clicked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from api.link_desk import LinkChange, LinkRefused, NewLink, UnknownLink
from api.operators import NotAllowed, Operator
from commission.links.records import LinkPlan, LinkSaved
from infra.links.desk import LinkDesk
from infra.links.log import LinkLog
from schemas.errors import Unavailable, Unusable
from tests.build import at
from tests.endpoint_world import MemoryLog
from tests.link_world import memory_log

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
OLGA = Operator("olga")
NEW = NewLink(ib_id="ib-north", landing="https://broker.test/?ref={click_id}", campaign="spring")


def desk(log: LinkLog | None = None, now: datetime = NOON) -> LinkDesk:
    """A desk over a log in memory."""
    return LinkDesk(log or memory_log(), "broker.test", public_url="https://go.test/", now=lambda: now)


def test_a_link_is_made_with_a_code_and_the_usual_rules() -> None:
    """Eight characters that nobody guesses, unless one is wanted; the window and rule of the settings."""
    kept = desk()
    made = kept.create(NEW, OLGA, "")
    saved = made.saved
    assert (len(saved.code), saved.window_days, saved.conflict, saved.passes_query) == (8, 30, "crm", True)
    assert (made.created_by, made.created_at, made.told) == ("olga", NOON, 1)
    assert kept.address(saved.code) == f"https://go.test/go/{saved.code}"
    other = kept.create(NewLink(ib_id="ib-north", landing=NEW.landing, code="autumn_24"), OLGA, "")
    assert [*kept.listed()] == [saved.code, "autumn_24"]
    assert other.saved.campaign == ""


def test_the_same_key_makes_the_same_link() -> None:
    """Of the same person; a key, and a code, are for one link."""
    kept = desk()
    made = kept.create(NEW, OLGA, "k1")
    assert kept.create(NEW, OLGA, "k1") == made
    assert kept.create(NEW, Operator("piet"), "k1").saved.code != made.saved.code
    with pytest.raises(LinkRefused, match="for one link"):
        kept.create(NewLink(ib_id="ib-south", landing=NEW.landing), OLGA, "k1")
    with pytest.raises(LinkRefused, match="for one link"):
        kept.create(NewLink(ib_id="ib-north", landing=NEW.landing, code=made.saved.code), OLGA, "")


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (NewLink(ib_id="i", landing="https://evil.test/"), "may not lead to"),
        (NewLink(ib_id="i", landing=NEW.landing, code="a b"), "4 to 32 letters"),
        (NewLink(ib_id="i", landing=NEW.landing, campaign="x" * 101), "at most 100"),
        (NewLink(ib_id="i", landing=NEW.landing, expires_at=NOON), "over before it begins"),
    ],
)
def test_what_no_link_can_be_is_refused(new: NewLink, why: str) -> None:
    """In words that say what to do."""
    with pytest.raises(Unusable, match=why):
        desk().create(new, OLGA, "")


def test_a_viewer_makes_none() -> None:
    """Nor changes or ends one."""
    kept = desk()
    code = kept.create(NEW, OLGA, "").saved.code
    viewer = Operator("vera", may_write=False)
    for act in (
        lambda: kept.create(NEW, viewer, ""),
        lambda: kept.end(code, viewer),
        lambda: kept.change(code, LinkChange(landing=NEW.landing), viewer),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_plans_are_added_behind_each_other() -> None:
    """What counted stays: a plan begins behind the last one; the same again changes nothing."""
    kept = desk()
    code = kept.create(NEW, OLGA, "").saved.code
    first, second = LinkPlan(plan_id="gold"), LinkPlan(since=at(5), plan_id=None)
    assert kept.change(code, LinkChange(plan=first), OLGA).saved.plans == (first,)
    changed = kept.change(code, LinkChange(plan=second), OLGA)
    assert (changed.saved.plans, changed.saved.version) == ((first, second), 3)
    assert kept.change(code, LinkChange(plan=second), OLGA).saved.version == 3
    for late in (LinkPlan(plan_id="silver"), LinkPlan(since=at(5), plan_id="silver")):
        with pytest.raises(Unusable, match="begins behind it"):
            kept.change(code, LinkChange(plan=late), OLGA)
    with pytest.raises(UnknownLink):
        kept.change("nobody", LinkChange(plan=first), OLGA)


def test_a_link_ends_once() -> None:
    """As of now; ending it again changes nothing."""
    log = memory_log()
    code = desk(log).create(NEW, OLGA, "").saved.code
    ended = desk(log).end(code, OLGA)
    assert ended.saved.expires_at == NOON
    assert desk(log, NOON + timedelta(days=1)).end(code, OLGA) == ended


def test_a_link_is_not_clicked_before_the_books_have_it() -> None:
    """Kafka goes away between log and books: the link is there, and is told once it is back."""
    messages: list[bytes] = []
    told: list[LinkSaved] = []
    is_away = True

    def tell(records: Sequence[LinkSaved]) -> None:
        if is_away:
            raise Unavailable("nobody answers")
        told.extend(records)

    log = LinkLog(MemoryLog(messages), tell)
    with pytest.raises(Unavailable):
        desk(log).create(NEW, OLGA, "k1")
    (known,) = log.current.values()
    assert known.told == 0
    is_away = False
    log.tell_books()
    assert [one.code for one in told] == [known.saved.code]
    assert log.current[known.saved.code].told == 1
    log.tell_books()
    assert len(told) == 1  # they have it
    again = LinkLog(MemoryLog(messages), tell)
    assert desk(again).create(NEW, OLGA, "k1").told == 1  # also of a new process


def test_whoever_was_first_counts() -> None:
    """Two servers change a link at once: the order of the log decides, and the second is told so."""
    messages: list[bytes] = []
    one, other = MemoryLog(messages), MemoryLog(messages)
    mine, theirs = desk(LinkLog(one, lambda _: None)), desk(LinkLog(other, lambda _: None))
    code = mine.create(NEW, OLGA, "").saved.code
    one.before_append = lambda: theirs.end(code, Operator("piet"))
    with pytest.raises(LinkRefused, match="changed meanwhile"):
        mine.change(code, LinkChange(landing="https://broker.test/new"), OLGA)
    assert mine.listed()[code].saved.by == "piet"
    assert theirs.listed() == mine.listed()
