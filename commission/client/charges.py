"""Later commission charges of an account: allocated to the symbols it traded, and shared like others."""

from decimal import Decimal

from msgspec.structs import replace

from commission.client.state import Volumes
from commission.events import Deal
from commission.money import to_accrual
from commission.rating.components.lots import standard
from commission.rating.rate import rate
from commission.rating.values import ZERO, Earned, Part, Rated
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline


def charged_e8(part: Part) -> int:
    """As how many 1e-8 standard lots a deal counts: one account trades lots of several sizes."""
    return int(standard(part, Decimal(part.deal.volume_e8)).to_integral_value())


def with_volume(known: Volumes, symbol: str, volume_e8: int) -> Volumes:
    """The account's volumes with more, or less, of one symbol."""
    total = known.lots_e8.get(symbol, 0) + volume_e8
    return replace(known, lots_e8={**known.lots_e8, symbol: max(0, total)})


def charge_of(deal: Deal) -> Decimal:
    """What a commission deal charged the client; below 0 a refund."""
    return -(deal.profit + deal.commission + deal.fee)


def with_charge(volumes: Volumes, deal: Deal, *, is_again: bool) -> Volumes:
    """The account's volumes with one more charge of them: what was traded since is counted from 0.

    A charge that is told again, or made again of the same volumes (`is_again`), is for what it was for. One
    that is told after a later one takes what is not charged yet, and leaves the later one alone.
    """
    last = volumes.last
    if last is not None and last.deal_key == deal.deal_key:
        return replace(volumes, last=deal)
    if last is not None and deal.occurred_at < last.occurred_at:
        return replace(volumes, lots_e8={})
    charged = volumes.charged_e8 if is_again and not any(volumes.lots_e8.values()) else volumes.lots_e8
    since = None if last is None else last.occurred_at
    return Volumes(charged_e8=charged, last=deal, since=since)


def without_charge(volumes: Volumes, deal: Deal) -> Volumes:
    """The last charge is none any more: what it was for waits for the next."""
    if volumes.last is None or volumes.last.deal_key != deal.deal_key:
        return volumes
    for symbol, volume_e8 in volumes.charged_e8.items():
        volumes = with_volume(volumes, symbol, volume_e8)
    return replace(volumes, charged_e8={}, last=None)


def rate_charge(
    deal: Deal,
    amount: Decimal,
    trait: Trait,
    volumes: dict[str, int],
    chain: Upline,
    terms: Terms,
) -> tuple[Earned, ...]:
    """What a daily or monthly commission deal earns, symbol by symbol; () if nothing or nobody."""
    traded = {name: lots for name, lots in sorted(volumes.items()) if lots}
    if not traded or not amount:
        return ()
    earned: list[Earned] = []
    shared = chain._replace(sharings=chain.charges, rebates=(), is_simple=False)
    for name, charge in allocated(amount, traded).items():
        symbol = terms.symbol(deal.server, name, deal.occurred_at)
        if symbol is None:
            continue  # its deals wait for the symbol as well
        lots = Decimal(traded[name]).scaleb(-8)
        if symbol.contract_size != symbol.standard_contract_size:
            lots = lots * symbol.standard_contract_size / symbol.contract_size
        part = Part(deal, symbol, symbol.contract_size, ZERO, lots, trait, charge=charge)
        outcome = rate(part, shared, terms)
        if isinstance(outcome, Rated):
            earned.extend(outcome.earned)
    return tuple(earned)


def allocated(amount: Decimal, volumes: dict[str, int]) -> dict[str, Decimal]:
    """By volume, exactly: the last symbol takes what rounding leaves."""
    total, rest = sum(volumes.values()), amount
    shares: dict[str, Decimal] = {}
    names = list(volumes)
    for name in names[:-1]:
        shares[name] = to_accrual(amount * volumes[name] / total)
        rest -= shares[name]
    return {**shares, names[-1]: rest}
