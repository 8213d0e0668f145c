"""Later commission charges of an account: allocated to the symbols it traded, and shared like others."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import field

from commission.client.state import ClientState, DealState
from commission.events import Deal
from commission.money import to_accrual
from commission.rating.components.lots import standard
from commission.rating.rate import rate
from commission.rating.values import ZERO, Earned, Part, Rated, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline
from commission.value import Value

Lots = dict[str, int]
"""The server's symbol → 1e-8 standard lots."""


class Volumes(Value):
    """What an account traded since its last commission charge."""

    lots_e8: Lots = field(default_factory=dict)
    newest: datetime | None = None
    """When the newest deal of that was: an earlier charge is for some of it only."""
    last: str = ""
    """The last charge by its own time: the business key of its deal."""
    last_at: datetime | None = None
    since: datetime | None = None
    """When the charge before that was."""

    def is_of_last(self, at: datetime) -> bool:
        """Whether the last charge is for what was traded then, where that is not for the next."""
        return self.since is None or at > self.since

    def is_in_order(self, charge: Deal) -> bool:
        """Whether a charge is the last, and for all that was traded since the one before it."""
        at = charge.occurred_at
        is_last = self.last_at is None or (at, charge.deal_key) > (self.last_at, self.last)
        return is_last and (self.newest is None or self.newest <= at)


class LaterCharge(Value):
    """A later charge of an account, and what the account traded between the charge before it and this one."""

    deal: Deal
    lots_e8: Lots = field(default_factory=dict)

    @property
    def place(self) -> tuple[datetime, str]:
        """Its place among the account's charges."""
        return self.deal.occurred_at, self.deal.deal_key


def charged_e8(part: Part) -> int:
    """As how many 1e-8 standard lots a deal counts: one account trades lots of several sizes."""
    return int(standard(part, Decimal(part.deal.volume_e8)).to_integral_value())


def with_volume(lots_e8: Lots, symbol: str, volume_e8: int) -> Lots:
    """Volumes with more, or less, of one symbol; nothing of a symbol is not listed."""
    total = lots_e8.get(symbol, 0) + volume_e8
    rest = {name: lots for name, lots in lots_e8.items() if name != symbol}
    return {**rest, symbol: total} if total > 0 else rest


def grouped(charges: list[LaterCharge], deals: Iterable[DealState]) -> tuple[list[LaterCharge], Volumes]:
    """Each charge, in the order of time, with what was traded since the one before; what no charge is for."""
    times = [one.deal.occurred_at for one in charges]
    lots: list[Lots] = [{} for _ in range(len(charges) + 1)]
    newest: datetime | None = None
    for deal in deals:
        assert deal.at is not None, "a deal that counts has a time"
        number = bisect_left(times, deal.at)
        lots[number] = with_volume(lots[number], deal.volume, deal.volume_e8)
        if number == len(charges):
            newest = deal.at if newest is None else max(newest, deal.at)
    after = Volumes(lots_e8=lots[-1], newest=newest)
    if charges:
        last, last_at = charges[-1].deal, times[-1]
        since = times[-2] if len(charges) > 1 else None
        after = Volumes(lots_e8=lots[-1], newest=newest, last=last.deal_key, last_at=last_at, since=since)
    return [LaterCharge(deal=c.deal, lots_e8=own) for c, own in zip(charges, lots, strict=False)], after


def charge_of(deal: Deal) -> Decimal:
    """What a commission deal charged the client; below 0 a refund."""
    return -(deal.profit + deal.commission + deal.fee)


def rate_charge(
    client: ClientState,
    deal: Deal,
    amount: Decimal,
    volumes: Lots,
    chain: Upline,
    terms: Terms,
) -> Rated | Reason:
    """What a daily or monthly commission deal earns, symbol by symbol, and adds to what a period settles.

    The reason where a rate of exchange is missing: a charge is not paid in part either.
    """
    traded = dict(sorted(volumes.items()))
    earned: list[Earned] = []
    worths: dict[tuple[int, str], TallyAmounts] = {}
    trait = Trait(client.client_id, deal.account_key, deal.group, client.country)
    channel = client.click.get("channel", "")
    shared = chain._replace(sharings=chain.charges, rebates=(), is_simple=False)
    for name, charge in allocated(amount, traded).items():
        symbol = terms.symbol(deal.server, name, deal.occurred_at)
        if symbol is None:
            continue  # its deals wait for the symbol as well
        lots = Decimal(traded[name]).scaleb(-8)
        if symbol.contract_size != symbol.standard_contract_size:
            lots = lots * symbol.standard_contract_size / symbol.contract_size
        part = Part(deal, symbol, symbol.contract_size, ZERO, lots, trait, channel, charge=charge)
        outcome = rate(part, shared, terms)
        if isinstance(outcome, Reason) and outcome.code == "no_rate":
            return outcome
        if isinstance(outcome, Rated):
            earned.extend(outcome.earned)
            for worth in outcome.worths:
                place = worth.depth, worth.component
                worths[place] = _as_money(worth, worths.get(place))
    return Rated(tuple(earned), tuple(worths.values()))


def _as_money(worth: TallyAmounts, more: TallyAmounts | None) -> TallyAmounts:
    """One symbol's part of a charge beside others': money alone, for its deals count by themselves."""
    others = (ZERO,) * len(worth.amounts) if more is None else more.amounts
    amounts = tuple(one + other for one, other in zip(worth.amounts, others, strict=True))
    return worth._replace(amounts=amounts, lots=ZERO, notional=ZERO, deals=0)


def allocated(amount: Decimal, volumes: Lots) -> dict[str, Decimal]:
    """By volume, exactly: the last symbol takes what rounding leaves."""
    total, rest = sum(volumes.values()), amount
    shares: dict[str, Decimal] = {}
    for number, (name, volume) in enumerate(volumes.items(), 1):
        shares[name] = rest if number == len(volumes) else to_accrual(amount * volume / total)
        rest -= shares[name]
    return shares
