"""The facts of an explanation: inputs, factors with their units, the path, gates, the reason."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from commission.accounts import is_held
from commission.events import Deal
from commission.explain import words
from commission.explain.periods import measure_unit
from commission.explain.rules import rate_in_words
from commission.explain.story import ENTRIES, volume
from commission.explain.subject import Subject, text
from commission.money import plain
from commission.outputs import Transfer


class Fact(NamedTuple):
    """A name and its value, as text."""

    name: str
    value: str


class Factor(NamedTuple):
    """One thing the amount was made of; `value` is exact, `shown` is for people, with its unit."""

    name: str
    label: str
    value: str
    shown: str
    note: str


class Step(NamedTuple):
    """One IB on the way up from the client."""

    ib_id: str
    name: str
    depth: int
    is_this: bool


class Why(NamedTuple):
    """Why a deal pays nothing, or nothing yet: the code, what it means, and what the engine said."""

    code: str
    status: str
    meaning: str
    text: str


# Inputs


def inputs(subject: Subject) -> Iterator[Fact]:
    """The deal's facts as far as they are known, and the rule that read them."""
    row = subject.row
    yield from of_deal(subject.deal) if subject.deal is not None else _of_row(row)
    if row.revision and (subject.deal is None or row.revision != subject.deal.revision):
        yield Fact("Revision this amount arose from", row.revision)
    if row.plan_id:
        name = f" ({subject.plan.name})" if subject.plan is not None and subject.plan.name else ""
        yield Fact("Plan", f"{row.plan_id}{name}")
        yield Fact("Plan version", str(row.plan_version))
        yield Fact("Rule", row.rule)
    if row.period:
        yield Fact("Period", row.period)


def _of_row(row: Transfer) -> Iterator[Fact]:
    yield Fact("Caused by", row.caused_by)
    yield Fact("Time", words.when(row.occurred_at))
    for name, value in (("Client", row.client_id), ("Account", row.account_key), ("Symbol", row.symbol)):
        if value:
            yield Fact(name, value)


def of_deal(deal: Deal) -> Iterator[Fact]:
    """What the platform reported, without what it left empty."""
    for name, value in (
        ("Deal", deal.deal_key),
        ("Revision", deal.revision),
        ("Kind", deal.kind if deal.kind != "trade" else ""),
        ("Time", words.when(deal.occurred_at)),
        ("Server time", deal.server_time),
        ("Account", deal.account_key),
        ("Account group", deal.group),
        ("Symbol", deal.symbol),
        ("Side", deal.side or ""),
        ("Entry", f"{deal.entry} ({ENTRIES[deal.entry]})" if deal.entry in ENTRIES else deal.entry or ""),
        ("Volume", words.lots(volume(deal)) if deal.volume_e8 else ""),
        ("Position", "not given by its source" if deal.position_id is None else deal.position_id),
        ("Price", _if_told(deal.price)),
        ("Bid", _if_told(deal.bid)),
        ("Ask", _if_told(deal.ask)),
        ("Contract size", _if_told(deal.contract_size)),
        ("Profit", _sum(deal.profit, deal)),
        ("Commission", _sum(deal.commission, deal)),
        ("Fee", _sum(deal.fee, deal)),
        ("Swap", _sum(deal.swap, deal)),
        ("Deposit currency", deal.currency),
        ("Rate to the deposit currency", _if_told(deal.rate_profit)),
        ("Balance", _money(deal.balance, deal)),
        ("Equity", _money(deal.equity, deal)),
        ("Credit", _money(deal.credit, deal)),
        ("Placed by", deal.reason),
        ("Comment", deal.comment),
        ("Source", deal.source),
    ):
        if value:
            yield Fact(name, value)


def _if_told(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _money(value: Decimal | None, deal: Deal) -> str:
    return "" if value is None else words.money(value, deal.currency)


def _sum(value: Decimal, deal: Deal) -> str:
    return words.money(value, deal.currency) if value else ""


# Factors


def factors(subject: Subject) -> Iterator[Factor]:
    """Each in the order it was used."""
    for name, value in subject.factors.items():
        word = words.word(words.base_name(name))
        rule = name.rpartition(": ")[0]
        label = f"{rule}: {word.label}" if rule else word.label
        exact = plain(value) if isinstance(value, Decimal) else value
        yield Factor(name, label, exact, _shown(name, value, subject), word.note)


def _shown(name: str, value: Decimal | str, subject: Subject) -> str:
    base, rule = words.base_name(name), name.rpartition(": ")[0]
    if isinstance(value, str):
        return words.exchange(value) if base in _RATES else value
    siblings = {
        words.base_name(other): found
        for other, found in subject.factors.items()
        if other.rpartition(": ")[0] == rule
    }
    unit = words.word(base).unit
    if unit == "rate":
        return rate_in_words(subject.row.component, value, siblings, subject.currency)
    if unit == "measure":
        return f"{words.number(value)} {measure_unit(subject)}".rstrip()
    if unit in ("ib", "gross", "named", "account"):
        return words.money(value, _currency(unit, subject, siblings))
    return _PLAINLY.get(unit, words.number)(value)


_RATES = ("exchange", "notional_rate", "payout_rate")
_PLAINLY = {"lots": words.lots, "percent": words.percent}


def _currency(unit: str, subject: Subject, siblings: dict[str, Decimal | str]) -> str:
    if unit == "gross":
        return text(siblings, "gross_currency") or subject.currency
    if unit == "named":
        return text(siblings, "currency")
    if unit == "account":
        return subject.deal.currency if subject.deal is not None else ""
    return subject.currency


# The tree and the gates


def path(subject: Subject) -> Iterator[Step]:
    """The IBs above the client as of the deal, the direct one first."""
    row = subject.row
    for depth, ib_id in enumerate(row.path):
        yield Step(ib_id, subject.names.get(ib_id, ""), depth, ib_id == row.ib_id)


def gates(subject: Subject) -> Iterator[Fact]:
    """What has to happen before the amount is paid."""
    row, plan = subject.row, subject.plan
    if row.code not in ("accrual", "true_up", "reversal"):
        return
    if _is_held(row):
        late = plan.kyc_forfeit_days if plan is not None else 0
        forfeit = f"; forfeited if that comes more than {late} days after the deal" if late else ""
        yield Fact("KYC hold", f"held until the client's KYC is approved{forfeit}")
    elif row.code != "reversal":
        yield Fact("KYC hold", "none: it goes into a statement without waiting for the client's KYC")
    if row.matures_at is not None:
        yield Fact("Maturity", f"it belongs to the statement of {words.when(row.matures_at)}")
    if plan is None:
        return
    if plan.ib_kyc_gate:
        yield Fact("IB's KYC", "nothing becomes payable before the IB's own KYC is approved")
    if plan.agreement_gate:
        yield Fact("Agreement", "nothing becomes payable before the IB has accepted its agreement")
    if plan.min_payout:
        least = words.money(plan.min_payout, subject.currency)
        yield Fact("Least payout", f"a statement below {least} is carried over")


def _is_held(row: Transfer) -> bool:
    return is_held(row.credit) or (row.code == "reversal" and is_held(row.debit))
