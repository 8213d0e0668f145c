"""Checks of budgets: what one standard lot can cost at most, against what it earns the broker.

Only what terms alone tell is counted: lots, pips and shares of usual spreads. Tiers count at their best
band, conditions as met; caps a period has are left out.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from commission.terms.checks.lot import Static, worth_of_move, worth_of_rate
from commission.terms.checks.published import Held, Published, TermsProblem
from commission.terms.checks.rates import value_for
from commission.terms.checks.sharing import by_kind
from commission.terms.components import Component, SpreadShare
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import ZERO, Rate

MAX_UPLINES = 1_000
"""Uplines that differ in what their IBs hold; of those beyond it nothing is said."""

_Worths = dict[tuple[object, ...], dict[str, Decimal]]
"""By plan version, kind, depth, side and symbol: what it is worth by override mode."""


class _Excess(NamedTuple):
    paid: Decimal
    allowed: Decimal
    symbol: str
    chain: tuple[str, ...]


def check_budgets(terms: Published) -> Iterator[TermsProblem]:
    """Find plans whose worst upline gets more of a standard lot than the budget; one finding a plan."""
    worst: dict[tuple[str, int], tuple[PlanDefined, _Excess]] = {}
    worths: _Worths = {}
    seen: set[tuple[object, ...]] = set()
    for _, partner in terms.partners:
        for _, chain in terms.uplines(partner):
            lowest = chain[0].plan if chain else None
            # What an upline gets follows from what its IBs hold, and few of these differ.
            held = tuple(
                (h.held.plan_id, h.plan.version if h.plan else 0, h.held.rank, h.held.factor) for h in chain
            )
            if lowest is None or lowest.budget is None or held in seen or len(seen) >= MAX_UPLINES:
                continue
            seen.add(held)
            for excess in _excesses(chain, lowest, terms, worths):
                key = (lowest.plan_id, lowest.version)
                if key not in worst or _over(excess) > _over(worst[key][1]):
                    worst[key] = (lowest, excess)
    for plan, excess in worst.values():
        yield _problem(plan, excess)


def _over(excess: _Excess) -> Decimal:
    return excess.paid - excess.allowed


def _problem(plan: PlanDefined, excess: _Excess) -> TermsProblem:
    share, terms = (plan.budget.share, plan.budget.revenue) if plan.budget else (ZERO, ())
    paid, allowed = (f"{_plain(amount)} {plan.currency}" for amount in (excess.paid, excess.allowed))
    text = (
        f"one lot of {excess.symbol} pays {paid} to {' → '.join(excess.chain)}, but the budget of "
        f"{plan.plan_id} is {share} of its spread, {allowed}; "
        "lower the rates or raise the budget, or every such deal is cut"
    )
    # Another source of revenue may pay for it: that is known deal by deal.
    severity = "error" if set(terms) == {"spread"} else "warning"
    subject = ("plan", plan.plan_id, str(plan.version), "budget")
    return TermsProblem(subject, "budget_exceeded", text, severity)  # type: ignore[arg-type] # one of the two


def _plain(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01')):f}"


def _excesses(
    chain: Sequence[Held], lowest: PlanDefined, terms: Published, worths: _Worths
) -> Iterator[_Excess]:
    for symbol in terms.canonicals:
        if (revenue := _revenue(lowest, symbol, terms)) is None or lowest.budget is None:
            continue
        allowed = revenue * lowest.budget.share
        amounts = [_paid_on(side, chain, lowest, symbol, terms, worths) for side in ("in", "out")]
        paid = max((amount for amount in amounts if amount is not None), default=ZERO)
        if paid > allowed:
            yield _Excess(paid, allowed, symbol.canonical, tuple(held.partner.ib_id for held in chain))


def _revenue(plan: PlanDefined, symbol: SymbolDefined, terms: Published) -> Decimal | None:
    """What the spread of one standard lot earns, in the plan's currency; None if it is not known."""
    if plan.budget is None or "spread" not in plan.budget.revenue:
        return None
    tables = [c.average_pips for c in plan.components if isinstance(c, SpreadShare)]
    usual = [pips for rates in tables if (pips := value_for(rates, symbol)) is not None]
    pips = symbol.average_pips if symbol.average_pips is not None else max(usual, default=None)
    return (
        None
        if pips is None
        else terms.convert(worth_of_move(pips * symbol.pip, symbol), symbol.profit_currency, plan.currency)
    )


def _paid_on(
    side: str,
    chain: Sequence[Held],
    lowest: PlanDefined,
    symbol: SymbolDefined,
    terms: Published,
    worths: _Worths,
) -> Decimal | None:
    """What one deal of a standard lot on `side` pays to all; None if it cannot be converted."""
    total = ZERO
    ranks = frozenset(held.held.rank for held in chain)
    for kind in ("per_lot", "pips", "spread_share"):
        priced = [_known(worths, kind, depth, held, ranks, side, symbol) for depth, held in enumerate(chain)]
        driver = next((depth for depth, modes in enumerate(priced) if modes), 0)
        for mode in priced[driver]:
            own = [
                _converted(modes.get(mode, ZERO), _currency(kind, held, symbol), lowest.currency, terms)
                for modes, held in zip(priced, chain, strict=True)
            ]
            amounts = [amount for amount in own if amount is not None]
            if len(amounts) < len(own):
                return None
            total += _shared(mode, amounts, driver)
    return total


def _known(
    worths: _Worths,
    kind: str,
    depth: int,
    held: Held,
    ranks: frozenset[str],
    side: str,
    symbol: SymbolDefined,
) -> dict[str, Decimal]:
    """What `_by_mode` says; few plans make up many uplines."""
    if held.plan is None:
        return {}
    key = (held.plan.plan_id, held.plan.version, held.held.factor, kind, depth, ranks, side, symbol.canonical)
    if (found := worths.get(key)) is None:
        found = worths[key] = _by_mode(kind, depth, held, ranks, side, symbol)
    return found


def _converted(amount: Decimal, source: str, target: str, terms: Published) -> Decimal | None:
    return amount if source == target or not amount else terms.convert(amount, source, target)


def _currency(kind: str, held: Held, symbol: SymbolDefined) -> str:
    return held.plan.currency if kind == "per_lot" and held.plan else symbol.profit_currency


def _shared(mode: str, own: Sequence[Decimal], driver: int) -> Decimal:
    """Of what each plan is worth: differences add up to the most, absolute amounts to all of them.

    In the other modes the lowest IB's plan is divided, and nothing is added to it.
    """
    if mode == "difference":
        return max(own)
    return sum(own, ZERO) if mode == "absolute" else own[driver]


def _by_mode(
    kind: str, depth: int, held: Held, ranks: frozenset[str], side: str, symbol: SymbolDefined
) -> dict[str, Decimal]:
    """By override mode: what the IB's own plan is worth at this depth."""
    found: dict[str, Decimal] = {}
    components: list[Component] = by_kind(held.plan).get(kind, []) if held.plan else []
    for component in components:
        if isinstance(component, Static) and component.entry in (side, "both") and held.plan is not None:
            rate = _best_rate(component, depth, ranks, symbol)
            amount = rate * worth_of_rate(component, held.plan, symbol) * held.held.factor
            if component.caps and component.caps.per_deal is not None and kind == "per_lot":
                amount = min(amount, component.caps.per_deal)
            mode = component.override.mode
            found[mode] = found.get(mode, ZERO) + amount
    return found


def _best_rate(component: Static, depth: int, ranks: frozenset[str], symbol: SymbolDefined) -> Decimal:
    override = component.override
    if override.mode == "rank":
        top = max((n for n, rank in enumerate(override.ranks, 1) if rank.rank in ranks), default=0)
        return sum((_value(rank.rates, symbol) for rank in override.ranks[:top]), ZERO)
    if override.mode == "absolute" and depth:
        return _value(override.levels[depth - 1], symbol) if depth <= len(override.levels) else ZERO
    own = _value(component.rates, symbol)
    bands = component.tiers.bands if component.tiers else ()
    return max([own, *(_value(b.rates, symbol) if b.rates else own * b.factor for b in bands)])


def _value(rates: Sequence[Rate], symbol: SymbolDefined) -> Decimal:
    return value_for(rates, symbol) or ZERO
