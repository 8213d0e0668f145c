"""Whatever happens to a client while it is held: nothing is lost, and released it is as if it never was."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.outputs import Transfer
from commission.terms.components import Rebate, RevenueShare
from commission.terms.rates import Band, Tiers
from schemas.wire import Record
from tests.build import (
    SYMBOLS,
    D,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
)
from tests.commission.laws import LAW
from tests.commission.partner.payout_commands import hold_client, release_client

PLAIN = (
    *SYMBOLS,
    plan("gold USD", per_lot("*=7")),
    plan("silver USD", per_lot("*=5"), cpa("300"), Rebate(name="back", rates=rates("*=2"), funded_by="ib")),
    partner("ib-master USD gold"),
    partner("ib-north USD silver ib-master"),
    period("2026-09"),
    period("2026-10"),
)
GATED = tuple(
    replace(one, kyc_gate=True) if one.type == "plan" and one.plan_id == "silver" else one  # type: ignore[union-attr, call-overload]
    for one in PLAIN
)
SETTLED = (
    *SYMBOLS,
    plan(
        "silver USD",
        per_lot("*=5", tiers=Tiers(by="lots", bands=(Band(start=D(3), factor=D("1.5")),), mode="slab")),
        RevenueShare(name="net", rates=rates("*=0.3"), terms=("client_result",), carry_over=False),
    ),
    partner("ib-north USD silver"),
    period("2026-09"),
    period("2026-10"),
)
HELD = ("ib:ib-north:held", "ib:ib-master:held")
days = st.integers(2, 40)


@st.composite
def stories(draw: st.DrawFn) -> list[Record]:
    """What becomes of anna and bert, in the order in which it is told; she is held once or twice."""
    told: list[Record] = [deposit(f"{client} d-{client} 600 USD", day=2) for client in ("anna", "bert")]
    after: list[Record] = [kyc("anna approved", day=4), chargeback("anna d-anna", day=30)]
    for number in range(draw(st.integers(1, 4))):
        first = replace(
            deal(
                f"{number} buy {draw(st.integers(1, 3))} EURUSD out",
                login=draw(st.sampled_from((1, 1, 2))),
                day=draw(days),
            ),
            profit=D(draw(st.integers(-50, 50))),
        )
        told.append(first)
        after.append(replace(first, revision="b", volume_e8=2 * (first.volume_e8 or 1)))
        after.append(replace(first, revision="c", kind="cancelled"))
    told += draw(st.lists(st.sampled_from(after), unique_by=str, min_size=1))
    places = st.sampled_from((0, 3, len(told) // 2, len(told)))
    whom = draw(st.sampled_from(("anna", "anna ib-north")))
    for number in range(draw(st.integers(1, 2))):
        first_at, since = draw(places), at(draw(st.sampled_from((1, 20))))
        told.insert(first_at, hold_client(whom, f"h{number}", since=since, at=at(40 + number)))
        told.insert(
            draw(st.integers(first_at + 1, len(told))), release_client(whom, f"r{number}", at=at(50 + number))
        )
    return told


def by_place(rows: list[Transfer], ends: tuple[str, ...]) -> dict[tuple[str, str], Decimal]:
    """By IB and currency, what its accounts with these ends have."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        for account, amount in ((row.credit, row.amount), (row.debit, -row.amount)):
            if account.startswith("ib:") and account.rpartition(":")[2] in ends:
                found[row.ib_id, row.currency] += amount
    return {place: amount for place, amount in found.items() if amount}


def without(records: list[Record]) -> list[Record]:
    """Nobody is held."""
    return [one for one in records if one.type not in ("hold_client", "release_client")]


CLIENTS = (linked("1 anna"), registered("anna ib-north"), linked("2 bert"), registered("bert ib-north"))


@LAW
@given(stories(), st.sampled_from((PLAIN, GATED)), st.data())
def test_what_is_on_hold_is_nobody_elses(
    story: list[Record], terms: tuple[Record, ...], data: st.DataObject
) -> None:
    """Pending and held are together what they are without holds, and no hold is below zero."""
    releases = [place for place, one in enumerate(story) if one.type == "release_client"]
    told = story[: data.draw(st.sampled_from((releases[0], len(story))))]
    said = run(*CLIENTS, *told, terms=terms).transfers
    plain = run(*CLIENTS, *without(told), terms=terms).transfers
    assert by_place(said, ("pending", "held")) == by_place(plain, ("pending", "held"))
    on_hold = [row for row in said if row.code == "hold"]
    assert min(by_place(on_hold, ("held",)).values(), default=D(0)) >= 0
    assert {row.client_id for row in on_hold} <= {"anna"}


@LAW
@given(stories(), st.sampled_from((PLAIN, GATED, SETTLED)))
def test_once_released_all_is_as_if_nobody_had_been_held(
    story: list[Record], terms: tuple[Record, ...]
) -> None:
    """Whatever was done in between; if she is held still, a release at the end makes it so."""
    holds = [one for one in story if one.type == "hold_client"]
    ends = [
        release_client(f"anna {one.ib_id}".strip(), "last", at=at(60))  # type: ignore[union-attr]
        for one in holds[-1:]
    ]
    assert run(*CLIENTS, *story, *ends, terms=terms).owed == run(*CLIENTS, *without(story), terms=terms).owed
