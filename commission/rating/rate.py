"""Rate one deal: who above the client earns what from it, and why, or why nobody does."""

from collections.abc import Sequence
from decimal import Decimal

from commission.rating.budget import budget_plan, budget_spent, within_budget, worths_within
from commission.rating.divided import rate_driven
from commission.rating.fast_path import fast_path_of, nothing_due, rate_fast
from commission.rating.overrides import differences
from commission.rating.pricing import gross, worth
from commission.rating.rebates import rebates
from commission.rating.values import ZERO, Earned, Factors, Gross, Part, Priced, Rated, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.upline import Link, Sharing, Upline


def rate(part: Part, upline: Upline, terms: Terms) -> Rated | Reason:
    """Every IB's earnings from the deal, or the one reason why it pays nobody.

    What the terms lack (a rate of exchange, a spread) keeps the whole deal waiting: a deal is never
    paid in part because something could not be worked out.
    """
    if upline.is_simple:
        return _share(upline.sharings[0], part, upline, terms)
    found = _share_all(part, upline, terms)
    if isinstance(found, Reason):
        return found
    earned, worths, reason = found
    plan = budget_plan(upline) if earned else None
    if plan is not None:
        within = within_budget(earned, plan, part, terms)
        if isinstance(within, Reason):
            return within
        worths = worths_within(worths, earned, within)
        earned = within
        reason = reason or budget_spent(plan)
    paid = [one for one in earned if one.link.is_paid]
    back = rebates(upline, part, paid, terms) if upline.rebates else []
    if isinstance(back, Reason):
        if back.waits:
            return back
        reason = reason or back
    else:
        paid.extend(back)
    if paid or worths:
        return Rated(tuple(paid), tuple(worths))
    return _nobody(earned, reason)


def _share_all(
    part: Part, upline: Upline, terms: Terms
) -> tuple[list[Earned], list[TallyAmounts], Reason | None] | Reason:
    """All kinds together, with the first reason why one of them pays nothing."""
    earned: list[Earned] = []
    worths: list[TallyAmounts] = []
    reason: Reason | None = None
    for sharing in upline.sharings:
        outcome = _share(sharing, part, upline, terms)
        if isinstance(outcome, Rated):
            earned.extend(outcome.earned)
            worths.extend(worth for worth in outcome.worths if worth.link.is_paid)
        elif outcome.waits:
            return outcome
        else:
            reason = reason or outcome
    return earned, worths, reason


def _nobody(earned: list[Earned], reason: Reason | None) -> Reason:
    if earned:
        return _unpaid(earned[0].link)
    return reason or Reason("no_plan", "no IB above the client has a plan for deals", waits=False)


def _unpaid(link: Link) -> Reason:
    words = {
        "suspended": "is suspended",
        "self_referral": "is the client itself, and its plan does not pay for own trades",
    }
    return Reason(link.why_unpaid, f"{link.partner.ib_id} {words[link.why_unpaid]}", waits=False)


# Each IB by its own plan: difference and absolute


def _share(sharing: Sharing, part: Part, upline: Upline, terms: Terms) -> Rated | Reason:
    if sharing.driven is not None:
        return rate_driven(sharing, sharing.driven, part, upline, terms)
    lane = fast_path_of(sharing, upline, part, terms)
    if lane is not None:
        return rate_fast(lane, sharing.kind, part, terms)
    return rate_generally(sharing, part, upline, terms)


def rate_generally(sharing: Sharing, part: Part, upline: Upline, terms: Terms) -> Rated | Reason:
    """Price every IB's own components, whatever they are, and share them."""
    grosses: list[tuple[Gross, ...]] = []
    reason: Reason | None = None
    for depth, payables in enumerate(sharing.own):
        found: list[Gross] = []
        for payable in payables:
            outcome = gross(payable, depth, upline.links[depth], part, terms)
            if isinstance(outcome, Gross):
                found.append(outcome)
            elif outcome.waits or sharing.is_alike:
                return outcome
            else:
                reason = reason or outcome
        grosses.append(tuple(found))
    if not any(grosses):
        assert reason is not None, "a sharing has components, and each has an amount or a reason"
        return reason
    kept = _kept(grosses, upline.links, part, terms)
    if isinstance(kept, Reason):
        return kept
    return _collect_own(sharing, grosses, kept, part, upline, terms)


def _collect_own(
    sharing: Sharing,
    grosses: list[tuple[Gross, ...]],
    kept: list[Decimal],
    part: Part,
    upline: Upline,
    terms: Terms,
) -> Rated | Reason:
    earned: list[Earned] = []
    worths: list[TallyAmounts] = []
    for depth, found in enumerate(grosses):
        if not found:
            continue
        link = upline.links[depth]
        for one in found:
            if one.payable.is_settled:
                counted = _worth(one, found, depth, grosses, kept[depth], link, part, upline.links, terms)
                if isinstance(counted, Reason):
                    return counted
                worths.append(counted)
        if kept[depth] > 0 and sharing.kind != "revenue_share":
            earned.append(_earned(sharing.kind, depth, link, found, kept[depth]))
    if not earned and not worths:
        return nothing_due(sharing.kind, [one.priced.rule for found in grosses for one in found])
    return Rated(tuple(earned), tuple(worths))


def _earned(kind: str, depth: int, link: Link, found: tuple[Gross, ...], amount: Decimal) -> Earned:
    priced = found[0].priced if len(found) == 1 else _sum([gross.priced for gross in found])
    factors = priced.factors
    if amount != priced.amount:
        factors["own"] = priced.amount
        factors["below"] = priced.amount - amount
    return Earned(link, found[0].payable.plan, depth, kind, amount, priced.rule, priced.lots, factors)


def _sum(found: list[Priced]) -> Priced:
    factors: Factors = {}
    for priced in found:
        factors |= {f"{priced.rule}: {name}": number for name, number in priced.factors.items()}
    amount = sum((priced.amount for priced in found), ZERO)
    return Priced(amount, " + ".join(p.rule for p in found), max(p.lots for p in found), factors)


def _kept(
    grosses: list[tuple[Gross, ...]], links: tuple[Link, ...], part: Part, terms: Terms
) -> list[Decimal] | Reason:
    totals = [
        found[0].amounts[0] if len(found) == 1 else sum((g.amounts[0] for g in found), ZERO)
        for found in grosses
    ]
    kept = signed_differences(totals, links, part, terms)
    if isinstance(kept, Reason):
        return kept
    for depth, found in enumerate(grosses):
        absolute = [g.amounts[0] for g in found if g.payable.component.override.mode == "absolute"]
        if absolute:
            rest = totals[depth] - sum(absolute, ZERO)
            kept[depth] = sum(absolute, ZERO) + (min(kept[depth], rest) if rest else ZERO)
    return kept


def signed_differences(
    amounts: Sequence[Decimal], links: Sequence[Link], part: Part, terms: Terms
) -> list[Decimal] | Reason:
    """Differences of amounts above 0 and, mirrored, of those below: a loss is shared like a gain."""
    currencies = [link.partner.currency for link in links]
    if min(amounts) >= 0:
        return differences(amounts, currencies, part.at, terms)
    gains = differences([max(ZERO, amount) for amount in amounts], currencies, part.at, terms)
    losses = differences([max(ZERO, -amount) for amount in amounts], currencies, part.at, terms)
    if isinstance(gains, Reason):
        return gains
    if isinstance(losses, Reason):
        return losses
    return [gain - loss for gain, loss in zip(gains, losses, strict=True)]


def _worth(
    gross: Gross,
    found: tuple[Gross, ...],
    depth: int,
    grosses: list[tuple[Gross, ...]],
    kept: Decimal,
    link: Link,
    part: Part,
    links: tuple[Link, ...],
    terms: Terms,
) -> TallyAmounts | Reason:
    """What the IB would keep at each band; those below it count by their own rates."""
    amounts = [kept]
    for amount in gross.amounts[1:]:
        totals = [sum((g.amounts[0] for g in lower), ZERO) for lower in grosses[:depth]]
        totals.append(sum((g.amounts[0] for g in found if g is not gross), ZERO) + amount)
        if gross.payable.component.override.mode == "absolute":
            amounts.append(kept - gross.amounts[0] + amount)
            continue
        at_band = signed_differences(totals, links[: depth + 1], part, terms)
        if isinstance(at_band, Reason):
            return at_band
        amounts.append(at_band[depth])
    return worth(gross, link, depth, tuple(amounts), part, terms)
