"""What routes are given: the ledger of this app, who asks, and what of the ledger that is shown."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from api.ledger import Ledger
from api.operators import Operator
from api.parameters import Time
from api.permissions import OWN
from api.pseudonymous import PseudonymousLedger
from api.queries.subtrees import MAX_LEVELS, scope_below
from api.scope import EVERYTHING, NOTHING, Scope


def _as_it_is(request: Request) -> Ledger:
    ledger = request.app.state.ledger
    assert isinstance(ledger, Ledger)
    return ledger


def _ledger(request: Request) -> Ledger:
    ledger = _as_it_is(request)
    by, pseudonyms = getattr(request.state, "operator", None), request.app.state.pseudonyms
    if by is None or by.role != "ib" or pseudonyms is None:
        return ledger
    return PseudonymousLedger(ledger, pseudonyms)


def _operator(request: Request) -> Operator:
    operator = request.state.operator
    assert isinstance(operator, Operator), "the gate lets nobody in without a name"
    return operator


LedgerHere = Annotated[Ledger, Depends(_ledger)]
"""Whoever asks, with the pseudonyms that they are to see."""
LedgerAsItIs = Annotated[Ledger, Depends(_as_it_is)]
"""For a file that has pseudonyms of its own, and a hash over them."""
Asking = Annotated[Operator, Depends(_operator)]


def _scope(request: Request, ledger: LedgerHere, by: Asking) -> Scope:
    """The one place that makes a scope of a caller."""
    if by.role == "network":
        return NOTHING
    if by.ibs is None:
        return EVERYTHING
    levels = request.app.state.ib_levels if by.role == "ib" else MAX_LEVELS
    scope = scope_below(ledger, by.ibs, datetime.now(UTC), levels)
    if isinstance(ledger, PseudonymousLedger):
        ledger.scope = scope
    return scope


def check_scoped(request: Request) -> None:
    """Refuse whoever sees only a part, where a route does not ask what that is.

    So a route that is added later, and forgets the scope, shows them nothing.
    """
    by = getattr(request.state, "operator", None)
    if by is None or (by.ibs is None and by.role != "network"):
        return
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if isinstance(dependant, Dependant) and not _takes_scope(dependant) and not _is_own(request.url.path):
        NOTHING.check_whole()


def _takes_scope(dependant: Dependant) -> bool:
    return dependant.call is _scope or any(map(_takes_scope, dependant.dependencies))


def _is_own(path: str) -> bool:
    """Pages about oneself, and about none."""
    return path.removeprefix("/v1").strip("/").partition("/")[0] in (*OWN, "docs", "health")


def _whole(scope: Annotated[Scope, Depends(_scope)]) -> None:
    scope.check_whole()


ScopeHere = Annotated[Scope, Depends(_scope)]
SCOPED = Depends(_scope)
"""For routes over what is the caller's own, whatever they see."""
WHOLE = Depends(_whole)
"""For routes over what is of the whole broker: batches, proposals, postbacks, the process itself."""

Ib = Annotated[str, Query(max_length=128, description="An IB's id; empty: all.")]
Client = Annotated[str, Query(max_length=128, description="A client's id; empty: all.")]
From = Annotated[Time | None, Query(alias="from", description="Event time from here on, UTC.")]
To = Annotated[Time | None, Query(description="Event time before this, UTC.")]
Server = Annotated[str, Query(max_length=64, description="A server's name; empty: all.")]
Period = Annotated[str, Query(max_length=64, description="A statement period such as `2026-09`; empty: all.")]
Code = Annotated[str, Query(max_length=64, description="A reason's fixed word; empty: all.")]
