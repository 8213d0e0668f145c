"""Lines of IBs that the broker bills itself: with tax in the file, and a number once, whatever happens.

September pays north 12.34 USD with 19 % VAT (2.34: 14.68), and south 9.00 less 10 % (0.90: 8.10).
"""

from decimal import Decimal

import pytest

from api.payouts import PayoutRefused
from api.views.payouts import invoice_view
from commission.payouts.tax import Tax
from schemas.payouts import BatchRequest, ChangeRequest
from tests.build import D, at, ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import ANN, BEN, CAT, Killed, World, result

WANTED = BatchRequest(period="2026-09", currency="USD")
VAT, KEPT = Tax(kind="vat", percent=D(19)), Tax(kind="withholding", percent=D(10))


def closed() -> World:
    """September is closed."""
    world = World(*MONTHS, partner("north USD"), partner("south USD"))
    for ib_id, amount in (("north", "12.34"), ("south", "9")):
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
    world.feed([ended("2026-09")])
    world.pay_in("north", "", VAT)
    world.pay_in("south", "", KEPT)
    return world


def approved(world: World, key: str = "") -> str:
    """A batch that ann made and ben approved."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, key).batch_id
    if desk.get(batch_id).state == "created":
        desk.submit(batch_id, ANN)
    if desk.get(batch_id).state in ("submitted", "approved"):
        desk.approve(batch_id, BEN)
    return batch_id


def numbers(world: World) -> dict[str, str]:
    """IB → the number of its invoice."""
    return {one.line.ib_id: one.text for one in world.known().invoices.issued}


def test_the_file_pays_with_tax_and_each_line_has_a_number() -> None:
    """14.68 + 8.10 = 22.78; of what is owed 21.34; paid, the IBs have it, and the tax its accounts."""
    world = closed()
    batch, file = world.desk().export(approved(world), "csv", "", CAT)
    north, south = batch.paid_lines
    assert (batch.paid(north), batch.paid(south), batch.total) == (D("14.68"), D("8.10"), D("21.34"))
    for text in (b",14.68,USD,", b",8.10,USD,", b"TOTAL,2 lines,,,,,22.78,USD"):
        assert text in file.body
    assert numbers(world) == {"north": "SB-2026-000001", "south": "SB-2026-000002"}
    world.desk().import_results([result(one.line_id, "settled") for one in (north, south)], "camt", CAT)
    found = {name: text for name, text in world.told.balances.items() if "expense" not in name}
    assert found == {
        "broker:tax:vat": "-2.34 USD", "broker:tax:withholding": "0.90 USD",
        "ib:north:paid": "14.68 USD", "ib:south:paid": "8.10 USD",
    }  # fmt: skip


def test_a_line_that_comes_back_keeps_its_number_and_its_rule() -> None:
    """Though north has none any more, and was given 5 in advance: those are in the batch after that."""
    world = closed()
    world.now = at(10)
    changes = world.change_desk()
    batch, _ = world.desk().export(approved(world), "csv", "", CAT)
    first = next(line for line in batch.paid_lines if line.ib_id == "north")
    world.desk().import_results([result(first.line_id, "rejected", "AC04")], "camt", CAT)
    world.pay_in("north", "")
    wanted = ChangeRequest(kind="advance", ib="north", currency="USD", amount="5", reason="agreed")
    changes.decide(changes.ask(wanted, ANN, "").change.asked.change_id, BEN, "", is_approved=True)
    second, file = world.desk().export(approved(world), "csv", "", CAT)
    (line,) = second.paid_lines
    assert (line.statement_ids, line.tax, second.over_limit) == (first.statement_ids, VAT, 1)
    assert b",14.68,USD," in file.body
    (line,) = world.desk().get(approved(world)).paid_lines
    assert (line.amount, line.tax) == (D(5), None)
    assert numbers(world) == {"north": "SB-2026-000001", "south": "SB-2026-000002"}
    told = invoice_view(world.known(), world.known().invoices.issued[0])
    assert (told["batch_id"], told["number"]) == (second.batch_id, "SB-2026-000001")
    assert (told["amount"], told["tax"], told["due"]) == (D("12.34"), D("2.34"), D("14.68"))
    assert told["tax_label"] == "VAT 19 %"


def test_a_rule_that_changed_is_not_paid_by_the_batch() -> None:
    """Between its creation and its approval."""
    world = closed()
    batch_id = world.desk().create(WANTED, ANN, "").batch_id
    world.desk().submit(batch_id, ANN)
    world.pay_in("north", "", KEPT)
    with pytest.raises(
        PayoutRefused, match="the currency or tax of north is another since the batch was made"
    ):
        world.desk().approve(batch_id, BEN)


def test_a_process_killed_before_any_effect_bills_each_line_once() -> None:
    """Killed at each effect of making and exporting in turn, and done again: the same two numbers."""

    def life(world: World) -> None:
        world.desk().export(approved(world, "september"), "csv", "the first answer was lost", CAT)

    undisturbed = closed()
    life(undisturbed)
    assert "after invoices_issued" in undisturbed.effects
    for number, name in enumerate(undisturbed.effects):
        world = closed()
        world.kill_at = number
        with pytest.raises(Killed, match=name):
            life(world)
        life(world)
        assert numbers(world) == {"north": "SB-2026-000001", "south": "SB-2026-000002"}, name
        (batch,) = world.known().batches.values()
        assert sum(map(batch.paid, batch.paid_lines), Decimal(0)) == D("22.78")
