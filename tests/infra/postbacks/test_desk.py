"""The desk of endpoints: what people decide counts in the order of the log, and secrets stay sealed."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from api.endpoints import EndpointRefused, ReplayWanted, UnknownEndpoint
from api.operators import NotAllowed, Operator
from api.postbacks.endpoints import Written
from commission.postbacks.records import DayEnded, Delivery, EndpointSaved
from infra.connect.sealing import SealingKeys, new_key
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.log import EndpointLog
from infra.postbacks.sealing import PURPOSE, keys_of
from schemas.errors import Unusable
from schemas.settings import OwnSettings
from schemas.wire import decode_batch, encode
from tests.api.receiver import receiving
from tests.endpoint_world import (
    ANNA,
    KEY,
    NOON,
    SECRET,
    MemoryLog,
    delivery,
    form,
    keys,
    memory_log,
    near,
)

VIEWER = Operator("vera", is_person=True, may_write=False)
ALWAYS = ReplayWanted("", NOON - timedelta(days=1), NOON + timedelta(days=1))


def desk(messages: list[bytes] | None = None, **more: object) -> EndpointDesk:
    """A desk at noon."""
    return EndpointDesk(memory_log(messages), keys, now=lambda: NOON, **more)  # type: ignore[arg-type]


def test_a_secret_is_made_and_told_once() -> None:
    """Whoever adds the endpoint has it for the receiver; nobody sees it after that, and the log has none."""
    messages: list[bytes] = []
    first = desk(messages)
    made = first.save(form("https://t.example/?token=s3cr3t-token&c={click_id}"), "", ANNA, is_new=True)
    assert made.secret.startswith("whsec_")
    assert first.get("t").secret == ""
    assert made.secret.encode() not in messages[0]
    assert b"s3cr3t-token" not in messages[0]
    assert first.listed()["t"].endpoint.shown_url == "https://t.example/?token=•••&c={click_id}"
    target = desk(messages).target(first.listed()["t"])  # another process opens them
    assert target.secrets.url == "https://t.example/?token=s3cr3t-token&c={click_id}"
    assert target.secrets.at(NOON) == (made.secret,)


def test_a_given_secret_is_not_told() -> None:
    """Whoever gave it has it."""
    assert desk().save(form(), SECRET, ANNA, is_new=True).secret == ""


def test_another_version_keeps_its_secret_or_takes_a_new_one() -> None:
    """A new one signs beside the old one for a day; for ed25519 an HMAC secret is of no use."""
    one = desk()
    one.save(form(), SECRET, ANNA, is_new=True)
    assert one.save(form("https://u.example/"), "", ANNA, is_new=False).secret == ""
    assert one.target(one.listed()["t"]).secrets.at(NOON) == (SECRET,)
    other = SECRET.replace("MDEy", "MTIz")
    one.save(form("https://u.example/"), other, ANNA, is_new=False)
    assert one.target(one.listed()["t"]).secrets.at(NOON) == (other, SECRET)
    turned = one.save(form("https://u.example/", signing="ed25519"), "", ANNA, is_new=False)
    assert turned.secret.startswith("whsk_")
    assert turned.public_key.startswith("whpk_")
    assert one.listed()["t"].saved.version == 4
    with pytest.raises(Unusable, match="not one of"):
        one.save(form(signing="ed25519"), SECRET, ANNA, is_new=False)


def test_a_secret_is_rotated() -> None:
    """Two sign for a day, then one."""
    one = desk()
    one.save(form(), SECRET, ANNA, is_new=True)
    fresh = one.rotate("t", "", ANNA).secret
    secrets = one.target(one.listed()["t"]).secrets
    assert secrets.at(NOON) == (fresh, SECRET)
    assert secrets.at(NOON + timedelta(days=1)) == (fresh,)


def test_nobody_decides_twice_or_without_being_allowed() -> None:
    """An id is for ever; a viewer looks; what is not there is not paused; the same state is none."""
    one = desk()
    one.save(form(), SECRET, ANNA, is_new=True)
    with pytest.raises(EndpointRefused, match="an id is for ever"):
        one.save(form(), SECRET, ANNA, is_new=True)
    with pytest.raises(UnknownEndpoint, match="there is no endpoint u"):
        one.set_state("u", "paused", "", ANNA)
    with pytest.raises(EndpointRefused, match="active already"):
        one.set_state("t", "active", "", ANNA)
    for refused in (
        lambda: one.save(form(id="v"), SECRET, VIEWER, is_new=True),
        lambda: one.set_state("t", "paused", "", VIEWER),
        lambda: one.rotate("t", "", VIEWER),
        lambda: one.test("t", "ftd", VIEWER),
        lambda: one.replay("t", ALWAYS, VIEWER),
    ):
        with pytest.raises(Unusable):
            refused()


def test_of_two_at_once_the_first_counts() -> None:
    """The order of the log decides; the other one is told."""
    messages: list[bytes] = []
    log = MemoryLog(messages)
    mine, theirs = EndpointDesk(EndpointLog(log), keys), desk(messages)
    mine.save(form(), SECRET, ANNA, is_new=True)
    log.before_append = lambda: theirs.set_state("t", "paused", "", ANNA) and None
    with pytest.raises(EndpointRefused, match="paused already; somebody else was first"):
        mine.set_state("t", "paused", "", ANNA)
    log.before_append = lambda: theirs.save(form("https://u.example/"), "", ANNA, is_new=False) and None
    with pytest.raises(EndpointRefused, match="somebody"):
        mine.save(form("https://v.example/"), "", ANNA, is_new=False)
    assert mine.listed()["t"].endpoint.shown_url == "https://u.example/"


def test_private_addresses_are_the_files_business() -> None:
    """Over the API a person could look around inside."""
    with pytest.raises(Unusable, match="allow_private"):
        desk().save(near("http://127.0.0.1:1/"), SECRET, ANNA, is_new=True)


def test_a_file_is_loaded_once(caplog: pytest.LogCaptureFixture) -> None:
    """The second start changes nothing; a change is a version; what a person removed stays removed."""
    messages: list[bytes] = []
    one = desk(messages)
    written = [Written(near("http://127.0.0.1:1/"), SECRET)]
    assert [one.load(written), one.load(written), len(messages)] == [1, 0, 1]
    assert one.load([Written(near("http://127.0.0.1:2/"), SECRET)]) == 1
    assert one.listed()["t"].saved.by == "the file of endpoints"
    one.set_state("t", "removed", "", ANNA)
    with caplog.at_level(logging.WARNING, "ibflow.postbacks"):
        assert one.load(written) == 0
    assert "the file does not bring it back" in caplog.text


def test_a_preview_shows_what_would_be_sent_without_tokens() -> None:
    """A sample event: its ids say that it is one."""
    one = desk()
    one.save(form("https://t.example/key?token=s3cr3t-token", preset="keitaro"), SECRET, ANNA, is_new=True)
    assert one.preview("t", "ftd").url == "https://t.example/key?token=…"
    one.save(form("https://t.example/key", preset="keitaro"), "", ANNA, is_new=False)
    assert one.preview("t", "cpa.clawback").url == (
        "https://t.example/key?subid=test-click&status=rejected&payout=100&currency=USD&tid=test-cpa"
    )
    with pytest.raises(Unusable, match="the event is one of registration"):
        one.preview("t", "bonus")


def test_a_sample_is_sent_and_recorded_nowhere() -> None:
    """What came of it is the answer."""
    with receiving() as receiver:
        one = desk(may_be_private=True)
        one.save(near(receiver.url + "/p", preset="keitaro"), SECRET, ANNA, is_new=True)
        made = one.test("t", "registration", ANNA)
    assert (made.outcome, made.http_status, made.answer) == ("delivered", 200, "ok")
    target = "/p?subid=test-click&status=lead&payout=&currency=&tid=test-registration"
    assert receiver.seen[0].target == target


def test_what_was_due_is_asked_for_again() -> None:
    """Under the event's own id, as another delivery; bounded, and not where nothing is sent."""
    stored = [encode([delivery(number)])[0].decode() for number in (1, 2)]
    published: list[Delivery] = []
    one = desk(stored=lambda *_: stored, publish=published.extend)
    one.save(form(), SECRET, ANNA, is_new=True)
    assert one.replay("t", ALWAYS, ANNA) == 2
    assert [again.event.milestone_id for again in published] == ["mc-1-1", "mc-1-2"]
    assert {again.replay for again in published} == {f"anna {NOON.isoformat()}"}
    assert published[0].delivery_id != delivery(1).delivery_id
    with pytest.raises(EndpointRefused, match="over 1 events are due again; ask for a shorter time"):
        one.replay("t", replace(ALWAYS, most=1), ANNA)
    one.set_state("t", "disabled", "", ANNA)
    with pytest.raises(EndpointRefused, match="is disabled; resume it first"):
        one.replay("t", ALWAYS, ANNA)


def test_without_the_key_nothing_opens() -> None:
    """None configured, another one, or a seal moved to another endpoint."""
    messages: list[bytes] = []
    desk(messages).save(form(), SECRET, ANNA, is_new=True)
    for open_keys, why in (
        (keys_of(OwnSettings()), "ibflow endpoints key"),
        (lambda: SealingKeys.from_text(PURPOSE, new_key()), "which is not given"),
    ):
        with pytest.raises(Unusable, match=why):
            EndpointDesk(memory_log(messages), open_keys).get("t")
    (saved,) = decode_batch(messages[0])
    assert isinstance(saved, EndpointSaved)
    moved = saved.endpoint.__class__(endpoint_id="u")
    record = EndpointSaved(endpoint=moved, version=1, sealed=saved.sealed, by="eve", at=NOON)
    with pytest.raises(Unusable, match="endpoint u: version 1 was changed"):
        desk([encode([record])[0]]).get("u")


def test_what_is_no_record_of_endpoints_is_passed_over() -> None:
    """Garbage, and records of other kinds."""
    one = desk([b"garbage", encode([delivery()])[0]])
    assert one.listed() == {}


def test_a_day_is_ended_once_and_only_where_somebody_waits_for_it() -> None:
    """An hour after midnight in UTC; another server that has not read the log yet writes no second record."""
    messages: list[bytes] = []
    clock = NOON
    one, other = (EndpointDesk(memory_log(messages), keys, now=lambda: clock) for _ in range(2))
    one.save(form(), SECRET, ANNA, is_new=True)
    assert one.end_day() is False  # nothing is sent by day
    one.save(form(events=["trade.closed"], trades="daily"), "", ANNA, is_new=False)
    other.listed()
    assert (one.end_day(), one.end_day(), other.end_day()) == (True, False, False)
    clock = NOON.replace(day=2, hour=0, minute=59)
    assert one.end_day() is False  # the first may still be told
    clock = NOON.replace(day=2, hour=1)
    assert one.end_day() is True
    days = [r.day for m in messages for r in decode_batch(m) if isinstance(r, DayEnded)]
    assert days == ["2026-08-31", "2026-09-01"]
    one.set_state("t", "removed", "", ANNA)
    clock = NOON.replace(day=3)
    assert one.end_day() is False


def test_after_a_change_of_keys_the_old_one_can_go() -> None:
    """Endpoints stand as they stood, paused ones too; a crash in between leaves the rest to the next time."""
    messages: list[bytes] = []
    newer = new_key()
    first = desk(messages)
    for name in "abc":
        first.save(form(f"https://{name}.example/", id=name), SECRET, ANNA, is_new=True)
    first.set_state("b", "paused", "", ANNA)
    first.save(form(id="gone"), SECRET, ANNA, is_new=True)
    first.set_state("gone", "removed", "", ANNA)
    log_ = MemoryLog(messages)
    both = EndpointDesk(
        EndpointLog(log_), lambda: SealingKeys.from_text(PURPOSE, f"{newer},{KEY}"), now=lambda: NOON
    )
    written = len(messages)

    def crash() -> None:
        if len(messages) > written:
            raise OSError("the process is gone")
        log_.before_append = crash

    log_.before_append = crash
    with pytest.raises(OSError, match="gone"):
        both.reseal(ANNA)
    assert len(messages) == written + 1  # one was written, the second was not
    with pytest.raises(NotAllowed):
        both.reseal(VIEWER)
    assert [both.reseal(ANNA) for _ in range(2)] == [(2, 0), (0, 0)]
    after = EndpointDesk(memory_log(messages), lambda: SealingKeys.from_text(PURPOSE, newer))
    for name in "abc":
        target = after.target(after.listed()[name])
        assert (target.secrets.url, target.secrets.at(NOON)) == (f"https://{name}.example/", (SECRET,))
    assert [one.state for one in after.listed().values()] == ["active", "paused", "active", "removed"]
