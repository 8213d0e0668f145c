"""How an amount is shared up the tree, and cut to the budget of the deal, in sentences."""

from collections.abc import Iterator
from decimal import Decimal

from commission.explain import words
from commission.explain.subject import Subject, decimal, first, is_one_of_several, text
from commission.terms.components import DealComponent


def shared(subject: Subject) -> Iterator[str]:
    """What of the amount belongs to this IB, and how that was found."""
    row, factors = subject.row, subject.factors
    kept = first(subject, "before_budget")
    own, below, base = (decimal(factors, name) for name in ("own", "below", "base"))
    if row.depth:
        yield _override(subject)
    if is_one_of_several(subject):
        yield f"Together the rules pay {subject.money(own if own is not None else kept)}."
    if own is not None and below is not None and own - below == kept:
        yield (
            f"{subject.money(own)} - {subject.money(below)} = {subject.money(kept)}: "
            f"the IB keeps what exceeds the {subject.money(below)} of {_who_is_below(subject)}."
        )
    if base is not None:
        yield _divided(subject, base, kept)


def _override(subject: Subject) -> str:
    depth, component = subject.row.depth, subject.component
    levels = "1 level" if depth == 1 else f"{depth} levels"
    if "mode" in subject.factors:
        counts = ", and the plan of the lowest IB counts"
    elif isinstance(component, DealComponent) and component.override.mode == "absolute":
        counts = ", and its plan has a rate of its own for that"
    else:
        counts = ""
    return f"It is an override: the IB is {levels} above the client's direct IB{counts}."


def _who_is_below(subject: Subject) -> str:
    row = subject.row
    if row.depth == 1 and row.path:
        return f"{subject.ib(row.path[0])}, the IB below it"
    return "the best IB below"


def _divided(subject: Subject, base: Decimal, kept: Decimal) -> str:
    whole, part = subject.money(base), subject.money(kept)
    mode = text(subject.factors, "mode")
    if mode == "rank":
        rank = text(subject.factors, "rank")
        return (
            f"All ranks{_ranks(subject)} together pay {whole}; "
            f"as {rank} the IB takes what no lower rank took: {part}."
        )
    if mode == "split":
        return f"{whole} is split{_shares(subject)}: {part} belongs to this IB."
    return f"{whole} is passed up the tree{_passes(subject)}: {part} stays with this IB."


def _shares(subject: Subject) -> str:
    component = subject.component
    if not isinstance(component, DealComponent) or not component.override.shares:
        return ""
    return f" {' / '.join(words.percent(share) for share in component.override.shares)} from the lowest IB up"


def _ranks(subject: Subject) -> str:
    component = subject.component
    if not isinstance(component, DealComponent) or not component.override.ranks:
        return ""
    return f" ({', '.join(rank.rank for rank in component.override.ranks)})"


def _passes(subject: Subject) -> str:
    component = subject.component
    if not isinstance(component, DealComponent) or not component.override.pass_up:
        return ""
    override = component.override
    if override.pass_unit == "share":
        said = ", then ".join(words.percent(share) for share in override.pass_up)
        return f" (each level passes on {said} of what reaches it)"
    rates = ", then ".join(words.number(rate) for rate in override.pass_up)
    return f" (each level passes on what a rate of {rates} comes to)"


def budget(subject: Subject) -> Iterator[str]:
    """The cut in proportion, where all IBs together would get more than the deal's budget."""
    before = decimal(subject.factors, "before_budget")
    most, spent = decimal(subject.factors, "budget"), decimal(subject.factors, "all_ibs")
    if before is None or most is None or spent is None:
        return
    yield (
        f"All IBs together would get {words.number(spent)}, and the broker's budget for the deal is "
        f"{words.number(most)} ({words.OF_LOWEST}), so each is cut in proportion: "
        f"{subject.money(before)} x {words.number(most)} / {words.number(spent)} = "
        f"{subject.money(subject.row.amount)}."
    )
