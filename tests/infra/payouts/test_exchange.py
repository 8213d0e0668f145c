"""Batches that pay another currency than they owe: whom, by which rate, and what the file and the bank say.

September pays north 12.34 USD and south 9.00. North is paid in euros, at 1.2 dollars to the euro since the
first of September: 12.34 / 1.2 = 10.2833…, so 10.28 EUR. South is paid as it is owed.
"""

import pytest

from api.payouts import GivenFile, PayoutRefused
from commission.payouts.batch import Batch
from infra.payouts.bank_results import BankResults
from infra.payouts.files import Files
from infra.payouts.log import PayoutLog
from schemas.payouts import BatchRequest
from tests.build import D, at, ended, exchange, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_log import MemoryLog
from tests.payout_world import ANN, BEN, CAT, World

DOLLARS = BatchRequest(period="2026-09", currency="USD")
EUROS = DOLLARS.model_copy(update={"pay_in": "EUR"})


@pytest.fixture
def world() -> World:
    """September is closed, on the second of October."""
    rates = (exchange("EUR/USD 1.2"), exchange("EUR/USD 2", day=45))
    world = World(*MONTHS, partner("north USD"), partner("south USD"), *rates)
    for ib_id, amount in (("north", "12.34"), ("south", "9")):
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
    world.feed([ended("2026-09")])
    world.now = MONTHS[1].starts_at
    world.pay_in("north", "EUR")
    return world


def made(world: World, wanted: BatchRequest) -> dict[str, str]:
    """IB → where its line of a new batch is, or why it is left out."""
    batch = world.desk().create(wanted, ANN, "")
    reasons = {name: one.reason for name, one in batch.status.items()}
    return {line.ib_id: reasons.get(name, "included") for name, line in batch.lines.items()}


def test_a_batch_pays_those_who_are_paid_in_its_currency(world: World) -> None:
    """The others are in the next."""
    assert made(world, EUROS) == {
        "north": "included",
        "south": "the IB is paid in USD: another batch pays it",
    }
    assert made(world, DOLLARS) == {"south": "included"}
    with pytest.raises(PayoutRefused, match="may be paid; in a batch already"):
        world.desk().create(EUROS, ANN, "")


def exported(world: World) -> tuple[Batch, GivenFile]:
    """North's line in euros."""
    desk = world.desk()
    batch_id = desk.create(EUROS, ANN, "").batch_id
    desk.submit(batch_id, ANN)
    desk.approve(batch_id, BEN)
    return desk.export(batch_id, "csv", "", CAT)


def test_the_rate_is_recorded_and_the_file_pays_by_it(world: World) -> None:
    """A rate that is published later changes neither the file nor what comes back."""
    batch, file = exported(world)
    (line,) = batch.paid_lines
    assert (line.amount, batch.paid(line), batch.pays, batch.total) == (
        D("12.34"),
        D("10.28"),
        "EUR",
        D("12.34"),
    )
    assert batch.exchange is not None
    assert (batch.exchange.path, batch.exchange.at) == ("1 / EUR/USD 1.2 (2026-09-01)", batch.steps[0].at)
    assert f"{line.line_id},north,,,,,10.28,EUR,Commission 2026-09 north".encode() in file.body
    assert b"TOTAL,1 line,,,,,10.28,EUR," in file.body
    world.terms = world.terms.learn([exchange("EUR/USD 3", day=30)])
    assert world.desk().export(batch.batch_id, "csv", "lost", CAT)[1] == file


@pytest.mark.parametrize(("amount", "state"), [("10.28;EUR", "settled"), ("12.34;USD", "unknown")])
def test_the_bank_speaks_of_what_it_paid(world: World, amount: str, state: str) -> None:
    """Euros are north's line; of dollars, though they are what is owed, a person must find out."""
    batch, _ = exported(world)
    log: PayoutLog = MemoryLog(world.messages)
    (line,), (number, currency) = batch.paid_lines, amount.split(";")
    said = bank_said(line.line_id, number, currency)
    found = BankResults(log, world.desk(), Files()).import_file(said, "camt", CAT)
    after = world.desk().get(batch.batch_id)
    assert (after.state_of(line.line_id), len(found.unmatched)) == (state, state == "unknown")
    paid = {"north:paid": "10.28 EUR"} if state == "settled" else {"north:in_payout": "12.34 USD"}
    owed = {name.removeprefix("ib:"): text for name, text in world.told.owed.items()}
    assert owed == paid | {"south:payable": "9.00 USD"}


def bank_said(line_id: str, amount: str, currency: str) -> bytes:
    """camt.054: a line was debited."""
    sum_ = f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
    details = f"<TxDtls><Refs><EndToEndId>{line_id}</EndToEndId></Refs>{sum_}</TxDtls>"
    entry = f"<Ntry>{sum_}<Sts><Cd>BOOK</Cd></Sts><NtryDtls>{details}</NtryDtls></Ntry>"
    report = f"<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>m1</MsgId></GrpHdr><Ntfctn>{entry}</Ntfctn>"
    space = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"
    return f'<Document xmlns="{space}">{report}</BkToCstmrDbtCdtNtfctn></Document>'.encode()


def test_a_currency_that_changed_is_not_paid_by_the_batch(world: World) -> None:
    """Between its creation and its approval; what is approved by then is paid as it was."""
    desk = world.desk()
    batch_id = desk.create(EUROS, ANN, "").batch_id
    desk.submit(batch_id, ANN)
    world.pay_in("north", "JPY")
    with pytest.raises(
        PayoutRefused, match=r"the currency or tax of north is another since the batch was made"
    ):
        desk.approve(batch_id, BEN)
    world.pay_in("north", "")
    with pytest.raises(PayoutRefused, match=r"the currency or tax of north is another"):
        desk.approve(batch_id, BEN)


def test_without_a_rate_that_is_new_enough_there_is_no_batch(world: World) -> None:
    """One of 15 October serves for 31 days; the yen have none at all."""
    world.now = at(80)
    with pytest.raises(PayoutRefused, match=r"no rate from USD to EUR at 2026-11-19"):
        world.desk().create(EUROS, ANN, "")
    with pytest.raises(PayoutRefused, match=r"no rate from USD to JPY"):
        world.desk().create(EUROS.model_copy(update={"pay_in": "JPY"}), ANN, "")


def test_what_comes_to_nothing_waits(world: World) -> None:
    """0.12 USD at 0.01 yen each are no yen."""
    world.terms = world.terms.learn([exchange("USD/JPY 0.01", day=20)])
    world.pay_in("north", "JPY")
    with pytest.raises(
        PayoutRefused, match=r"left out 2: 12.34 USD comes to nothing in JPY, the IB is paid in"
    ):
        world.desk().create(EUROS.model_copy(update={"pay_in": "JPY"}), ANN, "")


def test_a_key_makes_one_batch_of_one_currency(world: World) -> None:
    """The same again is the same batch, whatever the rate is by then."""
    first = world.desk().create(EUROS, ANN, "k")
    world.terms = world.terms.learn([exchange("EUR/USD 3", day=30)])
    assert world.desk().create(EUROS, ANN, "k") == first
    with pytest.raises(PayoutRefused, match="of other content before"):
        world.desk().create(DOLLARS, ANN, "k")
    assert world.desk().create(DOLLARS.model_copy(update={"pay_in": "USD"}), ANN, "j").exchange is None
