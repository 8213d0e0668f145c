"""A batch from its creation to its results, over the books: what people do, and a process that ends anywhere.

September pays north 12.34 USD, south 9.00 USD, and west 2.00 USD, whose KYC is open.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from api.operators import NotAllowed, Operator
from api.payouts import PayoutRefused, UnknownBatch
from commission.payouts.batch import Batch
from commission.payouts.batch_commands import commands
from commission.payouts.records import Outcome
from infra.payout_files.order import WrittenFile
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import unanswered
from infra.payouts.files import Files
from schemas.payouts import BatchRequest
from schemas.wire import Record, decode, encode
from tests.build import D, ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.commission.partner.payout_commands import change, hold
from tests.payout_world import ANN, BEN, CAT, Killed, World, result

IBS = ("north", "south", "west")
WANTED = BatchRequest(period="2026-09", currency="USD")


def of(ib_id: str, amount: str, **fields: Any) -> Record:
    """What an IB earned."""
    return earned(
        amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=f"{ib_id} {amount}", **fields
    )


@pytest.fixture
def world() -> World:
    """September is closed."""
    world = World(*MONTHS, *(partner(f"{ib_id} USD") for ib_id in IBS))
    world.feed([of("north", "12.34"), of("south", "9"), of("west", "2"), ended("2026-09")])
    world.closed_kyc = {"west"}
    return world


def line_of(batch: Batch, ib_id: str) -> str:
    """The id of an IB's line."""
    return next(line.line_id for line in batch.lines.values() if line.ib_id == ib_id)


def approved(desk: PayoutDesk, key: str = "") -> str:
    """A batch that ann made and ben approved."""
    batch_id = desk.create(WANTED, ANN, key).batch_id
    desk.submit(batch_id, ANN)
    return desk.approve(batch_id, BEN).batch_id


def states(batch: Batch) -> dict[str, str]:
    """IB → where its line is."""
    return {line.ib_id: batch.state_of(line_id) for line_id, line in batch.lines.items()}


def accounts(world: World) -> dict[str, str]:
    """The IBs' dollars: `{"north:paid": "12.34 USD"}`."""
    return {name.removeprefix("ib:"): amount for name, amount in world.told.owed.items()}


def test_a_batch_is_made_approved_exported_and_paid(world: World) -> None:
    """North's and south's are in the file, 21.34 together; north's is paid, south's bounces."""
    desk = world.desk()
    batch = desk.create(WANTED, ANN, "")
    assert states(batch) == {"north": "included", "south": "included", "west": "excluded"}
    assert batch.total == D("21.34")
    assert batch.status[line_of(batch, "west")].reason == "the IB's KYC is open"
    desk.submit(batch.batch_id, ANN)
    assert accounts(world)["north:payable"] == "12.34 USD"
    desk.approve(batch.batch_id, BEN)
    assert accounts(world) == {
        "north:in_payout": "12.34 USD",
        "south:in_payout": "9.00 USD",
        "west:payable": "2.00 USD",
    }
    batch, file = desk.export(batch.batch_id, "csv", "", CAT)
    north, south = line_of(batch, "north"), line_of(batch, "south")
    assert file.body.decode() == (
        "end_to_end_id,payee,account_holder,method,bank_or_network,account,amount,currency,remittance\r\n"
        f"{north},north,,,,,12.34,USD,Commission 2026-09 north\r\n"
        f"{south},south,,,,,9.00,USD,Commission 2026-09 south\r\n"
        "TOTAL,2 lines,,,,,21.34,USD,\r\n"
    )
    assert batch.exports == {"csv": sha256(file.body).hexdigest()}
    bank = [result(north, "settled"), result(south, "rejected", "AC04"), result("no-line", "settled")]
    found = desk.import_results(bank, "camt.054 of the 3rd", CAT)
    assert (found.recorded, found.repeated) == (2, 0)
    assert [one[:2] for one in found.refused] == [("no-line", "no line has this id")]
    assert accounts(world) == {
        "north:paid": "12.34 USD",
        "south:payable": "9.00 USD",
        "west:payable": "2.00 USD",
    }
    again = desk.import_results(bank, "the same file", BEN)
    assert (again.recorded, again.repeated, len(again.refused)) == (0, 2, 1)
    second = desk.create(WANTED, ANN, "")
    assert states(second) == {"south": "included", "west": "excluded"}


def test_what_a_line_has_no_room_for_is_in_the_next_batch(world: World) -> None:
    """999 advances of 1.00, with ids of 64 characters: one lock of all would be too large a record.

    In the order they are told, the statement first: 12.34 + 499 = 511.34, then 500.
    """
    for n in range(999):
        command = change("advance 1 USD", ib_id="north", change_id=f"{n:0>64}")
        world.feed([command])
    totals = []
    for _ in range(2):
        batch_id = approved(world.desk())
        batch, _ = world.desk().export(batch_id, "csv", "", CAT)
        totals.append((batch.lines[line_of(batch, "north")].amount, batch.over_limit))
        locks = [one for one in commands(batch) if one.ib_id == "north"]
        assert [decode(line) for line in encode(locks)] == locks
    assert totals == [(D("511.34"), 1), (D("500"), 0)]
    assert accounts(world)["north:in_payout"] == "1011.34 USD"


def test_a_key_makes_one_batch_of_one_content(world: World) -> None:
    """With 10 as its least, south's 9 would be left out: another batch than the key has made."""
    desk = world.desk()
    first = desk.create(WANTED, ANN, "k")
    assert desk.create(WANTED.model_copy(update={"minimum": "0.00"}), ANN, "k") == first
    for other in ({"minimum": "10"}, {"currency": "EUR"}, {"period": "2026-10"}):
        with pytest.raises(
            PayoutRefused, match=f"this Idempotency-Key made {first.batch_id} of other content"
        ):
            desk.create(WANTED.model_copy(update=other), ANN, "k")
    assert states(desk.get(first.batch_id))["south"] == "included"


def test_the_file_is_the_same_bytes_again_and_asks_why(world: World) -> None:
    """Also after a line of it came back."""
    desk = world.desk()
    batch_id = approved(desk)
    batch, file = desk.export(batch_id, "csv", "", CAT)
    with pytest.raises(PayoutRefused, match="given out before: say why once more"):
        desk.export(batch_id, "csv", " ", CAT)
    desk.import_results([result(line_of(batch, "south"), "rejected", "AC04")], "file", CAT)
    again, same = desk.export(batch_id, "csv", "the bank's portal lost it", BEN)
    assert same == file
    assert [(step.by, step.reason) for step in again.steps if step.what == "exported"] == [
        ("cat", "csv"),
        ("ben", "csv: the bank's portal lost it"),
    ]
    with pytest.raises(PayoutRefused, match="no format is called xls; there are bridge, csv, nacha, "):
        desk.export(batch_id, "xls", "", CAT)


def test_a_file_that_became_another_is_not_given_out(world: World) -> None:
    """A writer that changed with a version of ibflow: the bank may have the first."""
    batch_id = approved(world.desk())
    world.desk().export(batch_id, "csv", "", CAT)

    class Other(Files):
        """Writes something else."""

        def write(self, _batch: Batch, _form: str) -> WrittenFile:
            """The same for all."""
            return WrittenFile("other.csv", b"other")

    newer = PayoutDesk(world.desk()._log, world, world.publish, world.tick, Other())
    with pytest.raises(PayoutRefused, match="its csv file was another when it was given out first"):
        newer.export(batch_id, "csv", "again", CAT)


def test_what_the_books_refuse_is_left_out_with_their_reason(world: World) -> None:
    """South is held after the batch was made: its line is refused, and north's alone is in the file."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "").batch_id
    world.feed([hold(ib_id="south")])
    desk.submit(batch_id, ANN)
    desk.approve(batch_id, BEN)
    batch, file = desk.export(batch_id, "csv", "", CAT)
    assert states(batch) == {"north": "included", "south": "refused", "west": "excluded"}
    assert batch.status[line_of(batch, "south")].reason == "ann holds payouts to south: fraud?"
    assert (b"south" in file.body, b"TOTAL,1 line,,,,,12.34,USD" in file.body) == (False, True)


def test_nothing_is_exported_before_every_line_is_locked(world: World) -> None:
    """The ledger lags: once it tells the answers, the file is given out, and the books have locked once."""
    desk = world.desk()
    batch_id = approved(desk)
    world.is_stored = False
    with pytest.raises(PayoutRefused, match="2 of 2 lines are not locked yet; export again in a moment"):
        desk.export(batch_id, "csv", "", CAT)
    world.is_stored = True
    desk.export(batch_id, "csv", "", CAT)
    assert [row.code for row in world.told.transfers if row.code == "payout"] == ["payout"] * 2


def test_a_batch_that_the_books_refuse_whole_is_cancelled(world: World) -> None:
    """Both are held: there is no file."""
    desk = world.desk()
    batch_id = approved(desk)
    desk.cancel(batch_id, "wrong month", ANN)
    world.feed([hold(ib_id="north"), hold(ib_id="south")])
    second = approved(desk)
    with pytest.raises(PayoutRefused, match="the books refused every line: there is nothing to pay"):
        desk.export(second, "csv", "", CAT)
    assert desk.cancel(second, "held", BEN).state == "cancelled"
    assert accounts(world)["north:payable"] == "12.34 USD"


def test_people_do_one_half_each(world: World) -> None:
    """Who made, changed or submitted a batch does not approve it; only named operators do anything."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "").batch_id
    desk.exclude(batch_id, ["south"], "disputed", BEN)
    desk.submit(batch_id, CAT)
    for who in (ANN, BEN, CAT, Operator(" ANN ", is_person=True)):
        with pytest.raises(PayoutRefused, match="had a hand in it; another person approves it"):
            desk.approve(batch_id, who)
    for who in (Operator("shared token"), Operator("eve", is_person=True, may_write=False)):
        for attempt in (
            lambda who=who: desk.approve(batch_id, who),
            lambda who=who: desk.create(WANTED, who, ""),
            lambda who=who: desk.export(batch_id, "csv", "", who),
            lambda who=who: desk.import_results([], "x", who),
            lambda who=who: desk.exclude(batch_id, ["north"], "x", who),
            lambda who=who: desk.cancel(batch_id, "x", who),
            lambda who=who: desk.resume(batch_id, who),
        ):
            with pytest.raises(NotAllowed):
                attempt()
    assert desk.approve(batch_id, Operator("dan", is_person=True)).state == "approved"


def test_who_recorded_that_a_payment_came_back_does_not_approve_the_next(world: World) -> None:
    """Ben recorded it, which makes it payable; somebody else looks whether the money is out."""
    desk = world.desk()
    first = approved(desk)
    desk.export(first, "csv", "", CAT)
    desk.import_results([result(line_of(desk.get(first), "north"), "rejected", "AC04")], "bank", BEN)
    again = desk.create(WANTED, ANN, "again").batch_id
    desk.submit(again, ANN)
    with pytest.raises(PayoutRefused, match="ben recorded that north was not paid; another person approves"):
        desk.approve(again, BEN)
    desk.approve(again, CAT)
    assert world.told.owed["ib:north:in_payout"] == "12.34 USD"


def test_a_repeated_request_is_answered_and_does_nothing(world: World) -> None:
    """By its key, or by the same person: as after an answer that was lost."""
    desk = world.desk()
    first, again = (desk.create(WANTED, ANN, "key-1") for _ in range(2))
    assert first == again
    with pytest.raises(PayoutRefused, match=r"this Idempotency-Key made b-.* of other content before"):
        desk.create(BatchRequest(period="2026-10", currency="USD"), ANN, "key-1")
    for _ in range(2):
        desk.exclude(first.batch_id, ["south"], "disputed", ANN)
    for _ in range(2):
        desk.submit(first.batch_id, ANN)
    for _ in range(2):
        desk.approve(first.batch_id, BEN)
    assert [step.what for step in desk.get(first.batch_id).steps] == [
        "created", "excluded", "submitted", "approved",
    ]  # fmt: skip
    with pytest.raises(PayoutRefused, match="is approved: what is submitted is approved, once"):
        desk.approve(first.batch_id, CAT)


def test_no_line_is_in_two_batches(world: World) -> None:
    """Nor is there one for a statement that was paid; an IB that is cancelled out of one is in the next."""
    desk = world.desk()
    first = desk.create(WANTED, ANN, "").batch_id
    desk.exclude(first, ["south"], "disputed", ANN)
    second = desk.create(WANTED, BEN, "")
    assert states(second) == {"south": "included", "west": "excluded"}
    with pytest.raises(PayoutRefused) as refused:
        desk.create(WANTED, CAT, "")
    assert str(refused.value) == (
        "2026-09 has no line in USD that may be paid; in a batch already: "
        f"{first}, {second.batch_id}; left out 1: the IB's KYC is open"
    )
    desk.cancel(first, "wrong month", ANN)
    assert states(desk.create(WANTED, CAT, "")) == {"north": "included", "west": "excluded"}
    assert [batch.state for batch in desk.newest("2026-09")] == ["created", "created", "cancelled"]
    assert desk.newest("2026-10") == []


def test_a_minimum_leaves_small_lines_for_later(world: World) -> None:
    """Of 12.34 and 9.00, under 10: south waits, and is paid by a batch without one."""
    desk = world.desk()
    batch = desk.create(BatchRequest(period="2026-09", currency="USD", minimum="10"), ANN, "")
    assert batch.status[line_of(batch, "south")].reason == "below the minimum of 10.00 USD"
    assert states(desk.create(WANTED, ANN, ""))["south"] == "included"


def test_more_lines_than_a_batch_holds_wait_for_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fits: of three, two are over the limit, counted, and north's is in no other."""
    monkeypatch.setattr("infra.payouts.choosing.MAX_LINES", 1)
    first = world.desk().create(WANTED, ANN, "")
    assert (states(first), first.over_limit) == ({"north": "included"}, 2)
    assert states(world.desk().create(WANTED, ANN, "")) == {"south": "included"}
    world.desk().cancel(first.batch_id, "too small", ANN)
    monkeypatch.setattr("infra.payouts.choosing.MAX_LINES", 3)
    monkeypatch.setattr("infra.payouts.choosing.MAX_RECORD_BYTES", 2_150)  # and 2,000 are for its head
    second = world.desk().create(WANTED, ANN, "")
    assert (states(second), second.over_limit) == ({"north": "included"}, 1)


def test_results_of_a_line_follow_each_other(world: World) -> None:
    """Unknown, then settled, then back; settled again it would be paid twice, and is listed instead."""
    desk = world.desk()
    batch, _ = desk.export(approved(desk), "csv", "", CAT)
    north = line_of(batch, "north")
    told: tuple[Outcome, ...] = ("unknown", "settled", "rejected", "settled")
    in_turn = [result(north, outcome, "AC04") for outcome in told]
    found = desk.import_results(in_turn, "four messages", CAT)
    assert found.recorded == 3
    ((line_id, why, is_danger),) = found.refused
    assert (line_id, why, is_danger) == (
        north, "the line is rejected, and cannot become settled; if it was paid, it may be paid twice", True,
    )  # fmt: skip
    assert accounts(world)["north:payable"] == "12.34 USD"
    west = desk.import_results([result(line_of(batch, "west"), "settled")], "x", CAT)
    assert west.refused[0].why == "the line is excluded, and cannot become settled"


def test_what_is_out_of_turn_is_refused_with_a_reason(world: World) -> None:
    """Each step has its time."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "").batch_id
    north = line_of(desk.get(batch_id), "north")

    def refused(attempt: Callable[[], object], why: str) -> None:
        with pytest.raises(PayoutRefused, match=why):
            attempt()

    refused(lambda: desk.exclude(batch_id, ["x"], "why", ANN), "has no line of x")
    refused(lambda: desk.exclude(batch_id, ["north"], " ", ANN), "there is no reason")
    refused(lambda: desk.approve(batch_id, BEN), "is created: what is submitted is approved")
    refused(lambda: desk.export(batch_id, "csv", "", BEN), "is created: what is approved is exported")
    refused(lambda: desk.cancel(batch_id, " ", BEN), "say why it is cancelled")
    early = desk.import_results([result(north, "settled")], "x", CAT)
    assert "nothing of it was given out" in early.refused[0].why
    desk.submit(batch_id, ANN)
    refused(lambda: desk.submit(batch_id, BEN), "is submitted: it is submitted once")
    refused(lambda: desk.exclude(batch_id, ["north"], "why", ANN), "its lines change no more")
    desk.approve(batch_id, BEN)
    desk.export(batch_id, "csv", "", CAT)
    refused(
        lambda: desk.cancel(batch_id, "why", ANN), "its file may be paid by: import what became of its lines"
    )
    with pytest.raises(UnknownBatch):
        desk.get("b-none")
    desk.import_results([result(north, "rejected")], "x", CAT)
    rest = desk.create(WANTED, ANN, "").batch_id
    desk.exclude(rest, ["north"], "why", ANN)
    refused(lambda: desk.submit(rest, ANN), "every line is excluded")
    desk.cancel(rest, "empty", ANN)
    refused(lambda: desk.cancel(rest, "empty", BEN), "is cancelled: once is enough")


# A process that ends anywhere


def life(world: World, desk: PayoutDesk, way: str) -> None:
    """A batch, or what is left of it to do: to its results, or cancelled after it was approved."""
    batch_id = desk.create(WANTED, ANN, "september").batch_id
    if desk.get(batch_id).state == "created":
        desk.submit(batch_id, ANN)
    if desk.get(batch_id).state in ("submitted", "approved"):
        desk.approve(batch_id, BEN)
    if way == "cancelled":
        desk.cancel(batch_id, "wrong month", ANN)
        return
    batch, _ = desk.export(batch_id, "csv", "the first answer was lost", CAT)
    bank = [result(line_of(batch, "north"), "settled"), result(line_of(batch, "south"), "rejected", "AC04")]
    desk.import_results(bank, "camt", CAT)


def closed_september() -> World:
    """The books as in `world`, west is held."""
    world = World(*MONTHS, *(partner(f"{ib_id} USD") for ib_id in IBS))
    world.feed(
        [of("north", "12.34"), of("south", "9"), of("west", "2"), ended("2026-09"), hold(ib_id="west")]
    )
    return world


@pytest.mark.parametrize("way", ["paid", "cancelled"])
def test_a_process_killed_before_any_effect_goes_on_where_it_stopped(way: str) -> None:
    """Killed at each effect in turn, a new process does the same again: the same rows, lines and files.

    north's 12.34 are paid, south's 9.00 come back, west's 2.00 are held; or all are payable again.
    """
    undisturbed = closed_september()
    life(undisturbed, undisturbed.desk(), way)
    expected = accounts(undisturbed)
    assert (
        expected
        == {
            "paid": {"north:paid": "12.34 USD", "south:payable": "9.00 USD", "west:payable": "2.00 USD"},
            "cancelled": {
                "north:payable": "12.34 USD",
                "south:payable": "9.00 USD",
                "west:payable": "2.00 USD",
            },
        }[way]
    )
    effects = undisturbed.effects
    assert len(effects) == {"paid": 18, "cancelled": 14}[way]
    for number, name in enumerate(effects):
        world = closed_september()
        world.kill_at = number
        with pytest.raises(Killed, match=name):
            life(world, world.desk(), way)
        life(world, world.desk(), way)
        assert accounts(world) == expected, name
        (batch,), (other,) = (one.known().batches.values() for one in (world, undisturbed))
        assert (states(batch), len(batch.exports)) == (states(other), len(other.exports))
        assert unanswered(world, batch) == []
        ids = [row.transfer_id for row in world.told.transfers]
        assert len(set(ids)) == len(ids)


def test_what_a_crash_left_uncommanded_is_resumed(world: World) -> None:
    """Killed between the record and the commands: `resume` writes them, and nothing the second time."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "").batch_id
    desk.submit(batch_id, ANN)
    world.kill_at = len(world.effects) + 3  # the record, before and after it; then half of the commands
    with pytest.raises(Killed):
        desk.approve(batch_id, BEN)
    later = world.desk()
    assert [later.resume(batch_id, CAT) for _ in range(2)] == [1, 0]
    assert accounts(world)["south:in_payout"] == "9.00 USD"
