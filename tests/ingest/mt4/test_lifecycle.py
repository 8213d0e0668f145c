"""What becomes of an MT4 ticket, from its records to what an IB is owed: each lot once."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.events import AccountLinked, ClientRegistered, Deal
from commission.terms.components import Component
from ingest.mt4 import statement as mt4_statement
from ingest.mt4.dialects import to_record
from ingest.mt4.partial_closes import parent_of, remainder_of
from ingest.mt4.record import to_deals
from ingest.sources import RowRejected, ServerProfile
from tests.build import Told, at, partner, per_lot, plan, run, symbol
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, mt4, sorted_out, statement, ticket

SERVER = "Demo-MT4"
USD = mt4(currency="USD")
REOPENS = mt4(currency="USD", group="us-retail", close_reopen=("us*",))
NORTH = "ib:ib-north:pending"


def record(number: int, **more: Any) -> dict[str, Any]:
    """An open ticket of 0.50 lots as the server sends it; `closed` is the hour it was closed."""
    closed = more.pop("closed", None)
    return {
        "id": number, "login": 5002, "symbol": "EURUSD", "cmd": 0, "volume": 50, "openPrice": Decimal("1.1"),
        "openTime": "2026-09-02T10:00:00", "closePrice": Decimal("1.101"), "commission": 0, "swap": 0,
        "closeTime": f"2026-09-02T{closed}:00:00" if closed else None, "profit": 0, "comment": "",
    } | more  # fmt: skip


def deals(*records: dict[str, Any], profile: ServerProfile = USD, **more: Any) -> list[Deal]:
    found = [to_record(raw, profile, "mt4manager", "bridge", **more) for raw in records]
    return [deal for one in found if one is not None for deal in to_deals(one, profile)]


def told(events: list[Deal], *components: Component) -> Told:
    """What the pipeline says with anna as the account's owner and ib-north above her."""
    return run(
        AccountLinked(event_id="l", client_id="anna", server=SERVER, login=5002, occurred_at=at(1)),
        ClientRegistered(event_id="r", client_id="anna", ib_id="ib-north", occurred_at=at(1)),
        *events,
        terms=(
            symbol("EURUSD forex 100000 USD 0.0001", server=SERVER),
            plan("p USD", *components),
            partner("ib-north USD p"),
        ),
    )


def lots_paid(events: list[Deal], entry: str) -> str:
    """Lots an IB is paid for at a dollar a lot, on opening or on closing."""
    return told(events, per_lot("*=1", entry=entry)).owed.get(NORTH, "0")


# A closes 0.30 of 0.50, B 0.15 of the 0.20 that were left, C the last 0.05.
CHAIN = (
    record(1),
    record(1, volume=30, closed=11, comment="to #2", state=4),
    record(2, volume=20, comment="from #1"),
    record(2, volume=15, closed=12, comment="to #3", state=4),
    record(3, volume=5, comment="from #2"),
    record(3, volume=5, closed=13, comment="from #2[sl]", state=3),
)


@pytest.mark.parametrize("entry", ["in", "out"])
def test_a_chain_of_partial_closes_pays_what_was_opened(entry: str) -> None:
    """0.50 lots are paid once on opening and once on closing, however many tickets they become."""
    assert lots_paid(deals(*CHAIN), entry) == "0.50 USD"


@pytest.mark.parametrize("comments", [("", "", ""), ("EA 7", "from #1 truncated at 31 bytes", "dealer")])
def test_comments_do_not_matter_to_volume(comments: tuple[str, str, str]) -> None:
    """An EA or a dealer may overwrite the links; the tickets' volumes alone tell."""
    texts = dict(zip((1, 2, 3), comments, strict=True))
    chain = [raw | {"comment": texts[raw["id"]]} for raw in CHAIN]
    assert [lots_paid(deals(*chain), entry) for entry in ("in", "out")] == ["0.50 USD", "0.50 USD"]


@settings(max_examples=tries(20), deadline=None)
@given(st.permutations((0, 1, 2, 3, 4, 5)), st.lists(st.sampled_from(range(6)), max_size=3))
def test_tickets_may_come_in_any_order_and_twice(order: list[int], again: list[int]) -> None:
    """The newest record of each ticket counts, whoever else came before it, and repetitions do nothing."""
    ranks = (
        sorted(order[n] for n in (0, 1)),
        sorted(order[n] for n in (2, 3)),
        sorted(order[n] for n in (4, 5)),
    )
    placed = sorted(range(6), key=lambda n: ranks[n // 2][n % 2])
    chain = deals(*(CHAIN[n] for n in [*placed, *again]))
    assert [lots_paid(chain, entry) for entry in ("in", "out")] == ["0.50 USD", "0.50 USD"]


def test_the_pump_tells_a_chain_by_deletes() -> None:
    """Trades leave the pump when they close: their `delete` has the close and is no erasure."""
    live = [*deals(CHAIN[0]), *deals(CHAIN[1], transaction="delete"), *deals(CHAIN[2], transaction="add")]
    live += [*deals(CHAIN[3], transaction="delete"), *deals(CHAIN[4]), *deals(CHAIN[5], transaction="delete")]
    assert [lots_paid(live, entry) for entry in ("in", "out")] == ["0.50 USD", "0.50 USD"]


def test_an_opening_is_not_paid_again_for_its_remainder() -> None:
    """Seen live, the first opening shrinks to what its ticket keeps: 0.50 before, 0.30 + 0.20 after."""
    assert lots_paid(deals(*CHAIN[:1]), "in") == "0.50 USD"
    assert lots_paid(deals(*CHAIN[:3]), "in") == "0.50 USD"
    assert lots_paid(deals(*CHAIN[:3]), "out") == "0.30 USD"


def read_statement(folder: Path, html: str, profile: ServerProfile) -> tuple[list[Deal], list[str]]:
    path = folder / "Statement.htm"
    path.write_text(html.replace("eurusd", "EURUSD").replace("2025.06", "2026.09"), "utf-8")
    found, letters = sorted_out(mt4_statement.read(path, profile, RECEIVED))
    return found, [letter.code for letter in letters]


def reopened(*titles: str) -> str:
    """The same chain in a group that closes and reopens: 0.50 and 0.20 closed whole, then 0.05."""
    sizes = zip((1, 2, 3), ("0.50", "0.20", "0.05"), titles, strict=True)
    return statement("".join(ticket(number, size=size, title=title) for number, size, title in sizes))


def test_close_and_reopen_pays_what_was_opened(tmp_path: Path) -> None:
    """Closed whole and reopened, 0.50 lots show as 0.75; in such a group they are 0.30 + 0.15 + 0.05."""
    html = reopened("to #2", "to #3", "from #2")
    found, _ = read_statement(tmp_path, html, USD)
    assert [lots_paid(found, entry) for entry in ("in", "out")] == ["0.75 USD", "0.75 USD"]
    found, letters = read_statement(tmp_path, html, REOPENS)
    assert (letters, [deal.volume_e8 for deal in found if deal.entry == "out"]) == (
        [],
        [30_000_000, 15_000_000, 5_000_000],
    )
    assert [lots_paid(found, entry) for entry in ("in", "out")] == ["0.50 USD", "0.50 USD"]


def test_one_link_of_two_is_enough(tmp_path: Path) -> None:
    """Either ticket's comment may be overwritten; a position reopened nightly at full size counts once."""
    for titles in (("", "from #1", "from #2"), ("to #2", "to #3", "")):
        found, letters = read_statement(tmp_path, reopened(*titles), REOPENS)
        assert (letters, lots_paid(found, "out")) == ([], "0.50 USD")
    nightly = statement(ticket(1, title="to #2") + ticket(2, title="from #1"))
    found, letters = read_statement(tmp_path, nightly, REOPENS)
    assert (letters, lots_paid(found, "out"), lots_paid(found, "in")) == ([], "0.50 USD", "0.50 USD")


def test_a_remainder_that_is_not_there_is_not_guessed(tmp_path: Path) -> None:
    """Without the other ticket, or without the group, a row is a dead letter that says what to do."""
    html = statement(ticket(1, size="0.50", title="to #2"))
    assert read_statement(tmp_path, html, REOPENS)[1] == ["unknown_remainder"]
    nameless = mt4(currency="USD", close_reopen=("us*",))
    assert read_statement(tmp_path, html, nameless)[1] == ["unknown_group"]
    elsewhere = mt4(currency="USD", group="eu-retail", close_reopen=("us*",))
    assert read_statement(tmp_path, html, elsewhere)[1] == []
    everywhere = mt4(currency="USD", close_reopen=("*",))
    assert read_statement(tmp_path, html, everywhere)[1] == ["unknown_remainder"]


def test_a_bridge_may_tell_what_was_reopened() -> None:
    """`reopened_volume` beside a record: 0.30 of 0.50 count; more than was closed is refused."""
    raw = record(1, closed=11, comment="to #2", reopened_volume=20)
    assert lots_paid(deals(raw, profile=REOPENS), "out") == "0.30 USD"
    assert lots_paid(deals(raw), "out") == "0.50 USD"
    for volume in (None, 51):
        with pytest.raises(RowRejected, match="reopened"):
            deals(raw | {"reopened_volume": volume}, profile=REOPENS)


def test_the_empty_leg_of_a_close_by_pays_nothing() -> None:
    """0.50 bought, 0.30 of it closed by a sale of 0.30: the platform leaves 0.30 and 0.20, and so do we."""
    close_by = deals(
        record(1),
        record(2, cmd=1, volume=30),
        record(1, volume=30, closed=11, state=3),
        record(2, cmd=1, volume=0, closed=11, comment="close hedge by #1", state=5),
        record(3, volume=20, comment="from #1"),
        record(3, volume=20, closed=12, comment="from #1"),
    )
    assert [lots_paid(close_by, entry) for entry in ("in", "out")] == ["0.50 USD", "0.50 USD"]
    assert told(close_by, per_lot("*=1", entry="out")).reasons["2:close"] == "rejected zero_volume"


def test_the_empty_leg_is_no_remainder(tmp_path: Path) -> None:
    """In a group that reopens, too: what a close-by emptied was not opened again."""
    html = statement(
        ticket(1, size="0.30")
        + ticket(2, size="0.00", title="close hedge by #1")
        + ticket(3, size="0.20", title="from #2")
    )
    found, letters = read_statement(tmp_path, html, REOPENS)
    assert (letters, lots_paid(found, "out")) == ([], "0.50 USD")


def test_pendings_pay_once_they_are_trades() -> None:
    """A limit order is nothing until it is a buy; one that dies never is."""
    waiting, filled = record(1, cmd=2), record(1, closed=11)
    dead = record(2, cmd=4, closed=11, comment="cancelled", state=6)
    assert lots_paid(deals(waiting, dead), "in") == "0"
    assert [lots_paid(deals(waiting, filled, dead), entry) for entry in ("in", "out")] == ["0.50 USD"] * 2


def test_an_erased_trade_leaves_nothing() -> None:
    """Its opening and closing are reversed with the old amounts, whatever phase was known, and stay so."""
    known, erased = deals(record(1), record(1, closed=11)), deals(record(1, closed=11, state=6))
    both = per_lot("*=1", entry="both")
    assert told(known, both).owed == {NORTH: "1.00 USD"}
    assert told([*known, *erased], both).owed == {}
    assert told([*known, *erased, *erased, *known], both).owed == {}
    open_one = [*deals(record(1)), *deals(record(1), transaction="delete")]
    assert told(open_one, both).owed == {}
    assert told(deals(record(1), transaction="delete"), both).reasons == {
        "1:open": "rejected deleted",
        "1:close": "rejected deleted",
    }


def test_links() -> None:
    """`to #` and `from #` at the start of a comment link tickets; other numbers do not."""
    assert [remainder_of(text) for text in ("to #12", "from #12", "go to #12", "to #")] == [
        12,
        None,
        None,
        None,
    ]
    assert [parent_of(text) for text in ("from #12[sl]", "split from #12", "#12", "close hedge by #1")] == [
        12, None, None, None,
    ]  # fmt: skip
