"""Which part of a deal a component pays: its side of the deal, and the conditions of plan and component."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from commission.money import plain
from commission.rating.values import ZERO, Part, Reason, Slice
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import is_in_group
from commission.terms.rates import When
from commission.terms.upline import Payable


def eligible(payable: Payable, part: Part) -> Decimal | Reason:
    """Lots of the server's symbol that the component pays, or why it pays none."""
    component = payable.component
    entry, is_close_by = payable.entry, part.deal.entry == "out_by"
    if entry != component.entry and not part.closed and not part.deal.commission + part.deal.fee:
        return nothing(payable, part)
    if payable.is_plain and not is_close_by:
        lots = part.closed if entry == "out" else part.opened if entry == "in" else part.opened + part.closed
        return lots or nothing(payable, part)
    if (entry == "out" and not part.closed) or (entry == "in" and not part.opened):
        return nothing(payable, part)
    for when in payable.asks:
        reason = _refusal(when, payable.plan, part)
        if reason is not None:
            return reason
    # As in MT5, `both` leaves the legs of a close-by out: they were paid when they were opened.
    is_left_out = entry == "both" and is_close_by and not payable.is_charge
    closed = ZERO if entry == "in" or is_left_out else part.closed
    if closed and is_close_by and component.close_by != "each_leg":
        legs = 2 if component.close_by == "first_leg" else 1
        closed = ZERO if part.is_second_leg else legs * closed
    opened = (part.hedged if component.hedged else part.opened) if entry != "out" else ZERO
    if closed and payable.whens:
        kept = _kept(payable.whens, part, closed)
        if isinstance(kept, Reason):
            return kept
        closed = kept
    return opened + closed or nothing(payable, part)


def allowed(whens: Sequence[When], plan: PlanDefined, part: Part) -> Decimal | Reason:
    """Of what the deal closed, the lots of the server's symbol that all conditions let count, or why none."""
    for when in whens:
        reason = _refusal(when, plan, part)
        if reason is not None:
            return reason
    return _kept(whens, part, part.closed)


def nothing(payable: Payable, part: Part) -> Reason:
    """Why the component pays no lots of the deal."""
    component = payable.component
    name = f"{payable.plan.plan_id}/{component.name}"
    is_close_by = part.deal.entry == "out_by"
    if part.is_second_leg and component.close_by != "each_leg":
        paid = "both legs" if component.close_by == "first_leg" else "one side"
        text = f"{name} paid {paid} of the close-by on the first leg"
        return Reason("close_by_second_leg", text, waits=False)
    if component.hedged and part.opened:
        text = f"{name} pays only the larger of bought and sold volume"
        return Reason("hedged", text, waits=False)
    if part.closed and component.entry == ("out" if is_close_by else component.entry) != "in":
        code, wanted = _wanted(payable.whens)
        return Reason(code, f"{name}: {wanted} not reached", waits=False)
    return Reason("entry_not_paid", f"{name} pays on `{component.entry}`", waits=False)


def _wanted(whens: Sequence[When]) -> tuple[str, str]:
    """A code and words for what every slice of the deal failed."""
    wanted: dict[str, str] = {}
    if seconds := max((when.min_holding_s for when in whens), default=0):
        wanted["held_too_short"] = f"{seconds} s of holding"
    if pips := max((when.min_pips for when in whens), default=ZERO):
        wanted["moved_too_little"] = f"{plain(pips)} pips of movement"
    if not all(when.same_price for when in whens):
        wanted["same_price"] = "a price other than the opening's"
    return next(iter(wanted)) if len(wanted) == 1 else "conditions_not_met", " and ".join(wanted.values())


def _refusal(when: When, plan: PlanDefined, part: Part) -> Reason | None:
    """The first condition on the deal as a whole that does not hold."""
    deal, trait = part.deal, part.trait
    for fails, code, found in (
        (when.sides and deal.side not in when.sides, "side_not_paid", f"a {deal.side}"),
        (when.result == "profit" and deal.profit <= 0, "result_not_paid", f"profit {deal.profit}"),
        (when.result == "loss" and deal.profit >= 0, "result_not_paid", f"profit {deal.profit}"),
        (when.reasons and deal.reason not in when.reasons, "reason_not_paid", f"reason `{deal.reason}`"),
        (
            when.groups and not is_in_group(",".join(when.groups), deal.group),
            "group_not_paid",
            f"group `{deal.group}`",
        ),
        (
            not is_in_market(when.countries, when.countries_not, trait.country),
            "country_not_paid",
            f"country `{trait.country}`",
        ),
        (
            when.channels and part.channel not in when.channels,
            "channel_not_paid",
            f"channel `{part.channel}`",
        ),
        (when.charged and deal.commission + deal.fee >= 0, "no_commission_charged", "no commission"),
        (
            not when.negative_balance and deal.balance is not None and deal.balance < 0,
            "negative_balance",
            f"a balance of {deal.balance}",
        ),
    ):
        if fails:
            return Reason(code, f"{plan.plan_id} does not pay for {found}", waits=False)
    return None


def is_in_market(countries: Sequence[str], countries_not: Sequence[str], country: str) -> bool:
    """Whether a client's country is among those wanted and not among those excluded."""
    return (not countries or country in countries) and country not in countries_not


def _kept(whens: Sequence[When], part: Part, closed: Decimal) -> Decimal | Reason:
    """Of the closed lots, those whose opening was long and far enough ago."""
    if not any(when.min_holding_s or when.min_pips or not when.same_price for when in whens):
        return closed
    if part.slices is None:
        return opening_unknown(part)
    kept = sum((s.lots for s in part.slices if all(holds(when, part, s) for when in whens)), ZERO)
    return kept * closed / part.closed  # twice the volume where a first leg pays for both


def opening_unknown(part: Part) -> Reason:
    """A condition asks about the opening of what the deal closes, which has not been seen."""
    text = f"the opening of position {part.deal.position_id} is not known; import the deals before this one"
    if part.deal.position_id is None:
        text = (
            "its source does not say which position the deal closes, and so not its opening; read the Deals "
            "export of MT5 Manager, the Web API or the database"
        )
    return Reason("opening_unknown", text, waits=True)


def holds(when: When, part: Part, closed: Slice) -> bool:
    """Whether the opening of what is closed was long and far enough ago."""
    if part.at - closed.opened_at < timedelta(seconds=when.min_holding_s):
        return False
    if when.same_price and not when.min_pips:
        return True
    if part.deal.price is None or closed.price is None:
        return False
    moved = abs(part.deal.price - closed.price)
    return moved >= when.min_pips * part.symbol.pip and (when.same_price or moved > 0)
