"""What of the ledger a commission report is about, read from the parameters of a request."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from api.parameters import Time
from api.problems import Problem
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import DIMENSIONS, TIMES, GroupBy
from api.queries.periods import interval
from api.queries.subtrees import subtrees
from api.routes.context import Client, From, Ib, LedgerHere, Period, ScopeHere, Server, To

SubTrees = Annotated[
    list[str],
    Query(
        alias="scope",
        description="IBs whose sub-trees are reported, as the tree was when the interval ended; none: all.",
    ),
]
Symbol = Annotated[str, Query(max_length=64, description="A canonical symbol; empty: all.")]
Class = Annotated[str, Query(alias="class", max_length=64, description="A class of symbols; empty: all.")]
Country = Annotated[str, Query(max_length=2, description="The client's country, such as `DE`; empty: all.")]
Group = Annotated[str, Query(max_length=128, description="An account group as deals have it; empty: all.")]
Component = Annotated[str, Query(max_length=64, description="Such as `per_lot`; empty: all.")]
Plan = Annotated[str, Query(max_length=128, description="A plan's id; empty: all.")]
Currency = Annotated[str, Query(max_length=16, description="Of the commissions; empty: all.")]
KnownAt = Annotated[
    Time | None, Query(description="As it was known then: what was stored later is left out. Empty: now.")
]
Groups = Annotated[
    list[str],
    Query(
        description=f"{', '.join(f'`{name}`' for name in DIMENSIONS)}: repeated or with commas. "
        "Days, weeks and months are in UTC; `level` is how far the IB is above the client's own."
    ),
]
Columns = Annotated[
    list[str], Query(description="Columns of a file, in this order; repeated or with commas. None: all.")
]
MAX_SCOPES = 100


def _of(
    ib: Ib = "",
    client: Client = "",
    country: Country = "",
    server: Server = "",
    group: Group = "",
    symbol: Symbol = "",
    class_: Class = "",
    component: Component = "",
    plan: Plan = "",
) -> dict[GroupBy, str]:
    every: dict[GroupBy, str] = {
        "ib": ib, "client": client, "country": country, "server": server, "group": group, "symbol": symbol,
        "class": class_, "component": component, "plan": plan,
    }  # fmt: skip
    return {name: value.strip() for name, value in every.items()}


Of = Annotated[dict[GroupBy, str], Depends(_of)]
"""What each filter asks for, of routes and the page; "" is all."""


def _filter(
    ledger: LedgerHere,
    seen: ScopeHere,
    of: Of,
    period: Period = "",
    from_: From = None,
    to: To = None,
    known_at: KnownAt = None,
    roots: SubTrees = [],  # noqa: B006  - FastAPI copies a default
    currency: Currency = "",
) -> ReportFilter:
    span = interval(ledger, period, from_, to)
    if len(roots) > MAX_SCOPES:
        raise Problem(422, f"Give at most {MAX_SCOPES} IBs as `scope`.")
    if known_at is not None and known_at > datetime.now(UTC):
        raise Problem(422, "`known_at` is in the future: leave it out to have all that is known.")
    return ReportFilter(
        seen,
        span,
        subtrees(ledger, seen, roots, span.ends_at) if roots else (),
        currency,
        {name: value for name, value in of.items() if value},
        known_at,
    )


Wanted = Annotated[ReportFilter, Depends(_filter)]


def groups_of(asked: list[str]) -> tuple[GroupBy, ...]:
    """What a report is grouped by, of the names that were given; raise `Problem`."""
    known: dict[str, GroupBy] = {name: name for name in DIMENSIONS}
    names = [name for part in asked for name in part.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise Problem(422, f"Group by any of {', '.join(known)}; `{','.join(unknown)}` is not among them.")
    if len(TIMES.keys() & set(names)) > 1:
        raise Problem(422, f"Group by one of {', '.join(TIMES)}, not by several.")
    return tuple(dict.fromkeys(known[name] for name in names))


def chosen(asked: list[str], known: Iterable[str]) -> tuple[str, ...]:
    """The columns that are asked for, each once; none: all. Raise `Problem` for one that there is not."""
    names = tuple(dict.fromkeys(name for part in asked for name in part.split(",") if name))
    every = tuple(known)
    if unknown := [name for name in names if name not in every]:
        raise Problem(422, f"The columns are {', '.join(every)}; `{unknown[0][:64]}` is not among them.")
    return names
