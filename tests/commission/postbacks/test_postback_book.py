"""The postback book: which event goes where, once, numbered, and how a conversion is taken back."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from commission.books import postback
from commission.draft import Draft
from commission.outputs import Milestone, MilestoneKind
from commission.postbacks import records, waiting
from commission.postbacks.presets import PRESETS, preset_of
from commission.postbacks.records import Delivery, Endpoint, EndpointSaved, EndpointStateSet
from commission.postbacks.routing import may_follow, status_of
from commission.terms.catalog import Terms
from tests.commission.postbacks.folded import fold

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def saved(name: str = "t", version: int = 1, **fields: Any) -> EndpointSaved:
    """A version of an endpoint."""
    endpoint = Endpoint(endpoint_id=name, **fields)
    return EndpointSaved(endpoint=endpoint, version=version, sealed="s", by="anna", at=NOON)


def put(name: str, state: records.State, version: int = 1) -> EndpointStateSet:
    """A decision about an endpoint."""
    return EndpointStateSet(endpoint_id=name, version=version, state=state, reason="why", by="ben", at=NOON)


def event(milestone_id: str, kind: MilestoneKind = "ftd", ib: str = "north", **more: Any) -> Milestone:
    """Something that happened to client c-1."""
    given: dict[str, Any] = {"client_id": "c-1", "occurred_at": NOON, **more}
    return Milestone(milestone_id=milestone_id, kind=kind, ib_id=ib, **given)


def cpa(milestone_id: str, ib: str = "north", **more: Any) -> Milestone:
    """A CPA of 300 USD."""
    return event(milestone_id, "cpa.qualified", ib, amount=Decimal(300), currency="USD", **more)


def clawback(milestone_id: str, of: str, **more: Any) -> Milestone:
    """The end of a CPA."""
    return event(milestone_id, "cpa.clawback", amount=Decimal(300), currency="USD", takes_back=of, **more)


def ids(found: Iterable[Delivery]) -> list[str]:
    """Endpoint and event of each."""
    return [f"{one.endpoint_id} {one.event.milestone_id}" for one in found]


def test_an_event_goes_to_the_endpoints_that_were_there_before_it() -> None:
    """The order of the log says so: what happened before an endpoint was made is not sent to it."""
    found = fold(event("m1"), saved("a"), event("m2"), saved("b"), event("m3"))
    assert ids(found) == ["a m2", "a m3", "b m3"]


def test_events_of_a_client_are_numbered_whoever_hears_of_them() -> None:
    """1 before there was an endpoint, so the first that is sent is 2; another client counts by itself."""
    found = fold(event("m1"), saved(), event("m2"), event("o1", client_id="c-2"), event("m3"))
    assert [(one.event.milestone_id, one.sequence) for one in found] == [("m2", 2), ("o1", 1), ("m3", 3)]


def test_events_without_a_client_are_numbered_by_ib() -> None:
    """An IB's own events do not count among those of a client that has its name."""
    found = fold(
        saved(), event("m1", client_id="ib:north"), event("m2", client_id=""), event("m3", client_id="")
    )
    assert [one.sequence for one in found] == [1, 1, 2]


def test_a_delivery_has_one_id_for_event_and_endpoint() -> None:
    """The same log gives the same ids, another endpoint another, and so does asking again."""
    once, again = (fold(saved("a"), saved("b"), event("m1")) for _ in range(2))
    assert [one.delivery_id for one in once] == [one.delivery_id for one in again]
    names = {
        postback.delivery_id_of("a", "m1"),
        postback.delivery_id_of("a", "m1", "anna"),
        once[1].delivery_id,
    }
    assert len(names) == 3


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"events": ("ftd",)}, True),
        ({"events": ("registration",)}, False),
        ({"ibs": ("north",)}, True),
        ({"ibs": ("master",)}, False),
        ({"subtrees": ("master",)}, True),
        ({"subtrees": ("north",)}, True),
        ({"subtrees": ("south",)}, False),
        ({"ibs": ("south",), "subtrees": ("master",)}, True),
        ({"countries": ("CY", "DE")}, True),
        ({"countries": ("FR",)}, False),
        ({"since": NOON}, True),
        ({"since": NOON + timedelta(microseconds=1)}, False),
        ({"min_payout": Decimal(1_000)}, True),
    ],
)
def test_conditions_let_an_event_through(filters: dict[str, Any], *, wanted: bool) -> None:
    """A deposit of a Cypriot client of north, below master; a minimum is of what is paid, not of deposits."""
    deposit = event("m", upline=("master",), country="CY", amount=Decimal(500), currency="USD")
    assert bool(fold(saved(**filters), deposit)) is wanted


@pytest.mark.parametrize(("minimum", "wanted"), [("300", True), ("300.01", False)])
def test_a_minimum_is_of_what_the_ib_earns(minimum: str, *, wanted: bool) -> None:
    """300 USD; neither the CPA nor its end is sent to who only takes more."""
    told = (saved(min_payout=Decimal(minimum)), cpa("q"), clawback("w", "q"))
    assert bool(fold(*told)) is wanted


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, ["q-north"]),
        ({"ibs": ("north", "master")}, ["q-north"]),
        ({"ibs": ("master",)}, ["q-master"]),
        ({"ibs": ("north",)}, ["q-north"]),
        ({"subtrees": ("master",)}, ["q-north"]),
        ({"ibs": ("master",), "subtrees": ("south",)}, ["q-master"]),
        ({"ibs": ("south",)}, []),
    ],
)
def test_a_conversion_goes_once_to_one_network(filters: dict[str, Any], heard: list[str]) -> None:
    """One click, two IBs paid: the override of master sends no second one to who had the first."""
    direct = cpa("q-north", upline=("master",))
    override = cpa("q-master", "master", paid_below=("north",))
    assert [one.event.milestone_id for one in fold(saved(**filters), override, direct)] == heard


def test_an_upline_that_alone_is_paid_is_heard_of() -> None:
    """The direct IB has no CPA: there is one conversion, master's."""
    assert ids(fold(saved("t"), cpa("q", "master"))) == ["t q"]


def test_keitaro_hears_of_a_clawback_as_a_rejection_of_the_same_conversion() -> None:
    """Fault 30: one txid, sale and then rejected; a second clawback of it sends nothing."""
    keitaro = saved(preset="keitaro", reversal="same")
    found = fold(keitaro, event("r", "registration"), cpa("q"), clawback("w", "q"), clawback("w2", "q"))
    assert [(one.txid, one.status) for one in found] == [("r", "lead"), ("q", "sale"), ("q", "rejected")]


def test_another_network_hears_of_an_event_of_its_own() -> None:
    """The clawback has its own txid, and names the one it takes back."""
    found = fold(saved(reversal="event"), cpa("q"), clawback("w", "q"), clawback("w2", "q"))
    assert [(one.txid, one.status, one.event.takes_back) for one in found] == [
        ("q", "approved", ""),
        ("w", "declined", "q"),
    ]


def test_a_conversion_that_nobody_was_told_of_is_not_taken_back() -> None:
    """The endpoint came after the CPA; or it takes no reversals."""
    assert fold(cpa("q"), saved(), clawback("w", "q")) == []
    assert ids(fold(saved(reversal="none"), cpa("q"), clawback("w", "q"))) == ["t q"]


def test_a_cpa_that_is_earned_again_is_another_conversion() -> None:
    """It can be taken back as the first was."""
    told = (
        saved(preset="keitaro", reversal="same"),
        cpa("q"),
        clawback("w", "q"),
        cpa("q2"),
        clawback("w2", "q2"),
    )
    assert [(one.txid, one.status) for one in fold(*told)] == [
        ("q", "sale"), ("q", "rejected"), ("q2", "sale"), ("q2", "rejected"),
    ]  # fmt: skip


def test_paused_endpoints_keep_what_comes_and_disabled_ones_do_not() -> None:
    """Until somebody resumes them."""
    for state, heard in (("paused", ["t m1", "t m2"]), ("disabled", ["t m2"]), ("removed", [])):
        told: list[Any] = [saved("t"), put("t", state), event("m1"), put("t", "active"), event("m2")]  # type: ignore[arg-type]
        assert ids(fold(*told)) == heard


def test_only_records_in_turn_count() -> None:
    """A version somebody wrote meanwhile, a state it has already, an endpoint that is not there."""
    known = records.after(None, saved(), 0)
    assert isinstance(known, records.Known)
    changed = records.after(known, saved(version=2, events=("ftd",)))
    assert isinstance(changed, records.Known)
    assert changed.endpoint.events == ("ftd",)
    for before, record, why in (
        (None, saved(version=2), "the next version is 1"),
        (known, saved(version=1), "somebody was faster"),
        (changed, put("t", "paused"), "at version 2 by now"),
        (known, put("t", "active"), "active already"),
        (None, put("t", "paused"), "no endpoint t"),
    ):
        refused = records.after(before, record)
        assert isinstance(refused, records.Refusal)
        assert why in refused.why
    full = records.after(None, saved(), records.MAX_ENDPOINTS)
    assert isinstance(full, records.Refusal)
    assert "remove one first" in full.why


def test_what_was_removed_stays_removed_until_it_is_written_anew() -> None:
    """It then begins as a new one."""
    gone = records.after(records.after(None, saved()), put("t", "removed"))  # type: ignore[arg-type]
    assert isinstance(gone, records.Known)
    assert isinstance(records.after(gone, put("t", "active")), records.Refusal)
    back = records.after(gone, saved(version=2))
    assert isinstance(back, records.Known)
    assert (back.state, back.reason) == ("active", "")


def test_a_refused_record_changes_nothing_of_the_book() -> None:
    """The endpoint stays as it was."""
    assert ids(fold(saved("t"), saved("t", version=1, events=("registration",)), event("m"))) == ["t m"]


def test_statuses_are_the_networks_own_words() -> None:
    """An endpoint's own before its preset's; what a network has no word for is empty."""
    assert status_of(Endpoint(endpoint_id="t", preset="affise"), "cpa.clawback") == "3"
    assert status_of(Endpoint(endpoint_id="t", preset="affise", statuses={"ftd": "5"}), "ftd") == "5"
    assert status_of(Endpoint(endpoint_id="t"), "no.such") == ""
    assert set(PRESETS) == {"keitaro", "affise", "binom", "voluum", "everflow", "tune"}
    assert preset_of("nobody") is preset_of("")


def test_keitaro_takes_only_its_four_transitions() -> None:
    """As its documents list them: lead to sale or rejected, sale and rebill to rejected."""
    keitaro = Endpoint(endpoint_id="t", preset="keitaro")
    words = ("lead", "sale", "rejected", "rebill")
    allowed = {(one, other) for one in words for other in words if may_follow(keitaro, one, other)}
    assert allowed == {("lead", "sale"), ("lead", "rejected"), ("sale", "rejected"), ("rebill", "rejected")}


def test_a_delivery_waits_from_when_its_event_was() -> None:
    """An hour's delay of an event at noon is due at one."""
    (delivery,) = fold(saved(delay_s=3_600), event("m"))
    draft = Draft.over({})
    waiting.keep(draft, delivery, Terms())
    key = waiting.waiting_key(delivery.delivery_id)
    assert draft.writes == {key: waiting.Waiting(delivery=delivery, due_at=NOON + timedelta(hours=1))}
    assert waiting.failing_key("t") == "f:t"


def test_an_endpoint_of_some_ibs_says_so() -> None:
    """Of IBs or of all below one."""
    assert Endpoint(endpoint_id="t", ibs=("a",)).is_for_some_ibs
    assert not Endpoint(endpoint_id="t").is_for_some_ibs
