"""A small broker for each seed: terms, clients, deals with revisions, a chargeback, the end of a month."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from msgspec.structs import replace

from commission.events import AccountLinked, ChargebackWon, Deal, WithdrawalPaid
from commission.ledger import ledger_hash
from commission.outputs import Milestone, Statement, Transfer
from commission.payouts.commands import AnyCommand
from commission.payouts.exchange import Exchange
from commission.payouts.tax import Tax
from commission.postbacks.records import Endpoint, EndpointSaved
from commission.terms.components import DepositShare
from commission.terms.rates import Band, Tiers
from schemas import topics
from schemas.wire import Record, encode
from streams.in_memory import LocalPipeline, entry_topic
from tests.build import (
    SYMBOLS,
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
    registered,
    reopened,
)
from tests.commission.partner.payout_commands import bounced, change, hold, hold_client, lock, release_client
from tests.commission.partner.payout_commands import paid as paid_by
from tests.simulation.world import COUNTS, Place

SHORT = -1
"""The number of the shortest story, for crashes at every step."""
STORIES = 24
"""Different brokers; how their records are split and what befalls them is different for every seed."""

TIERED = Tiers(by="lots", bands=(Band(start=D(2), factor=D("1.5")),))
EASY_CPA = cpa("300", min_deposit=D(100), min_lots=D(1))
NET_SHARE = DepositShare(name="net", share=D("0.01"), of="net")
"""A withdrawal that counted twice would show here."""
TERMS: tuple[Record, ...] = (
    SYMBOLS[0],
    plan("gold USD", per_lot("*=7")),
    plan("silver USD", per_lot("class:forex=5 XAU*=7", tiers=TIERED), EASY_CPA, NET_SHARE),
    plan("gated USD", per_lot("*=3"), kyc_gate=True),
    partner("ib-master USD gold"),
    partner("ib-north USD silver ib-master"),
    partner("ib-south USD gated ib-master"),
    period("2026-09"),
    period("2026-10"),
)
GOLD = SYMBOLS[3]
"""Becomes known in a message of its own: deals in it are parked until then."""
CLIENTS = {"anna": "ib-north", "cleo": "ib-south"}
BAD_LINE = b'{"type":"deal","server":'


@dataclass(frozen=True, slots=True)
class Story:
    """What a broker tells, in order: a line, or lines that become known together, and their partition."""

    lines: tuple[tuple[Place, bytes], ...]
    end: tuple[tuple[Place, bytes], ...]
    """The end of the month: told when everything before it has been applied."""
    payouts: tuple[tuple[Place, bytes], ...]
    """Commands, some of them again: written when the month is closed."""
    ledger: str
    """Hash of the ledger that `LocalPipeline` makes of it where everything is told once."""
    milestones: frozenset[str]
    """Ids of the milestones of its facts; a CPA's depend on what is known first."""


TRACKER = EndpointSaved(endpoint=Endpoint(endpoint_id="tracker"), version=1, sealed="s", by="anna", at=at(1))
"""Hears of everything."""


@cache
def story(number: int) -> Story:
    """One of the brokers."""
    chance = random.Random(number)
    once = shortest() if number == SHORT else events(chance)
    if number % 3 == 0:
        once = handed_over(once, random.Random(f"handed over {number}"))
    terms = [TERMS, (GOLD,)]
    end: list[Record] = [ended("2026-09")]
    pipeline = LocalPipeline()
    outputs = [*pipeline.feed([*(record for records in terms for record in records), *once, *end])]
    commands = payouts([one for one in outputs if isinstance(one, Statement)], is_reopened=bool(number % 2))
    for one in commands:
        outputs += pipeline.feed_batch(place_of(one)[0], [one])
    ledger = ledger_hash(output for output in outputs if isinstance(output, Transfer))
    milestones = of_facts(output for output in outputs if isinstance(output, Milestone))
    known = [((topics.TERMS, 0), b"\n".join(encode(records))) for records in terms]
    known.insert(0, ((topics.ENDPOINTS, 0), encode([TRACKER])[0]))
    lines = [*known, *placed(once if number == SHORT else told_again(once, chance))]
    lines.insert(len(known) + number % 7, ((topics.ACCOUNT_BOOK, 0), BAD_LINE))
    if number % 2:  # the month ends too early, and that is taken back: the ledger is as if it had not
        early = replace(ended("2026-09"), at=at(39), early="by mistake")
        wrong, back = placed([early, reopened("2026-09")])
        place = len(known) + number % 3
        lines.insert(place, wrong)
        lines.insert(max(place + 1, len(lines) - number % 3), back)
    paid = placed(commands if number == SHORT else told_again(commands, chance, as_it_was=1.0))
    return Story(tuple(lines), tuple(placed(end)), tuple(paid), ledger, milestones)


VAT, KEPT = Tax(kind="vat", percent=D(19)), Tax(kind="withholding", percent=D(10))
YEN = Exchange(currency="JPY", times=D(150), over=D(1), path="USD/JPY 150", at=at(39))


def payouts(statements: list[Statement], *, is_reopened: bool) -> list[Record]:
    """Each statement is locked and comes back, once after it was paid, and is paid by a third line in yen.

    Both payments have tax. An IB is given 5 by hand. What both clients earned is held; one is let go of.

    Of a period that was opened again the ids of statements depend on what was known at its early end.
    """
    told: list[Record] = [change("adjustment 5 USD", at=at(45)), hold(ib_id="ib-south", at=at(45))]
    told += [
        hold_client("cleo", at=at(45)),
        hold_client("anna", at=at(45)),
        release_client("anna", at=at(46)),
    ]
    for one in statements:
        if one.payable and not is_reopened:
            ib_id, amount = one.ib_id, f"{one.payable} {one.currency}"
            told += [
                lock(f"{ib_id}-1 {amount}", one.statement_id, ib_id=ib_id),
                bounced(f"{ib_id}-1", ib_id=ib_id),
                lock(f"{ib_id}-2 {amount}", one.statement_id, ib_id=ib_id, tax=VAT),
                paid_by(f"{ib_id}-2", ib_id=ib_id),
                bounced(f"{ib_id}-2", ib_id=ib_id),
                lock(f"{ib_id}-3 {amount}", one.statement_id, ib_id=ib_id, tax=KEPT, exchange=YEN),
                paid_by(f"{ib_id}-3", ib_id=ib_id),
            ]
    return told


def of_facts(milestones: Iterable[Milestone]) -> frozenset[str]:
    """Those that a single fact makes, whatever else is known."""
    facts = {"registration", "deposit", "ftd", "kyc.approved"}
    return frozenset(milestone.milestone_id for milestone in milestones if milestone.kind in facts)


def shortest() -> list[Record]:
    """A deal, and its correction, which is another client's: enough for an output of every stage."""
    first = deal("1 buy 3 EURUSD out", login=1, day=5, bid=D(1), ask=D("1.1"))
    return [
        registered("anna ib-north"),
        registered("cleo ib-south"),
        linked("1 anna"),
        linked("1 cleo", day=10),
        first,
        replace(first, volume_e8=2 * (first.volume_e8 or 1), revision="b", occurred_at=at(12)),
    ]


def events(chance: random.Random) -> list[Record]:
    """Clients, accounts, deposits and deals in an order that keeps what must follow behind."""
    told: list[Record] = []
    for login, (client, ib_id) in enumerate(CLIENTS.items(), 1):
        told += [
            registered(f"{client} {ib_id}"),
            linked(f"{login} {client}"),
            deposit(f"{client} d-{client} 500 USD", day=2),
        ]
    told.append(kyc("cleo approved", day=2 + chance.randrange(3)))
    deals: list[Record] = []
    for number in range(chance.randint(3, 5)):
        login, symbol = chance.randint(1, len(CLIENTS)), chance.choice(("EURUSD", "XAUUSD"))
        day, lots = chance.randint(3, 25), chance.choice(("0.5", "1", "3"))
        first = deal(f"{number} buy {lots} {symbol} out", login=login, day=day, bid=D(1), ask=D("1.1"))
        deals.append(first)
        if chance.random() < 0.3:
            deals.append(replace(first, revision="b", volume_e8=2 * (first.volume_e8 or 1)))
    told += deals
    who = chance.choice([*CLIENTS])
    told.append(withdrawal(who, chance))
    part = chance.choice((None, D(125), D(250)))
    taken = replace(chargeback(f"{who} d-{who}", day=26), amount=part, chargeback_id=f"dispute-{who}")
    told.append(taken)
    if chance.random() < 0.5:
        won = chance.choice((None, D(50)))
        told.append(
            ChargebackWon(
                event_id=f"won {who}",
                client_id=who,
                deposit_id=taken.deposit_id,
                occurred_at=at(28),
                amount=won,
                chargeback_id=chance.choice(("", taken.chargeback_id)),
            )
        )
    return told


def handed_over(once: list[Record], chance: random.Random) -> list[Record]:
    """Anna's account is Cleo's for some days; edits of its deals move many of them between the two."""
    told: list[Record] = []
    for record in once:
        told.append(record)
        if isinstance(record, AccountLinked) and record.login == 1:
            told += [linked("1 cleo", day=10), linked("1 anna", day=18)]
        if isinstance(record, Deal) and record.login == 1 and record.revision == "a":
            days = [chance.randint(3, 25) for _ in range(chance.randint(0, 3))]
            told += [replace(record, revision=f"m{n}", occurred_at=at(day)) for n, day in enumerate(days)]
            if chance.random() < 0.2:
                ended = replace(record, revision="x", kind="cancelled", occurred_at=at(chance.randint(3, 25)))
                told.append(ended)
    return told


def withdrawal(client_id: str, chance: random.Random) -> WithdrawalPaid:
    """Money that goes out again."""
    return WithdrawalPaid(
        event_id=f"withdrawal {client_id}",
        withdrawal_id=f"w-{client_id}",
        client_id=client_id,
        amount=D(chance.choice((100, 200))),
        currency="USD",
        occurred_at=at(chance.randint(10, 20)),
    )


def told_again(once: list[Record], chance: random.Random, as_it_was: float = 0.3) -> list[Record]:
    """Each fact may come again at any later place: as it was, or of another source under another event id.

    None of that has an effect; a later revision of a deal has taken the place of the one that comes again.
    """
    told = list(once)
    for record in once:
        while chance.random() < 0.4:
            again = (
                record
                if chance.random() < as_it_was
                else replace(record, **of_another_source(record, chance))
            )
            first = next(n for n, known in enumerate(told) if known is record)
            told.insert(chance.randint(first + 1, len(told)), again)
    return told


def of_another_source(record: Record, chance: random.Random) -> dict[str, str]:
    """What tells a fact from itself: where it was read, and for an event its id."""
    source = {"source": f"copy-{chance.randrange(1_000)}"}
    if not hasattr(record, "event_id"):
        return source
    return source | {"event_id": f"{record.event_id} again {chance.randrange(1_000_000)}"}


def placed(records: list[Record]) -> list[tuple[Place, bytes]]:
    """Lines with the topic partition that ingest writes them to."""
    return [(place_of(record), line) for record, line in zip(records, encode(records), strict=True)]


def place_of(record: Record) -> Place:
    """By account, by client, or as terms."""
    topic = entry_topic(record)
    if isinstance(record, AnyCommand):
        return topics.PARTNER_BOOK, topics.partition_of(record.ib_id, COUNTS[topics.PARTNER_BOOK])
    if topic == topics.TERMS:
        return topic, 0
    key = record.account_key if isinstance(record, Deal | AccountLinked) else getattr(record, "client_id", "")
    return topic, topics.partition_of(key, COUNTS[topic])


def split(lines: tuple[tuple[Place, bytes], ...], chance: random.Random) -> list[tuple[Place, bytes]]:
    """Micro-batches: runs of lines of one partition, as long as chance wants, in order within it."""
    messages: list[tuple[Place, bytes]] = []
    open_: dict[Place, list[bytes]] = {}
    for place, line in lines:
        open_.setdefault(place, []).append(line)
        if place[0] == topics.TERMS or chance.random() < 0.25:
            messages.append((place, b"\n".join(open_.pop(place))))
    messages += [(place, b"\n".join(rest)) for place, rest in open_.items()]
    return messages
