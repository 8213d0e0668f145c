"""Later commission charges of an account: allocated to the symbols it traded, and shared like others."""

from decimal import Decimal

from msgspec.structs import replace

from commission.client.state import Volumes
from commission.events import Deal
from commission.money import to_accrual
from commission.rating.rate import rate
from commission.rating.values import ZERO, Earned, Part, Rated
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline


def charged_e8(part: Part) -> int:
    """As how many 1e-8 standard lots a deal counts: one account trades lots of several sizes."""
    return int(part.standard(Decimal(part.deal.volume_e8)).to_integral_value())


def with_volume(known: Volumes, symbol: str, volume_e8: int) -> Volumes:
    """The account's volumes with more, or less, of one symbol."""
    total = known.lots_e8.get(symbol, 0) + volume_e8
    return replace(known, lots_e8={**known.lots_e8, symbol: max(0, total)})


def charge_of(deal: Deal) -> Decimal:
    """What a commission deal charged the client; below 0 a refund."""
    return -(deal.profit + deal.commission + deal.fee)


def charged_volumes(deal: Deal, volumes: Volumes) -> dict[str, int]:
    """The volumes a charge is for; of a refund those of the charge before it, where there is one."""
    return volumes.charged_e8 or volumes.lots_e8 if charge_of(deal) < 0 else volumes.lots_e8


def after_charge(deal: Deal, volumes: Volumes) -> Volumes:
    """A charge ends the count of its volumes; a refund leaves that of the next one alone."""
    return volumes if charge_of(deal) < 0 else Volumes(charged_e8=volumes.lots_e8)


def rate_charge(
    deal: Deal, trait: Trait, volumes: dict[str, int], chain: Upline, terms: Terms
) -> tuple[Earned, ...]:
    """What a daily or monthly commission deal earns, symbol by symbol; () if nothing or nobody."""
    traded = {name: lots for name, lots in sorted(volumes.items()) if lots}
    amount = charge_of(deal)
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
