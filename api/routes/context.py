"""What routes are given: the ledger of this app, who asks, and what of the ledger that is shown."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from api.ledger import Ledger
from api.operators import Operator
from api.parameters import Time
from api.queries.subtrees import scope_below
from api.scope import EVERYTHING, Scope


def _ledger(request: Request) -> Ledger:
    ledger = request.app.state.ledger
    assert isinstance(ledger, Ledger)
    return ledger


def _operator(request: Request) -> Operator:
    operator = request.state.operator
    assert isinstance(operator, Operator), "the gate lets nobody in without a name"
    return operator


LedgerHere = Annotated[Ledger, Depends(_ledger)]
Asking = Annotated[Operator, Depends(_operator)]


def _scope(ledger: LedgerHere, by: Asking) -> Scope:
    """The one place that makes a scope of a caller."""
    return EVERYTHING if by.ibs is None else scope_below(ledger, by.ibs, datetime.now(UTC))


def _whole(scope: Annotated[Scope, Depends(_scope)]) -> None:
    scope.check_whole()


ScopeHere = Annotated[Scope, Depends(_scope)]
WHOLE = Depends(_whole)
"""For routes over what is of the whole broker: batches, proposals, postbacks, the process itself."""

Ib = Annotated[str, Query(max_length=128, description="An IB's id; empty: all.")]
Client = Annotated[str, Query(max_length=128, description="A client's id; empty: all.")]
From = Annotated[Time | None, Query(alias="from", description="Event time from here on, UTC.")]
To = Annotated[Time | None, Query(description="Event time before this, UTC.")]
Server = Annotated[str, Query(max_length=64, description="A server's name; empty: all.")]
Period = Annotated[str, Query(max_length=64, description="A statement period such as `2026-09`; empty: all.")]
Code = Annotated[str, Query(max_length=64, description="A reason's fixed word; empty: all.")]
