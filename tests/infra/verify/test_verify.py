"""`ibflow verify` finds what is wrong: each invariant broken once, by hand, in a real ClickHouse."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from typer.testing import CliRunner

from api.ledger import Ledger
from api.queries.periods import ALWAYS
from api.queries.quality import deal_counts
from api.scope import EVERYTHING
from api.views.audit import audit
from commission.events import ClientRegistered
from commission.terms.calendar import PeriodEnded
from commission.terms.plans import Clawback
from infra.cli.app import app
from infra.verify.invariants import verify
from schemas import topics
from schemas.settings import Settings
from schemas.stops import OPERATION, BookCommand, Operation, stopped
from schemas.wire import decode_batch, encode
from streams.in_memory import EPOCH, LocalPipeline, entry_topic
from streams.partition import Message
from streams.table_rows import Rows
from tests import services
from tests.build import ANNA, TERMS, at, chargeback, deal, deposit, linked, per_lot, plan, registered
from tests.infra.verify.ledgers import broken, copied, store
from tests.synthetic import Synthetic

NAMES = (
    "same books, same ledger",
    "trial balance zero",
    "earned stands in accounts",
    "statements add up",
    "statements chained",
    "payouts add up",
    "corrections decided",
    "every deal once",
    "reversals exact, once",
    "no row without cause",
    "no two rows under one id",
    "sums equal rows",
)


with_shards = pytest.mark.parametrize("ledger", services.ledger_kinds(), indirect=True)
"""On each ClickHouse there is, and with rows that a join has to fetch from another shard."""


@pytest.fixture(params=[services.CHDB, *services.clickhouse_kinds()[1:]])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """Ten deals of a three-level tree, rated, with September closed."""
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir, request.param) as client:
        broker = Synthetic(clients=3, deals=10)
        store(client, [*broker.terms(), *broker.crm(), *broker.trades(), PeriodEnded(period="2026-09")])
        yield client


@with_shards
def test_a_sound_ledger_has_no_findings(ledger: Client) -> None:
    """All eleven invariants are measured, and hold: 10 deals, 3 IBs, 3 statements."""
    report = verify(ledger)
    assert NAMES == tuple(finding.invariant for finding in report.findings)
    assert [] == broken(ledger)
    figures = {finding.invariant: finding.figures for finding in report.findings}
    told = "10 seen = 5 rated + 5 on the side that the plan does not pay + 0 rejected + 0 waiting"
    assert f"{told} + 0 dead letters" == figures["every deal once"]
    assert figures["statements add up"].startswith("3 statements, 0 do not add up")


def test_what_is_rejected_is_told_by_its_reason(empty: Client) -> None:
    """Of 5 openings, 5 closings, a deposit and 2 deals without volume 3 are truly rejected."""
    broker = Synthetic(clients=3, deals=10)
    trades = list(broker.trades())
    odd = [replace(trades[0], deal_id="b", kind="balance")]
    odd += [replace(trades[0], deal_id=name, volume_e8=0) for name in ("z1", "z2")]
    store(empty, [*broker.terms(), *broker.crm(), *trades, *odd])
    figures = {finding.invariant: finding.figures for finding in verify(empty).findings}
    told = "13 seen = 5 rated + 5 on the side that the plan does not pay"
    assert f"{told} + 3 rejected (2 zero_volume, 1 not_a_trade) + 0 waiting" in figures["every deal once"]


def test_a_deal_that_moved_to_another_owner_is_accounted_for_once(empty: Client) -> None:
    """Anna's 5 and 2 are taken back, ben's IB has 7. A reversal is traced through both client books."""
    bought = deal("1 sell 1 EURUSD out", day=5)
    moved = replace(bought, revision="b", occurred_at=at(12))
    store(empty, [*TERMS, *ANNA, registered("ben ib-master"), linked("1 ben", day=10), bought, moved, bought])
    assert [] == broken(empty)
    figures = {finding.invariant: finding.figures for finding in verify(empty).findings}
    assert figures["every deal once"].startswith(
        "1 seen = 1 rated + 0 on the side that the plan does not pay"
    )
    rows = empty.query("SELECT code, client_id, amount, transfer_id FROM transfers FINAL").result_rows
    accruals = [("accrual", "anna", 2), ("accrual", "anna", 5), ("accrual", "ben", 7)]
    assert [*accruals, ("reversal", "anna", 2), ("reversal", "anna", 5)] == sorted(row[:3] for row in rows)
    found = audit(Ledger(lambda: empty), EVERYTHING, max(rows)[3])
    assert found is not None
    assert found["complete"]
    assert ["partner-book", "client-book", "client-book", "account-book"] == [
        step["topic"] for step in found["steps"]
    ]
    assert ["a", "b", "a"] == [one["revision"] for one in found["revisions"]]


@with_shards
def test_a_row_from_nowhere_is_found(ledger: Client) -> None:
    """An accrual that no deal caused: the replay differs and the row has no cause."""
    copied(ledger, "code = 'accrual'", transfer_id="f" * 32, caused_by="mt5-live|999")
    assert {"same books, same ledger", "no row without cause"} <= set(broken(ledger))


@with_shards
def test_a_second_effect_under_one_id_is_found(ledger: Client) -> None:
    """The same row once more is none; with another amount, merging would hide one of the two."""
    copied(ledger, "code = 'accrual'")
    assert [] == broken(ledger)
    copied(ledger, "code = 'accrual'", amount=Decimal("0.01"))
    assert "no two rows under one id" in broken(ledger)


def test_what_is_told_again_is_counted(empty: Client) -> None:
    """A deal and a registration once more are two repeats; a registration that differs is refused."""
    broker = Synthetic(clients=3, deals=10)
    crm, trades = list(broker.crm()), list(broker.trades())
    person = next(event for event in crm if isinstance(event, ClientRegistered))
    other = replace(person, event_id="again", country="ZA" if person.country != "ZA" else "DE")
    store(empty, [*broker.terms(), *crm, *trades, trades[0], person, other])
    figures = {finding.invariant: finding.figures for finding in verify(empty).findings}
    assert "; 2 records repeated and equal, 1 refused" in figures["same books, same ledger"]


def test_a_row_that_moves_nothing_is_found(ledger: Client) -> None:
    """Debit and credit are one account: the ledger would balance, and say nothing."""
    copied(ledger, "code = 'accrual'", transfer_id="e" * 32, debit="ib:x:pending", credit="ib:x:pending")
    assert "trial balance zero" in broken(ledger)


def test_money_that_left_the_ib_for_nowhere_is_found(ledger: Client) -> None:
    """A payable amount that went to an account of nobody: earned no longer stands."""
    copied(ledger, "code = 'statement'", transfer_id="d" * 32, credit="somebody:else")
    assert "earned stands in accounts" in broken(ledger)


def test_a_changed_statement_is_found(ledger: Client) -> None:
    """A statement says one cent more than the transfers that paid it."""
    payable = ledger.query("SELECT payable FROM statements WHERE ib_id = 'ib-desk'").first_row[0]
    changes = {"payable": payable + Decimal("0.01"), "_offset": 10_000}
    copied(ledger, "ib_id = 'ib-desk'", "statements", **changes)
    assert "statements add up" in broken(ledger)


@with_shards
def test_a_deal_nobody_accounts_for_is_found(ledger: Client) -> None:
    """A deal in the table, with neither a transfer nor a rejection."""
    names = ["deal_key", "occurred_at"]
    ledger.insert("deals", [["mt5-live|lost", datetime(2026, 9, 1, tzinfo=UTC)]], column_names=names)
    assert "every deal once" in broken(ledger)


def test_a_reversal_of_another_amount_is_found(ledger: Client) -> None:
    """A reversal must take back what was accrued, to the last digit, and only once."""
    original = ledger.query("SELECT transfer_id FROM transfers WHERE code = 'accrual' LIMIT 1").first_row[0]
    where = f"transfer_id = '{original}'"
    changes = {"transfer_id": "c" * 32, "code": "reversal", "reverses": original}
    copied(ledger, where, **changes, amount=Decimal("0.01"))
    assert "reversals exact, once" in broken(ledger)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    """A database without a row."""
    with services.ledger(tmp_path) as client:
        yield client


BROKER = Synthetic(clients=3, deals=10)
RECORDS = [*BROKER.terms(), *BROKER.crm(), *BROKER.trades(), PeriodEnded(period="2026-09")]


def rated_deal() -> tuple[int, str]:
    """The client book's offset of a deal that pays, and the deal's key."""
    offsets: dict[int, str] = {}

    def remember(message: Message, offset: int) -> None:
        if message.topic == topics.CLIENT_BOOK:
            offsets.update(
                (offset, r.deal.deal_key) for r in decode_batch(message.value) if r.type == "routed_deal"
            )

    paid = {r.caused_by for r in LocalPipeline(on_message=remember).feed(RECORDS) if r.type == "transfer"}
    return next((offset, key) for offset, key in offsets.items() if key in paid)


def operations_at(offset: int) -> tuple[Operation, Operation]:
    """A stop of the client book, and the decision to skip."""
    place = (topics.CLIENT_BOOK, 0)
    stop = stopped(place, offset, "fold", ValueError("bad"), "w-1", EPOCH)
    skip = BookCommand(
        action="skip", topic=place[0], partition=0, offset=offset, by="ann", reason="agreed", at=EPOCH
    )
    return stop, skip


def test_replay_skips_what_was_skipped(empty: Client) -> None:
    """The ledger without the deal is the books' ledger, and the deal is accounted for as skipped."""
    offset, _ = rated_deal()
    store(empty, RECORDS, operations_at(offset))
    assert [] == broken(empty)
    figures = {finding.invariant: finding.figures for finding in verify(empty).findings}
    assert (
        "10 seen = 4 rated + 5 on the side that the plan does not pay + 0 rejected + 0 waiting"
        " + 0 dead letters + 1 skipped" == figures["every deal once"]
    )


def test_a_ledger_that_has_what_was_skipped_is_found(empty: Client) -> None:
    """The decision is in the log, and its message in the ledger: replay differs."""
    offset, _ = rated_deal()
    store(empty, RECORDS)
    rows = Rows()
    for position, operation in enumerate(operations_at(offset)):
        rows.add(topics.OPERATIONS, 0, position, OPERATION.dump_json(operation), "")
    rows.store(empty)
    assert "same books, same ledger" in broken(empty)


def test_replay_ends_where_a_partition_stands(empty: Client) -> None:
    """Its message would stop replay as well; the finding names the place."""
    stop = operations_at(0)[0]
    store(empty, RECORDS, [stop])
    (finding,) = [f for f in verify(empty).findings if f.invariant == "same books, same ledger"]
    assert "stopped at 0" in finding.figures


@pytest.mark.parametrize("ledger", ["chdb"], indirect=True)
def test_the_command_tells_by_its_exit_code(ledger: Client, tmp_path: Path) -> None:
    """0 while all holds, 1 once something does not; `--json` says the same to machines."""
    settings = {"IBFLOW_DATA_DIR": str(tmp_path), "IBFLOW_CLICKHOUSE": ""}
    sound = CliRunner().invoke(app, ["verify", "--json"], env=settings)
    assert (0, True) == (sound.exit_code, '"holds": true' in sound.stdout)
    copied(ledger, "code = 'statement'", transfer_id="d" * 32, credit="somebody:else")
    unsound = CliRunner().invoke(app, ["verify"], env=settings)
    assert (1, True) == (unsound.exit_code, "✗" in unsound.stdout)


@pytest.mark.parametrize("ledger", ["chdb"], indirect=True)
def test_sums_are_built_again_when_asked_for(ledger: Client, tmp_path: Path) -> None:
    """A sum that was damaged is found; built again from the rows, it is not."""
    settings = {"IBFLOW_DATA_DIR": str(tmp_path)}
    built = CliRunner().invoke(app, ["verify", "--rebuild-sums"], env=settings)
    assert 0 == built.exit_code
    assert "days' sums were built again" in built.stderr
    ledger.command("INSERT INTO day_sums SELECT * FROM day_sums LIMIT 1")
    assert ["sums equal rows"] == broken(ledger)
    assert 0 == CliRunner().invoke(app, ["verify", "--rebuild-sums"], env=settings).exit_code
    assert [] == broken(ledger)


def test_every_record_has_a_topic_it_enters_by() -> None:
    """Deals and links by account, other CRM events by client, terms as terms."""
    broker = Synthetic(clients=1, deals=1)
    entered = {
        record.type: entry_topic(record) for record in (*broker.crm(), *broker.trades(), *broker.terms())
    }
    assert {topics.ACCOUNT_BOOK} == {entered["deal"], entered["account_linked"]}
    assert {topics.CLIENT_BOOK} == {entered["client_registered"], entered["kyc_changed"]}
    assert {topics.TERMS} == {entered["plan_defined"], entered["partner_defined"], entered["period_defined"]}
    assert encode(broker.trades())[0].startswith(b'{"type":"deal",')


def test_rated_means_the_same_in_the_portal(empty: Client) -> None:
    """Of three closings one stands, one was cancelled, one was taken back by a chargeback: one is rated."""
    plans = plan("silver USD", per_lot("class:forex=5")), plan("gold USD", per_lot("class:forex=7"))
    all_back = [replace(one, version=2, clawback=Clawback(chargeback="all")) for one in plans]
    bob = (linked("2 bob"), registered("bob ib-north"), deposit("bob d1 100 USD", day=2))
    gone = deal("2 sell 1 EURUSD out")
    trades = [deal("1 sell 1 EURUSD out"), gone, replace(gone, revision="b", kind="cancelled")]
    trades += [deal("3 sell 1 EURUSD out", login=2)]
    taken = (*bob, *trades, chargeback("bob d1", day=9))
    store(empty, [*TERMS, *all_back, *ANNA, *taken])
    figures = {finding.invariant: finding.figures for finding in verify(empty).findings}
    assert (
        "3 seen = 1 rated + 0 on the side that the plan does not pay + 1 rejected (1 cancelled) + 0 waiting"
        " + 0 dead letters + 1 taken back by a chargeback or dispute" == figures["every deal once"]
    )
    counts = deal_counts(Ledger(lambda: empty), EVERYTHING, ALWAYS)
    assert {"rated": 1, "waiting": 0, "rejected": 1} == counts
