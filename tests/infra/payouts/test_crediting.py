"""Lines paid to trading accounts: each is asked for once, whatever ends where; then it is looked up.

September pays north 12.34 USD, south 9.00 and west 2.00, each to an account of its server; east has a bank.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.operators import NotAllowed, Operator
from api.payouts import PayoutRefused
from infra.cli.app import app
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from infra.payees.details import PayeeDetails, TradingAccount
from infra.payout_files.bridge import BalanceOperation
from infra.payouts.bridge import Became, Bridge, HttpBridge
from infra.payouts.crediting import Crediting
from infra.payouts.files import Files
from schemas.errors import Unusable
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from tests.build import ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import ANN, BEN, CAT, Killed, World, paid_in

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "examples"))

from bridge.credits import Credits, Refused, serve  # noqa: E402 # the example is a package beside the project's

WANTED = BatchRequest(period="2026-09", currency="USD", method="trading_account")
OWED = {"north": "12.34", "south": "9", "west": "2"}
TOKEN = "a token of enough characters"  # noqa: S105 # of the test alone


def opened(wanted: Any) -> dict[str, PayeeDetails]:
    """Account 1 of a server named for the IB."""
    return {ib_id: TradingAccount(server=ib_id, login="1") for ib_id in wanted}


def closed() -> World:
    """September is closed."""
    world = World(*MONTHS, *(partner(f"{ib_id} USD") for ib_id in (*OWED, "east")))
    for ib_id, amount in {**OWED, "east": "4"}.items():
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
        world.payees[ib_id] = paid_in(ib_id, "", kind="bank" if ib_id == "east" else "trading_account")
    world.feed([ended("2026-09")])
    world.files = Files(opened=opened)
    return world


class Platform:
    """A bridge and its trade servers in memory: what was credited, and what it was asked for."""

    def __init__(self, effect: Callable[[str], None] = lambda _what: None) -> None:
        self.credited: dict[str, str] = {}
        self.asked: list[str] = []
        self.effect = effect

    def credit(self, operation: BalanceOperation) -> Became:
        """South's account is closed; all others are credited."""
        self.effect("before credit")
        self.asked.append(operation.reference)
        if operation.server == "south":
            return Became("rejected", "refused by the bridge: the account is closed")
        self.credited[operation.reference] = operation.amount
        self.effect("after credit")
        return Became("settled", "ticket 7")

    def look_up(self, reference: str) -> Became:
        """What was credited has a ticket."""
        found = reference in self.credited
        return Became("settled", "ticket 7") if found else Became("unknown", "the bridge knows nothing of it")


def crediting(world: World, bridge: Bridge | None) -> Crediting:
    """A process that has just started."""
    return Crediting(world.desk(), world.files, bridge)


def exported(world: World) -> str:
    """A batch whose operations were given out; as often as it is asked for, the same."""
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "september").batch_id
    if desk.get(batch_id).state == "created":
        desk.submit(batch_id, ANN)
    if desk.get(batch_id).state in ("submitted", "approved"):
        desk.approve(batch_id, BEN)
    if desk.get(batch_id).state == "approved":
        desk.export(batch_id, "bridge", "", CAT)
    return batch_id


def states(world: World, batch_id: str) -> dict[str, str]:
    """IB → where its line is, and why."""
    batch = world.desk().get(batch_id)
    lines = ((line.ib_id, line.line_id) for line in batch.lines.values())
    return {
        ib_id: f"{batch.state_of(name)}: {one.reason}" if (one := batch.status.get(name)) else "included"
        for ib_id, name in lines
    }


def test_each_line_is_credited_once_and_settled_by_its_ticket() -> None:
    """North and west are paid; south is payable again; east is in no batch of this method."""
    world, platform = closed(), Platform()
    batch_id = exported(world)
    found = crediting(world, platform).credit(batch_id, CAT)
    assert (found.settled, found.rejected, found.unknown, found.left) == (2, 1, (), 0)
    assert states(world, batch_id) == {
        "north": "settled: ticket 7", "west": "settled: ticket 7",
        "south": "rejected: refused by the bridge: the account is closed",
        "east": "excluded: the IB is paid by bank: another batch pays it",
    }  # fmt: skip
    assert {name: text for name, text in world.told.owed.items() if name.startswith("ib:")} == {
        "ib:north:paid": "12.34 USD", "ib:west:paid": "2.00 USD", "ib:south:payable": "9.00 USD",
        "ib:east:payable": "4.00 USD",
    }  # fmt: skip
    again = crediting(world, platform).credit(batch_id, BEN)
    assert (again.settled, len(platform.asked)) == (0, 3)


def test_a_process_killed_between_any_two_effects_credits_nobody_twice() -> None:
    """Killed at each effect in turn, and done again by another process: a line is paid iff it was credited.

    What was recorded as sent and was not stays unknown until a person says what became of it.
    """

    def life(world: World, platform: Platform) -> str:
        batch_id = exported(world)
        crediting(world, platform).credit(batch_id, CAT)
        crediting(world, platform).sweep(batch_id, "", CAT)
        return batch_id

    undisturbed = closed()
    life(undisturbed, Platform(undisturbed.effect))
    assert undisturbed.effects.count("after credit") == 2
    kinds = set()
    for number, name in enumerate(undisturbed.effects):
        world = closed()
        platform = Platform(world.effect)
        world.kill_at = number
        with pytest.raises(Killed, match=name):
            life(world, platform)
        batch_id = life(world, platform)
        assert len(set(platform.asked)) == len(platform.asked), name
        batch = world.desk().get(batch_id)
        for line in batch.paid_lines:
            is_settled = batch.state_of(line.line_id) == "settled"
            assert is_settled == (line.line_id in platform.credited), name
            kinds.add(batch.state_of(line.line_id))
        world.desk().resume(batch_id, CAT)
        paid = {name for name in world.told.owed if name.endswith(":paid")}
        settled = {one.ib_id for one in batch.paid_lines if batch.state_of(one.line_id) == "settled"}
        assert paid == {f"ib:{ib_id}:paid" for ib_id in settled}, name
    assert kinds == {"settled", "rejected", "unknown"}


def test_what_another_asked_for_meanwhile_is_not_asked_for_again() -> None:
    """Two servers read that a line is included; the log lets one of them ask."""
    world, platform = closed(), Platform()
    batch_id = exported(world)
    late = crediting(world, platform)
    stale = world.desk().get(batch_id)
    crediting(world, platform).credit(batch_id, CAT)

    class Stale(type(late.desk)):  # type: ignore[misc] # what it sees is old
        """Sees the batch as it was."""

        def get(self, batch_id: str) -> Any:
            """As it was."""
            return stale

    late.desk.__class__ = Stale
    assert late.credit(batch_id, BEN) == (0, 0, (), 0, "")
    assert len(platform.asked) == 3


def test_who_may_not_and_what_cannot_be_is_refused() -> None:
    """A viewer, a batch whose operations nobody was given, a process without a bridge, a bank account."""
    world, platform = closed(), Platform()
    desk = world.desk()
    batch_id = desk.create(WANTED, ANN, "september").batch_id
    with pytest.raises(NotAllowed):
        crediting(world, platform).credit(batch_id, Operator("vic", is_person=True, may_write=False))
    with pytest.raises(PayoutRefused, match="is credited once its operations were given out"):
        crediting(world, platform).credit(batch_id, CAT)
    with pytest.raises(PayoutRefused, match="no bridge credits trading accounts here"):
        crediting(world, None).credit(exported(world), CAT)
    with pytest.raises(PayoutRefused, match="of other content before"):
        desk.create(WANTED.model_copy(update={"method": ""}), ANN, "september")
    assert platform.asked == []


def test_a_long_batch_is_credited_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three lines at once; a sweep goes on after the last."""
    monkeypatch.setattr("infra.payouts.crediting.MAX_LINES", 2)
    monkeypatch.setattr("infra.payouts.crediting.AT_ONCE", 1)
    world, platform = closed(), Platform()
    platform.credit = lambda operation: Became("unknown", operation.server)  # type: ignore[method-assign]
    batch_id = exported(world)
    one = crediting(world, platform)
    assert [len(one.credit(batch_id, CAT).unknown), len(one.credit(batch_id, CAT).unknown)] == [2, 1]
    first = one.sweep(batch_id, "", CAT)
    assert (len(first.unknown), first.left) == (2, 1)
    second = one.sweep(batch_id, first.last, CAT)
    assert (len(second.unknown), second.left) == (1, 0)
    ids = [name for name, _ in (*first.unknown, *second.unknown)]
    assert sorted(ids) == ids == [*dict.fromkeys(ids)]


def connect_nowhere() -> Any:
    """A ledger that is not asked."""
    raise AssertionError


def test_the_command_and_the_api_ask_part_by_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Until nothing is left: exit 1 while a line is unknown, 0 once a sweep has settled all."""
    monkeypatch.setattr("infra.payouts.crediting.MAX_LINES", 2)
    world, platform = closed(), Platform()
    real = platform.credit
    platform.credit = lambda operation: real(operation)._replace(outcome="unknown")  # type: ignore[method-assign]
    batch_id = exported(world)
    people = f"operators:\n  - {{name: cat, role: operator, token_sha256: {sha256(b'of-cat').hexdigest()}}}\n"
    (tmp_path / "operators.yaml").write_text(people)
    settings = Settings(_env_file=None, operators_file=tmp_path / "operators.yaml")
    desk = world.desk()
    http = HttpThread(
        create_app(
            Ledger(connect_nowhere),
            settings,
            desks=Desks(payouts=desk, crediting=Crediting(desk, world.files, platform)),
        ),
        "API",
    )
    listener = listen("127.0.0.1", 0)
    http.start(listener)
    known = {
        "IBFLOW_URL": f"http://127.0.0.1:{listener.getsockname()[1]}", "IBFLOW_OPERATOR_TOKEN": "of-cat",
        "IBFLOW_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    try:
        first, swept, again = (
            CliRunner().invoke(app, ["payouts", verb, batch_id, *more], env=known)
            for verb, *more in (("credit",), ("sweep", "--json"), ("credit",))
        )
    finally:
        http.stop()
    assert (first.exit_code, "0 settled, 0 rejected, 3 unknown" in first.output) == (1, True), first.output
    told = json.loads(swept.stdout)
    assert (swept.exit_code, told["settled"], len(told["unknown"])) == (1, 2, 1)
    assert told["unknown"][0]["why"] == "the bridge knows nothing of it"
    assert (again.exit_code, "0 settled, 0 rejected, 0 unknown" in again.output) == (0, True)
    assert len(platform.asked) == 3


# Over HTTP, with the reference receiver


class Server:
    """A trade server that may lose its answer, and counts what it did."""

    def __init__(self) -> None:
        self.deals: dict[tuple[str, str], list[str]] = {}
        self.fails = ""

    def credit(self, operation: dict[str, str]) -> str:
        """Do it, but as it is told to fail."""
        if self.fails == "refused":
            raise Refused("no account has this login")
        if self.fails == "before":
            raise OSError("no connection")
        place = operation["login"], operation["comment"]
        self.deals.setdefault(place, []).append(operation["amount"])
        if self.fails == "after":
            raise OSError("the answer is lost")
        return f"t{len(self.deals)}"

    def find(self, operation: dict[str, str]) -> str:
        """By its comment."""
        return "t-found" if (operation["login"], operation["comment"]) in self.deals else ""


OPERATION = BalanceOperation(
    reference="R1", server="live", login="7", amount="12.34", currency="USD", comment="ibflow R1"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """The reference receiver over a trade server, and its address."""
    platform = Server()
    http = serve("127.0.0.1", 0, TOKEN, Credits(tmp_path / "credits.sqlite", platform))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield platform, f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


def test_the_receiver_does_an_operation_once(server: tuple[Server, str]) -> None:
    """Asked again it gives the ticket; another operation of the reference is none."""
    platform, url = server
    bridge = HttpBridge(url, TOKEN)
    assert bridge.look_up("R1") == ("unknown", "the bridge knows nothing of it")
    assert [bridge.credit(OPERATION), bridge.credit(OPERATION)] == [("settled", "ticket t1")] * 2
    assert bridge.look_up("R1") == ("settled", "ticket t1")
    other = BalanceOperation(**{**vars_of(OPERATION), "amount": "99"})
    assert bridge.credit(other) == ("unknown", "the bridge answered 409 without a ticket")
    assert platform.deals == {("7", "ibflow R1"): ["12.34"]}


def vars_of(one: BalanceOperation) -> dict[str, str]:
    """Its fields."""
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize(
    ("fails", "first", "later", "deals"),
    [
        ("refused", ("rejected", "refused by the bridge: no account has this login"), "rejected", 0),
        ("after", ("unknown", "the bridge answered 502 without a ticket"), "settled", 1),
        ("before", ("unknown", "the bridge answered 502 without a ticket"), "unknown", 0),
    ],
)
def test_a_lost_answer_is_looked_up_on_the_platform(
    server: tuple[Server, str], fails: str, first: tuple[str, str], later: str, deals: int
) -> None:
    """By the comment; and never done a second time."""
    platform, url = server
    platform.fails = fails
    bridge = HttpBridge(url, TOKEN)
    assert bridge.credit(OPERATION) == first
    platform.fails = ""
    assert [bridge.look_up("R1").outcome, bridge.credit(OPERATION).outcome] == [later, later]
    assert sum(map(len, platform.deals.values())) == deals


def test_whatever_else_is_answered_is_unknown(server: tuple[Server, str]) -> None:
    """A wrong token, an address where nobody is, an operation that is none: nothing is done or guessed."""
    platform, url = server
    assert HttpBridge(url, "wrong").credit(OPERATION) == (
        "unknown", "the bridge answered 401 without a ticket",
    )  # fmt: skip
    assert (
        HttpBridge("http://127.0.0.1:9", TOKEN).look_up("R1").words
        == "the bridge gave no answer: ConnectError"
    )
    for field, value in (("amount", "-1"), ("amount", "NaN"), ("login", "x"), ("comment", "x" * 65)):
        told = {**vars_of(OPERATION), field: value}
        answer = httpx.post(
            f"{url}/balance-operations", json=told, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.status_code == 400
    assert platform.deals == {}


@pytest.mark.parametrize(
    ("status", "told", "outcome"),
    [
        (200, {"ticket": "5"}, "settled"),
        (200, {"ticket": 5}, "settled"),
        (200, {"ticket": ""}, "unknown"),
        (200, {"ticket": True}, "unknown"),
        (200, ["5"], "unknown"),
        (500, {"ticket": "5"}, "unknown"),
        (422, {"refused": "no"}, "rejected"),
        (500, {"refused": "no"}, "unknown"),
        (200, {"ticket": "5", "refused": "no"}, "unknown"),
        (302, {}, "unknown"),
        (200, {"ticket": "5" * 20_000}, "unknown"),
    ],
)
def test_only_a_clear_answer_counts(
    monkeypatch: pytest.MonkeyPatch, status: int, told: Any, outcome: str
) -> None:
    """A ticket with a success, or a refusal that says so; both, neither or an endless one is nothing."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, json=told))
    client = httpx.Client
    monkeypatch.setattr(
        "infra.payouts.bridge.httpx.Client", lambda **given: client(transport=transport, **given)
    )
    assert HttpBridge("https://bridge.example", TOKEN).credit(OPERATION).outcome == outcome


@pytest.mark.parametrize("url", ["http://bridge.example", "ftp://127.0.0.1", "bridge.example", "https://"])
def test_a_token_is_shown_to_no_network_in_clear(url: str) -> None:
    """Plain HTTP is for this machine."""
    with pytest.raises(Unusable, match="IBFLOW_CREDIT_URL is"):
        HttpBridge(url, TOKEN)
