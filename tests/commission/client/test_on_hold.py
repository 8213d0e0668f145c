"""A client held by a person: what it earns IBs waits, whoever they are, until another person releases it."""

import pytest
from msgspec.structs import replace

from commission.explain.explanation import explain
from commission.terms.components import Rebate, RevenueShare
from commission.terms.rates import Band, Tiers
from schemas.wire import Record, encode
from schemas.wire import decode as read
from tests.build import (
    ANNA,
    PARTNERS,
    SYMBOLS,
    TERMS,
    D,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    ended,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
    symbol,
)
from tests.commission.partner.payout_commands import hold_client, lock, release_client

NORTH, MASTER = "ib:ib-north:pending", "ib:ib-master:pending"
NORTH_HELD, MASTER_HELD = "ib:ib-north:held", "ib:ib-master:held"
MONTHS = (*TERMS, period("2026-09"), period("2026-10"))
ONE, TWO = deal("1 buy 1 EURUSD out", day=3), deal("2 buy 2 EURUSD out", day=6)
BERT = (linked("2 bert"), registered("bert ib-north"), deal("9 buy 1 EURUSD out", login=2, day=4))


def owed(*records: Record, terms: tuple[Record, ...] = MONTHS) -> dict[str, str]:
    """What the IBs have."""
    return run(*records, terms=terms).owed


def test_what_stands_is_held_and_what_comes_later_and_leaves_with_the_release() -> None:
    """A lot earns ib-north 5 and the master 2; Bert, of the same IBs, is not held."""
    before = (*ANNA, *BERT, ONE, hold_client())
    assert owed(*before) == {
        NORTH: "5.00 USD",
        MASTER: "2.00 USD",
        NORTH_HELD: "5.00 USD",
        MASTER_HELD: "2.00 USD",
    }
    later = (*before, TWO)  # 2 lots: 10 and 4 more
    assert owed(*later) == {
        NORTH: "5.00 USD",
        MASTER: "2.00 USD",
        NORTH_HELD: "15.00 USD",
        MASTER_HELD: "6.00 USD",
    }
    assert owed(*later, release_client()) == {NORTH: "20.00 USD", MASTER: "8.00 USD"}
    assert owed(*later, release_client(), replace(TWO, deal_id="3")) == {
        NORTH: "30.00 USD",
        MASTER: "12.00 USD",
    }


def test_a_statement_leaves_out_what_is_held_and_the_next_has_what_was_released() -> None:
    """September states Bert's 5; October, after the release on its sixth day, Anna's 15.

    Of September 5 + 5 + 10 were accrued, and 15 went on hold: 20 - 15 = 5.
    """
    held = run(
        *ANNA,
        *BERT,
        ONE,
        hold_client(),
        TWO,
        ended("2026-09"),
        release_client(),
        ended("2026-10"),
        terms=MONTHS,
    )
    stated = [
        (s.period, *map(str, (s.accrued, s.reversed, s.payable, s.held)))
        for s in held.statements
        if s.ib_id == "ib-north"
    ]
    assert [(name, D(a), D(r), D(p), D(h)) for name, a, r, p, h in stated] == [
        ("2026-09", D(20), D(15), D(5), D(15)),
        ("2026-10", D(15), D(0), D(15), D(0)),
    ]
    assert held.owed == {"ib:ib-north:payable": "20.00 USD", "ib:ib-master:payable": "8.00 USD"}
    assert [answer.is_accepted for answer in held.answers] == [True, True]


def test_a_client_is_held_for_one_ib_alone() -> None:
    """The master goes on earning of Anna."""
    told = (*ANNA, ONE, hold_client("anna ib-north"), TWO)
    assert owed(*told) == {MASTER: "6.00 USD", NORTH_HELD: "15.00 USD"}
    assert owed(*told, release_client("anna ib-north")) == {NORTH: "15.00 USD", MASTER: "6.00 USD"}


def test_accruals_before_the_time_since_which_it_is_held_stay() -> None:
    """Held since day 4: the deal of day 3 stays pending, that of day 6 is held."""
    assert owed(*ANNA, ONE, TWO, hold_client("anna ib-north", since=at(4))) == {
        NORTH: "5.00 USD", NORTH_HELD: "10.00 USD", MASTER: "6.00 USD",
    }  # fmt: skip


def test_what_a_statement_states_already_is_taken_from_the_next_if_it_is_asked_for() -> None:
    """September has stated 5; held since its first day, October carries 5 below zero until the release."""
    said = run(
        *ANNA, ONE, ended("2026-09"), hold_client("anna ib-north", at=at(35)), ended("2026-10"), terms=MONTHS
    )
    assert said.owed == {
        "ib:ib-north:payable": "5.00 USD", NORTH: "-5.00 USD", NORTH_HELD: "5.00 USD",
        "ib:ib-master:payable": "2.00 USD",
    }  # fmt: skip
    (stated,) = [s for s in said.statements if s.payable and s.ib_id == "ib-north"]
    asked = lock("l1 5 USD", stated.statement_id, at=at(70))
    assert stated.closing == 0
    assert asked.amount == stated.payable


def test_a_revision_moves_what_it_changed() -> None:
    """5 are taken back of what is on hold and 10 put there; cancelled, nothing is left on hold."""
    twice = replace(ONE, revision="b", volume_e8=2 * 10**8)
    gone = replace(ONE, revision="c", kind="cancelled")
    told = (*ANNA, ONE, hold_client("anna ib-north"), twice)
    assert owed(*told) == {NORTH_HELD: "10.00 USD", MASTER: "4.00 USD"}
    assert owed(*told, gone) == {}
    assert owed(*told, gone, release_client("anna ib-north")) == {}


def test_less_than_nothing_is_never_on_hold() -> None:
    """What was earned before is taken back of the IB once nothing more is on hold.

    Held since day 4, so that 10 of 15 are on hold; the cancelled deal of day 3 takes 5 of these, that of
    day 6 the 5 that are left, and 5 of what is pending.
    """
    gone = [replace(one, revision="c", kind="cancelled") for one in (ONE, TWO)]
    told = (*ANNA, ONE, TWO, hold_client("anna ib-north", since=at(4)))
    assert owed(*told, gone[0])[NORTH_HELD] == "5.00 USD"
    assert owed(*told, *gone) == {}


def test_what_kyc_lets_go_of_stays_on_hold() -> None:
    """Behind the gate it is held anyway; the approval moves it to pending and from there on hold."""
    gated = (*SYMBOLS, plan("silver USD", per_lot("*=5"), kyc_gate=True), partner("ib-north USD silver"))
    told = (*ANNA, ONE, hold_client(), TWO, kyc("anna approved", day=7))
    assert owed(*told, terms=gated) == {NORTH_HELD: "15.00 USD"}
    assert owed(*told, release_client(), terms=gated) == {NORTH: "15.00 USD"}
    other = (*ANNA, ONE, hold_client(), release_client(), TWO)
    assert owed(*other, terms=gated) == {NORTH_HELD: "15.00 USD"}
    assert owed(*other, kyc("anna approved", day=40), terms=gated) == {NORTH: "15.00 USD"}
    early = (*ANNA, ONE, kyc("anna approved", day=4), hold_client(since=at(4)))
    assert owed(*early, terms=gated) == {NORTH_HELD: "5.00 USD"}  # pending since day 4, not since day 3
    assert owed(*early[:-1], hold_client(since=at(5)), terms=gated) == {NORTH: "5.00 USD"}


def test_cpas_are_held_by_the_time_of_qualification_and_taken_back_of_what_is_held() -> None:
    """A CPA of 300 for the lot of day 5."""
    terms = (
        *SYMBOLS,
        plan("silver USD", cpa("300", min_deposit=D(100), min_lots=D(1))),
        partner("ib-north USD silver"),
    )
    paid = (
        *ANNA,
        kyc("anna approved", day=2),
        deposit("anna d1 200 USD", day=2),
        replace(ONE, occurred_at=at(5)),
    )
    assert owed(*paid, hold_client(since=at(5)), terms=terms) == {NORTH_HELD: "300.00 USD"}
    assert owed(*paid, hold_client(since=at(6)), terms=terms) == {NORTH: "300.00 USD"}
    assert owed(*paid, hold_client(), chargeback("anna d1", day=9), terms=terms) == {}
    assert owed(*ANNA, hold_client(), *paid[2:], terms=terms) == {NORTH_HELD: "300.00 USD"}


def test_what_a_period_settles_leaves_the_sums_and_comes_back() -> None:
    """Anna lost 100 in September, Bert 40: 30 % of 140 are 42, of Bert alone 12; with the release 30 more.

    Her loss of 50 while she is held counts once she is released.
    """
    share = RevenueShare(name="ggr", rates=rates("*=0.3"), terms=("client_result",))
    terms = (
        *SYMBOLS,
        plan("silver USD", share),
        partner("ib-north USD silver"),
        period("2026-09"),
        period("2026-10"),
    )
    lost = [
        replace(deal(f"{number} buy 1 EURUSD out", login=login, day=3), profit=D(-amount))
        for number, login, amount in ((1, 1, 100), (2, 2, 40), (3, 1, 50))
    ]
    known = (*ANNA, *BERT[:2], *lost[:2])
    assert owed(*known, terms=terms) == {NORTH: "42.00 USD"}
    assert owed(*known, hold_client(), terms=terms) == {NORTH: "12.00 USD"}
    assert owed(*known, hold_client(since=at(4)), terms=terms) == {NORTH: "42.00 USD"}
    assert owed(*known, hold_client("anna ib-master"), terms=(*terms, *PARTNERS[:1])) == {NORTH: "42.00 USD"}
    later = (*known, hold_client(), lost[2])
    assert owed(*later, terms=terms) == {NORTH: "12.00 USD"}
    assert owed(*later, release_client(), terms=terms) == {NORTH: "57.00 USD"}  # 30 % of 190
    gone = replace(lost[0], revision="b", kind="cancelled")
    assert owed(*later, gone, release_client(), terms=terms) == {NORTH: "27.00 USD"}  # 30 % of 90
    kept = (*known, hold_client(since=at(4)), gone)
    assert owed(*kept, terms=terms) == {NORTH: "12.00 USD"}  # it was not on hold, so the books lose it


def test_lots_of_a_held_client_reach_no_tier() -> None:
    """From 2 lots on a lot earns half more: Anna's and Bert's together reach it, Bert's alone does not."""
    tiers = Tiers(by="lots", bands=(Band(start=D(2), factor=D("1.5")),), mode="slab")
    terms = (
        *SYMBOLS,
        plan("silver USD", per_lot("*=10", tiers=tiers)),
        partner("ib-north USD silver"),
        period("2026-09"),
    )
    both = (*ANNA, *BERT, ONE)
    assert owed(*both, terms=terms) == {NORTH: "30.00 USD"}
    assert owed(*both, hold_client(), terms=terms) == {NORTH: "10.00 USD", NORTH_HELD: "10.00 USD"}
    assert owed(*both, hold_client(), release_client(at=at(20)), terms=terms) == {NORTH: "30.00 USD"}


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ((hold_client("zoe"),), "no client is called zoe"),
        ((hold_client("anna ib-none"),), "no IB is called ib-none"),
        ((hold_client(reason=" "),), "it needs a reason"),
        ((release_client(),), "nothing is held"),
        ((hold_client("anna ib-north"), release_client()), "it is held for ib-north"),
        ((hold_client(), release_client("anna ib-north")), "it is held for all IBs"),
        ((hold_client(), release_client(by=" ANN ")), "ann held it; another person releases it"),
        ((hold_client(), hold_client("anna ib-north", "h2")), "ann holds it for all IBs already: churning?"),
        ((hold_client("anna ib-north"), hold_client(change_id="h2")),
         "ann holds it for ib-north already: churning?"),
        ((hold_client(), hold_client(reason="other")), "it was commanded before, with other content"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_changes_nothing(commands: tuple[Record, ...], why: str) -> None:
    """The client's book decides alone, and answers."""
    said, before = run(*ANNA, ONE, *commands, terms=MONTHS), run(*ANNA, ONE, *commands[:-1], terms=MONTHS)
    assert said.answers[-1].reason == why
    assert not said.answers[-1].is_accepted
    assert said.owed == before.owed


def test_a_repeated_command_does_nothing_more() -> None:
    """It is answered once."""
    told = (*ANNA, ONE, hold_client(), hold_client(), release_client(), hold_client(), release_client())
    said = run(*told, terms=MONTHS)
    assert [answer.command for answer in said.answers] == ["hold_client", "release_client"]
    assert said.owed == {NORTH: "5.00 USD", MASTER: "2.00 USD"}


def test_commands_travel_as_lines_and_keep_their_ids() -> None:
    """Written and read again a command is the same one."""
    for one in (hold_client("anna ib-north"), release_client()):
        again = read(encode([one])[0])
        assert (again, again.command_id) == (one, one.command_id)  # type: ignore[union-attr]


def test_rows_of_holds_are_explained() -> None:
    """Who held and why, what took from it, who let go."""
    gone = replace(ONE, revision="c", kind="cancelled")
    said = run(
        *ANNA, ONE, hold_client("anna ib-north"), TWO, gone, release_client("anna ib-north"), terms=MONTHS
    )
    told = [explain(row) for row in said.transfers if row.code == "hold"]
    held = "ann holds client anna: churning?."
    waits = "No statement has it until another person releases the client."
    assert [(one.headline, one.sentences) for one in told] == [
        ("5.00 USD of ib-north was put on hold: what client anna earned it", (held, waits)),
        ("10.00 USD of ib-north was put on hold: what client anna earned it", (held, waits)),
        (
            "5.00 USD of ib-north came off hold: what client anna earned it",
            (held, "live|1 took as much back of what the client earns; what is on hold goes first."),
        ),
        (
            "10.00 USD of ib-north came off hold: what client anna earned it",
            (
                "ben released client anna at 2026-10-06 00:00:00 UTC: it was not.",
                "It is on the open statement.",
            ),
        ),
    ]


def test_a_loss_of_what_was_not_on_hold_moves_nothing_there() -> None:
    """Held since day 4; the deal of day 3 stood, is cancelled, and its 5 and 2 leave what is pending."""
    gone = replace(ONE, revision="b", kind="cancelled")
    assert owed(*ANNA, ONE, hold_client(since=at(4)), gone) == {}


def test_a_rebate_out_of_the_ibs_money_is_not_held_with_it() -> None:
    """5 a lot less the 2 that go to Anna: 3 are held, and her 2 are hers. Of the broker's, all 5 are held."""
    for funded_by, kept in (("ib", "3.00 USD"), ("broker", "5.00 USD")):
        rebate = Rebate(name="b", rates=rates("*=2"), funded_by=funded_by)  # type: ignore[arg-type]
        own = (*SYMBOLS, plan("own USD", per_lot("*=5"), rebate), partner("ib-north USD own"))
        terms = (*own, period("2026-09"), period("2026-10"))
        client = {"client:anna:rebate": "2.00 USD"}
        assert owed(*ANNA, ONE, hold_client(), terms=terms) == {NORTH_HELD: kept, **client}
        assert owed(*ANNA, ONE, hold_client(), release_client(), terms=terms) == {NORTH: kept, **client}


def test_a_share_of_losses_held_for_two_ibs_is_released_for_one() -> None:
    """Of 100 that Anna loses ib-north has 30 % and its master the 10 % more; the master stays held."""
    gold, silver = (
        plan(f"{name} USD", RevenueShare(name="ggr", rates=rates(f"*={rate}"), terms=("client_result",)))
        for name, rate in (("gold", "0.4"), ("silver", "0.3"))
    )
    terms = (*SYMBOLS, gold, silver, *PARTNERS, period("2026-09"), period("2026-10"))
    known = (*ANNA, replace(ONE, profit=D(-100)))
    both = hold_client("anna ib-north"), hold_client("anna ib-master", "h2")
    assert owed(*known, terms=terms) == {NORTH: "30.00 USD", MASTER: "10.00 USD"}
    assert owed(*known, *both, terms=terms) == {}
    assert owed(*known, *both, release_client("anna ib-north"), terms=terms) == {NORTH: "30.00 USD"}


def test_a_deal_that_waited_for_its_symbol_is_held_once_that_is_known() -> None:
    """A lot of GBPUSD of a held client waits for the terms; then its 5 and 2 are on hold."""
    waits = deal("7 buy 1 GBPUSD out", day=3)
    told = (*ANNA, hold_client(), waits, symbol("GBPUSD forex 100000 USD 0.0001"))
    assert owed(*told) == {NORTH_HELD: "5.00 USD", MASTER_HELD: "2.00 USD"}
