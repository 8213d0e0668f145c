"""One person under several clients: an IB earns one CPA for it, that of the first to qualify."""

from collections.abc import Iterable
from itertools import permutations
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import (
    ChargebackReceived,
    ChargebackWon,
    ClientRegistered,
    DepositCleared,
    ReratingApproved,
)
from commission.explain.explanation import explain
from commission.outputs import Claim, Tally, Transfer
from commission.partner import claims
from commission.partner.claims import KEPT_CLAIMS
from commission.terms.components import Cpa, CpaAmount
from commission.terms.rates import Band, Tiers
from schemas import topics
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    D,
    Told,
    at,
    chargeback,
    cpa,
    deposit,
    ended,
    exchange,
    kyc,
    partner,
    period,
    plan,
    registered,
    run,
    told,
)

PERIODS = (period("2026-09"), period("2026-10"))
NORTH, MASTER, SOUTH = "ib:ib-north:pending", "ib:ib-master:pending", "ib:ib-south:pending"


def at_once(amount: str, **fields: Any) -> Cpa:
    """A CPA for a deposit of 100, whatever is traded."""
    return cpa(amount, min_deposit=D(100), min_lots=D(0), **fields)


TERMS = (
    *PERIODS,
    plan("gold USD", at_once("400")),
    plan("silver USD", at_once("300")),
    partner("ib-master USD gold"),
    partner("ib-north USD silver ib-master"),
    partner("ib-south USD silver ib-master"),
)


def client(text: str, *, identity: str = "person-7", day: int) -> tuple[Record, ...]:
    """Registered and approved on day 1, with 500 deposited on a day: `client("anna ib-north", day=2)`."""
    client_id = text.split(maxsplit=1)[0]
    return (
        registered(text, identity=identity),
        kyc(f"{client_id} approved", day=1),
        deposit(f"{client_id} {client_id}-1 500 USD", day=day),
    )


ANNA, ANN = client("anna ib-north", day=2), client("ann ib-north", day=5)


def story(found: Told, ib_id: str = "ib-north") -> list[str]:
    """An IB's rows: `accrual anna 300`, what is taken from it with a minus."""
    return [
        f"{row.code} {row.client_id} {'-' if row.debit.startswith('ib:') else ''}{row.amount.normalize():f}"
        for row in found.transfers
        if row.ib_id == ib_id
    ]


def news(found: Told, ib_id: str = "ib-north") -> list[str]:
    """What a network hears of an IB's CPAs."""
    return [
        f"{m.kind} {m.client_id}" for m in found.milestones if m.kind.startswith("cpa") and m.ib_id == ib_id
    ]


def test_one_person_is_paid_once() -> None:
    """300 for anna, who qualified first, and 400 - 300 above her; ann is the same person: nothing more."""
    found = run(*ANNA, *ANN, terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found) == ["accrual anna 300", "accrual ann 300", "true_up ann -300"]
    assert news(found) == ["cpa.qualified anna"]
    assert news(found, "ib-master") == ["cpa.qualified anna"]


def test_the_first_to_qualify_is_paid_in_any_order() -> None:
    """Ann is known first: what her IB had for her goes back once anna's earlier deposit is told."""
    found = run(*ANN, *ANNA, terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found) == ["accrual ann 300", "accrual anna 300", "true_up ann -300"]
    assert news(found) == ["cpa.qualified ann", "cpa.clawback ann", "cpa.qualified anna"]
    assert found.milestones[-1].takes_back == ""
    taken = next(m for m in found.milestones if m.kind == "cpa.clawback" and m.ib_id == "ib-north")
    first = next(m for m in found.milestones if m.kind == "cpa.qualified" and m.ib_id == "ib-north")
    assert taken.takes_back == first.milestone_id
    back = found.transfers[-1]
    assert back.factors["paid_client"] == "anna"
    assert back.occurred_at == at(5)  # not before it was accrued


def test_of_one_instant_the_id_decides() -> None:
    """Both on day 2: `ann` sorts before `anna`, whoever is told first."""
    ann = client("ann ib-north", day=2)
    for records in ((*ANNA, *ann), (*ann, *ANNA)):
        found = run(*records, terms=TERMS)
        assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
        assert "true_up anna -300" in story(found)


@pytest.mark.parametrize(
    ("identities", "fields", "due"),
    [
        (("person-7", "person-8"), {}, "600.00 USD"),  # two persons
        (("", ""), {}, "600.00 USD"),  # nobody knows who they are
        (("person-7", ""), {}, "600.00 USD"),
        (("person-7", "person-7"), {}, "300.00 USD"),
        (("person-7", "person-7"), {"cpa_per": "client"}, "600.00 USD"),
    ],
)
def test_who_is_one_person(identities: tuple[str, str], fields: dict[str, Any], due: str) -> None:
    """Clients of one identity, where the plan pays once for that; a client without is its own person."""
    terms = (*PERIODS, plan("silver USD", at_once("300", **fields)), partner("ib-north USD silver"))
    anna, ann = (
        client(f"{name} ib-north", identity=identity, day=day)
        for name, identity, day in zip(("anna", "ann"), identities, (2, 5), strict=True)
    )
    assert run(*anna, *ann, terms=terms).owed == {NORTH: due}


def test_stages_are_paid_once_each() -> None:
    """100 for a deposit of 100 and 200 for one of 900: ann reaches the second stage, which anna does not."""
    stages = at_once("100"), replace(cpa("200", min_deposit=D(900), min_lots=D(0)), name="second")
    terms = (*PERIODS, plan("silver USD", *stages), partner("ib-north USD silver"))
    more = deposit("ann ann-2 400 USD", day=5, hour=3)
    assert run(*ANNA, *ANN, more, terms=terms).owed == {NORTH: "300.00 USD"}


def test_each_ib_is_paid_once() -> None:
    """Anna comes by north and ann by south: 300 each. Their master keeps 100 of the first, and no more."""
    found = run(*ANNA, *client("ann ib-south", day=5), terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", SOUTH: "300.00 USD", MASTER: "100.00 USD"}


# What takes it back, and what then is due


def test_the_next_client_is_due_once_the_first_is_charged_back() -> None:
    """Anna's 300 go back on day 9, and ann's 300 are due; charged back as well, nothing is left."""
    found = run(*ANNA, *ANN, chargeback("anna anna-1", day=9), terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found)[3:] == ["reversal anna -300", "true_up ann 300"]
    assert news(found) == ["cpa.qualified anna", "cpa.clawback anna", "cpa.qualified ann"]
    assert found.transfers[-1].occurred_at == at(9)
    both = run(*ANNA, *ANN, chargeback("anna anna-1", day=9), chargeback("ann ann-1", day=10), terms=TERMS)
    assert both.balances == {}
    assert news(both)[3:] == ["cpa.clawback ann"]


def test_nothing_is_taken_twice_of_a_client_that_was_not_paid() -> None:
    """Ann's accrual is reversed: the row that took it back is undone. Anna's 300 stay; nobody hears of it."""
    found = run(*ANNA, *ANN, chargeback("ann ann-1", day=9), terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found)[3:] == ["reversal ann -300", "true_up ann 300"]
    assert news(found) == ["cpa.qualified anna"]


def test_a_dispute_that_is_won_brings_the_first_back() -> None:
    """Anna wins: hers is due again, ann's goes back again; each effect has an id of its own."""
    won = ChargebackWon(event_id="won", client_id="anna", deposit_id="anna-1", occurred_at=at(20))
    found = run(*ANNA, *ANN, chargeback("anna anna-1", day=9), won, terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found)[5:] == ["accrual anna 300", "true_up ann -300"]
    assert news(found)[3:] == ["cpa.clawback ann", "cpa.qualified anna"]
    rows = [row.transfer_id for row in found.transfers]
    assert len(set(rows)) == len(rows)
    again = ChargebackReceived(
        event_id="again", client_id="anna", deposit_id="anna-1", occurred_at=at(25), chargeback_id="2"
    )
    third = run(*ANNA, *ANN, chargeback("anna anna-1", day=9), won, again, terms=TERMS)
    assert third.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    heard = [m.milestone_id for m in third.milestones]
    assert len(set(heard)) == len(heard)


def test_a_lower_amount_keeps_its_place() -> None:
    """700 from 1,000 on, 250 below: half of anna's 1,000 goes back: her 250 are paid, not ann's."""
    amounts = (CpaAmount(amount=D(250)), CpaAmount(amount=D(700), min_deposit=D(1000)))
    tiered = replace(at_once("1"), amounts=amounts)
    terms = (*PERIODS, plan("silver USD", tiered), partner("ib-north USD silver"))
    anna = (*ANNA[:2], deposit("anna anna-1 1000 USD", day=2))
    half = replace(chargeback("anna anna-1", day=9), amount=D(500))
    found = run(*anna, *ANN, half, terms=terms)
    assert found.owed == {NORTH: "250.00 USD"}
    assert news(found)[-2:] == ["cpa.clawback ann", "cpa.qualified anna"]
    assert run(*ANN, half, *anna, terms=terms).owed == {NORTH: "250.00 USD"}


def test_currencies_of_plans_and_ibs_do_not_matter() -> None:
    """300 USD at 150 are 45,000 JPY, once."""
    terms = (*PERIODS, plan("silver USD", at_once("300")), partner("ib-north JPY silver"))
    found = run(exchange("USD/JPY 150"), *ANNA, *ANN, terms=terms)
    assert found.owed == {NORTH: "45000 JPY"}


# Gates, holds, tiers, statements


def test_what_waits_behind_the_kyc_gate_is_claimed_when_it_is_released() -> None:
    """Revoked before anna qualifies, hers is held and ann's is paid; released, hers is the first."""
    terms = (*PERIODS, plan("silver USD", at_once("300"), kyc_gate=True), partner("ib-north USD silver"))
    start = (registered("anna ib-north", identity="person-7"), kyc("anna approved", day=1))
    revoked, money = kyc("anna revoked", day=2), deposit("anna anna-1 500 USD", day=3)
    records = (*start, revoked, money, *ANN)
    assert run(*records, terms=terms).owed == {"ib:ib-north:held": "300.00 USD", NORTH: "300.00 USD"}
    found = run(*records, kyc("anna approved", day=9), terms=terms)
    assert found.owed == {NORTH: "300.00 USD"}
    assert news(found) == ["cpa.qualified ann", "cpa.clawback ann", "cpa.qualified anna"]


def test_holds_mature_together() -> None:
    """Under a hold of 30 days both rows of ann's belong to the statement of day 35."""
    held = replace(plan("silver USD", at_once("300")), hold_days=30)
    found = run(*ANNA, *ANN, terms=(*PERIODS, held, partner("ib-north USD silver")))
    assert {row.matures_at for row in found.transfers if row.client_id == "ann"} == {at(35)}


def test_bands_count_persons() -> None:
    """From the second client on twice the amount: anna and ann are one, ben is the second: 600 + 600."""
    tiers = Tiers(by="count", bands=(Band(start=D(2), factor=D(2)),))
    terms = (*PERIODS, plan("silver USD", at_once("300", tiers=tiers)), partner("ib-north USD silver"))
    ben = client("ben ib-north", identity="person-9", day=6)
    assert run(*ANNA, *ANN, terms=terms).owed == {NORTH: "300.00 USD"}
    assert run(*ANNA, *ANN, *ben, terms=terms).owed == {NORTH: "1200.00 USD"}
    assert run(*ben, *ANN, *ANNA, terms=terms).owed == {NORTH: "1200.00 USD"}
    back = chargeback("anna anna-1", day=9), chargeback("ben ben-1", day=9)
    assert run(*ANNA, *ANN, *ben, *back, terms=terms).owed == {NORTH: "300.00 USD"}


def test_a_closed_statement_stays_and_the_next_has_the_difference() -> None:
    """September paid 300 for ann. Anna's deposit of day 2 comes after its end: October pays nothing."""
    found = run(*ANN, ended("2026-09"), *ANNA, ended("2026-10"), terms=TERMS)
    paid = [s.payable for s in found.statements if s.ib_id == "ib-north"]
    assert paid == [D(300), D(0)]


def test_a_plan_that_comes_later_settles_what_waited() -> None:
    """The terms reach the books in their time: nothing is lost of a claim."""
    *rest, north = TERMS[:-1]
    found = run(*ANNA, *ANN, north, terms=rest)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}


# An identity that is told later


def anonymous(records: Iterable[Record]) -> tuple[Record, ...]:
    """The same client before anybody knows who it is."""
    return tuple(replace(r, identity="") if isinstance(r, ClientRegistered) else r for r in records)


def identified(records: Iterable[Record]) -> ClientRegistered:
    """The registration as it is told again, with the identity."""
    found = next(r for r in records if isinstance(r, ClientRegistered))
    return replace(found, event_id=f"{found.event_id} again")


def test_an_identity_told_later_makes_claims_of_what_was_granted() -> None:
    """Both are paid as strangers; then they turn out to be one: ann's 300 go back, her network hears it."""
    records = (*anonymous(ANNA), *anonymous(ANN))
    assert run(*records, terms=TERMS).owed == {NORTH: "600.00 USD", MASTER: "200.00 USD"}
    found = run(*records, identified(ANNA), identified(ANN), terms=TERMS)
    assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
    assert story(found)[2:] == ["true_up ann -300"]
    assert news(found) == ["cpa.qualified anna", "cpa.qualified ann", "cpa.clawback ann"]
    back = run(*records, identified(ANN), identified(ANNA), chargeback("anna anna-1", day=9), terms=TERMS)
    assert news(back)[2:] == ["cpa.clawback ann", "cpa.clawback anna", "cpa.qualified ann"]
    assert len({m.milestone_id for m in back.milestones}) == len(back.milestones)


def test_bands_count_a_person_that_is_known_later() -> None:
    """From the second client on twice the amount: 600 and 600 for two strangers, 300 for one person."""
    tiers = Tiers(by="count", bands=(Band(start=D(2), factor=D(2)),))
    terms = (*PERIODS, plan("silver USD", at_once("300", tiers=tiers)), partner("ib-north USD silver"))
    records = (*anonymous(ANNA), *anonymous(ANN))
    assert run(*records, terms=terms).owed == {NORTH: "1200.00 USD"}
    assert run(*records, identified(ANN), identified(ANNA), terms=terms).owed == {NORTH: "300.00 USD"}


def test_when_an_identity_is_told_changes_no_balance() -> None:
    """Whatever order the facts of two clients come in: 300 and 100."""
    facts = (anonymous(ANNA)[0], identified(ANNA), ANNA[2], ANN[0], ANN[2], identified(ANN))
    back = DepositCleared(
        event_id="d2", client_id="ann", deposit_id="ann-2", amount=D(50), currency="USD", occurred_at=at(6)
    )
    for order in permutations(facts):
        found = run(ANNA[1], ANN[1], *order, back, terms=TERMS)
        assert found.owed == {NORTH: "300.00 USD", MASTER: "100.00 USD"}
        assert found.dead_letters == []


def test_a_client_that_turns_out_to_be_its_own_ib_earns_it_no_cpa() -> None:
    """North's 300 go back, its master keeps 100, as if it had been known; a chargeback takes these too."""
    terms = (*TERMS[:-2], replace(partner("ib-north USD silver ib-master"), identity="person-7"))
    for records in (ANNA, (*anonymous(ANNA), identified(ANNA)), (identified(ANNA), *anonymous(ANNA))):
        assert run(*records, terms=terms).owed == {MASTER: "100.00 USD"}
        assert run(*records, chargeback("anna anna-1", day=9), terms=terms).owed == {}


def test_an_identity_is_added_once() -> None:
    """One that says less is a repeat; another person is refused, with what may be done."""
    silent, other = identified(anonymous(ANNA)), replace(identified(ANNA), identity="person-8")
    assert run(*ANNA, silent, terms=TERMS).dead_letters == []
    refused = run(*ANNA, other, terms=TERMS)
    assert [letter.code for letter in refused.dead_letters] == ["registered_before"]
    assert "only an identity that was missing may be added" in refused.dead_letters[0].reason
    assert refused.happened.count("registration") == 1


# Why


def why(found: Told, number: int) -> str:
    """The sentences about a row."""
    row = found.transfers[number]
    assert isinstance(row, Transfer)
    return " ".join((explain(row).headline, *explain(row).sentences))


def test_explanations_say_which_client_is_paid_and_why_not_the_other() -> None:
    """Each row names both clients, when they qualified, and what set it off."""
    alone = (*PERIODS, plan("silver USD", at_once("300")), partner("ib-north USD silver"))
    found = run(*ANNA, *ANN, chargeback("anna anna-1", day=9), terms=alone)
    assert "It is paid once for a person: were another client of the identity of anna" in why(found, 0)
    taken = why(found, 2)
    assert "300.00 USD was taken back from ib-north: one CPA for one person" in taken
    assert "Client ann qualified at 2026-09-05 00:00 UTC, client anna at 2026-09-02 00:00 UTC." in taken
    assert "the 300.00 USD accrued for client ann go back" in taken
    due = why(found, 4)
    assert "300.00 USD was given to ib-north: one CPA for one person" in due
    assert "The CPA of client anna was taken back. Client ann is the same person" in due
    undone = why(run(*ANNA, *ANN, chargeback("ann ann-1", day=9), terms=alone), 4)
    assert "the person is paid for by client anna: this row undoes that, so nothing is taken twice" in undone


# Rated again by later terms


def approved(client_id: str, proposal: str = "p-1") -> ReratingApproved:
    """A client's CPAs are to be weighed by the terms of now."""
    return ReratingApproved(client_id=client_id, proposal_id=proposal, occurred_at=at(40))


@pytest.mark.parametrize(
    ("component", "due"),
    [
        (at_once("300", cpa_per="client"), "600.00 USD"),  # 300 for each client
        (at_once("350"), "350.00 USD"),
        (at_once("300", tiers=Tiers(by="count", bands=(Band(start=D(1), factor=D(2)),))), "600.00 USD"),
        (at_once("300"), "300.00 USD"),
    ],
)
def test_a_proposal_leads_to_what_later_terms_pay(component: Cpa, due: str) -> None:
    """Both clients are weighed by version 2; the second time says nothing."""
    first = (*PERIODS, plan("silver USD", at_once("300")), partner("ib-north USD silver"))
    records = (*ANNA, *ANN, plan("silver USD", component, version=2), approved("anna"), approved("ann"))
    found = run(*records, terms=first)
    assert found.owed == {NORTH: due}
    again = run(*records, approved("anna", "p-2"), approved("ann", "p-2"), terms=first)
    assert again.transfers == found.transfers
    assert again.milestones == found.milestones


def test_a_proposal_says_nothing_of_bands_that_stay() -> None:
    """Two strangers at twice 300 from the second on, 1,200: under unchanged terms nothing is posted."""
    tiers = Tiers(by="count", bands=(Band(start=D(2), factor=D(2)),))
    terms = (*PERIODS, plan("silver USD", at_once("300", tiers=tiers)), partner("ib-north USD silver"))
    records = (*anonymous(ANNA), *anonymous(ANN))
    before, after = (run(*records, *more, terms=terms) for more in ((), (approved("anna"), approved("ann"))))
    assert before.owed == {NORTH: "1200.00 USD"}
    assert after.transfers == before.transfers


def test_a_proposal_may_make_claims_of_what_each_client_was_paid_for() -> None:
    """600 for two clients under version 1; version 2 pays a person once: 300."""
    first = plan("silver USD", at_once("300", cpa_per="client"))
    records = (*ANNA, *ANN, plan("silver USD", at_once("300"), version=2))
    terms = (*PERIODS, first, partner("ib-north USD silver"))
    assert run(*records, terms=terms).owed == {NORTH: "600.00 USD"}
    assert run(*records, approved("anna"), approved("ann"), terms=terms).owed == {NORTH: "300.00 USD"}


# Bounds


def crowd(number: int) -> list[tuple[Record, ...]]:
    """So many clients of one person, each a day after the one before."""
    return [client(f"c{n:03} ib-north", day=2 + n) for n in range(number)]


ALONE = (*PERIODS, plan("silver USD", at_once("300")), partner("ib-north USD silver"))


@pytest.mark.parametrize("kept", [KEPT_CLAIMS, 2])
def test_of_many_clients_of_one_person_none_is_forgotten(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six more than one state keeps: paid is the first that is left, 300, until all are charged back."""
    monkeypatch.setattr(claims, "KEPT_CLAIMS", kept)
    people = crowd(kept + 6)
    backs = [chargeback(f"c{n:03} c{n:03}-1", day=50 + n) for n in range(len(people))]
    pipeline = LocalPipeline()
    said = list(pipeline.feed([*ALONE, *(record for records in people for record in records)]))
    assert told(said).owed == {NORTH: "300.00 USD"}
    for number, back in enumerate(backs, 1):
        said += pipeline.feed([back])
        assert told(said).owed == ({NORTH: "300.00 USD"} if number < len(backs) else {})
    qualified = [m.client_id for m in told(said).milestones if m.kind == "cpa.qualified"]
    assert qualified == [f"c{n:03}" for n in range(len(people))]


@pytest.mark.parametrize("seed", range(60))
def test_claims_in_any_order_are_paid_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight clients, three kept in one state; some charged back, some identified later: 300, or nothing."""
    monkeypatch.setattr(claims, "KEPT_CLAIMS", 3)
    rng = Random(seed)
    people = crowd(8)
    gone = rng.sample(range(8), rng.choice((0, 3, 7, 8)))
    backs = [chargeback(f"c{n:03} c{n:03}-1", day=30) for n in gone]
    records: list[Record] = []
    for who in people:
        records += [*anonymous(who), identified(who)] if rng.random() < 0.5 else who
    records += backs
    rng.shuffle(records)
    found = run(*records, terms=ALONE)
    assert found.owed == ({} if len(gone) == 8 else {NORTH: "300.00 USD"})
    heard = [m for m in found.milestones if m.kind.startswith("cpa")]
    left = {m.milestone_id: m.client_id for m in heard if m.kind == "cpa.qualified"}
    for taken in heard:
        left.pop(taken.takes_back, "")
    assert list(left.values()) == [f"c{n:03}" for n in range(8) if n not in gone][:1]
    for ids in ([m.milestone_id for m in found.milestones], [row.transfer_id for row in found.transfers]):
        assert len(set(ids)) == len(ids)


def test_a_claim_that_never_came_may_be_withdrawn() -> None:
    """A KYC gate forfeited it together with its accrual: nothing is paid, nothing goes back."""
    withdrawn = Tally(
        ib_id="ib-north",
        plan_id="silver",
        plan_version=1,
        component="cpa",
        client_id="anna",
        caused_by="kyc",
        occurred_at=at(2),
        booked_at=at(9),
        currency="USD",
        amounts=(D(-300),),
        count=-1,
        claim=Claim(person="p", accrual="a"),
    )
    pipeline = LocalPipeline()
    said = [*pipeline.feed(ALONE), *pipeline.feed_batch(topics.PARTNER_BOOK, [withdrawn])]
    assert told(said).transfers == []
    assert [*pipeline.feed(ANNA)] != []
