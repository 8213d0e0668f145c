"""Later commission charges of an account: allocated to the symbols it traded, and shared like others."""

from decimal import Decimal

from commission.client.state import Volumes
from commission.events import Deal
from commission.money import to_accrual
from commission.rating.rate import rate
from commission.rating.values import ZERO, Earned, Part, Rated
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline


def with_volume(known: Volumes, symbol: str, volume_e8: int) -> Volumes:
    """The account's volumes with more, or less, of one symbol."""
    total = known.lots_e8.get(symbol, 0) + volume_e8
    return Volumes(lots_e8={**known.lots_e8, symbol: max(0, total)})


def rate_charge(
    deal: Deal, trait: Trait, volumes: Volumes, chain: Upline, terms: Terms
) -> tuple[Earned, ...]:
    """What a daily or monthly commission deal earns, symbol by symbol; () if nothing or nobody."""
    traded = {name: lots for name, lots in sorted(volumes.lots_e8.items()) if lots}
    amount = -(deal.profit + deal.commission + deal.fee)
    if not traded or amount <= 0:
        return ()
    earned: list[Earned] = []
    shared = chain._replace(sharings=chain.charges, rebates=(), is_simple=False)
    for name, charge in allocated(amount, traded).items():
        symbol = terms.symbol(deal.server, name, deal.occurred_at)
        if symbol is None:
            continue  # its deals wait for the symbol as well
        lots = Decimal(traded[name]).scaleb(-8)
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
