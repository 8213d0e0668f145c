"""A limit per approver: of a batch's file, and of a balance changed by hand.

September pays north 12.34 USD with 19 % VAT, so 14.68, and north is given 20 by hand.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from api.payouts import PayoutRefused
from commission.payouts.tax import Tax
from infra.payouts.approvers import Approvers
from infra.payouts.changes import ChangeDesk
from infra.payouts.desk import PayoutDesk
from schemas.errors import Unusable
from schemas.payouts import BatchRequest, ChangeRequest
from tests.build import D, ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_log import MemoryLog
from tests.payout_world import ANN, BEN, CAT, World


def approvers(folder: Path, text: str) -> Approvers:
    """Those of a file."""
    (folder / "a.yaml").write_text(text)
    return Approvers.read(folder / "a.yaml")


@pytest.fixture
def world() -> World:
    """September is closed."""
    world = World(*MONTHS, partner("north USD"))
    world.feed([earned("12.34", ib_id="north", credit="ib:north:pending"), ended("2026-09")])
    world.pay_in("north", "", Tax(kind="vat", percent=D(19)))
    return world


def test_a_batch_is_approved_by_whom_its_file_is_not_too_much(world: World, tmp_path: Path) -> None:
    """14.68 are: more than ben's 14.67, none of cat's dollars; dan's 14.68 are enough."""
    known = approvers(
        tmp_path,
        "approvers: [{name: Ben, up_to: {USD: 14.67}}, {name: cat, up_to: {EUR: 99}}, {name: ann}]",
    )
    desk = PayoutDesk(
        MemoryLog(world.messages),
        world,
        world.publish,
        world.tick,
        payees=lambda: world.payees,
        approvers=known,
    )
    batch_id = desk.create(BatchRequest(period="2026-09", currency="USD"), BEN, "").batch_id
    desk.submit(batch_id, BEN)
    with pytest.raises(
        PayoutRefused, match=r"ben approves up to 14.67 USD, and this is 14.68: another person"
    ):
        desk.approve(batch_id, BEN)
    with pytest.raises(PayoutRefused, match=r"cat approves up to 0.00 USD"):
        desk.approve(batch_id, CAT)
    assert desk.approve(batch_id, ANN).state == "approved"
    assert desk.approve(batch_id, ANN).state == "approved"


def test_a_balance_is_changed_by_whom_it_is_not_too_much(world: World, tmp_path: Path) -> None:
    """20 taken away are 20; a rejection is anybody's."""
    known = approvers(tmp_path, "approvers: [{name: ben, up_to: {USD: 19.99}}, {name: ann}]")
    desk = ChangeDesk(MemoryLog(world.messages), world, world.publish, world.tick, approvers=known)
    wanted = ChangeRequest(kind="adjustment", ib="north", currency="USD", amount="-20", reason="agreed")
    change_id = desk.ask(wanted, CAT, "").change.asked.change_id
    with pytest.raises(PayoutRefused, match=r"ben approves up to 19.99 USD, and this is 20.00"):
        desk.decide(change_id, BEN, "", is_approved=True)
    assert desk.decide(change_id, ANN, "", is_approved=True).answer == ""
    other = desk.ask(wanted, ANN, "").change.asked.change_id
    with pytest.raises(
        PayoutRefused, match="cat approves no payouts: IBFLOW_APPROVERS_FILE does not name cat"
    ):
        desk.decide(other, CAT, "", is_approved=True)
    assert desk.decide(other, CAT, "", is_approved=False).change.state == "rejected"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("approvers: []", "a.yaml: approvers: "),
        ("approvers: [{name: ben, limit: 3}]", "a.yaml: approvers.0.limit: "),
        ("approvers: [{name: ben, up_to: {USD: -1}}]", "a.yaml: approvers.0.up_to.USD: "),
        ("approvers: [{name: ben, up_to: {USD: .nan}}]", "a.yaml: approvers.0.up_to.USD: "),
        ("approvers: [{name: ben}, {name: Ben}]", "a.yaml names somebody twice"),
        ("approvers: [", "a.yaml is not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_said(tmp_path: Path, text: str, why: str) -> None:
    """With its place."""
    with pytest.raises(Unusable, match=why):
        approvers(tmp_path, text)


def test_without_a_file_anybody_approves_anything() -> None:
    """And one that is not there is said."""
    Approvers.read(None).check("anybody", Decimal(10) ** 12, "USD")
    with pytest.raises(Unusable, match=r"nowhere.yaml cannot be read"):
        Approvers.read(Path("/nowhere.yaml"))
