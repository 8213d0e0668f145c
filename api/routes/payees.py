"""Where IBs are paid: proposed by one person, approved by another, shown masked."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from api.operators import Operator
from api.paging import MAX_LIMIT, Cursor, Limit, decode_cursor, encode_cursor, page_of
from api.payees import Payees
from api.problems import Problem
from api.queries.partners import is_known
from api.routes.context import WHOLE, Asking, LedgerHere, ScopeHere
from api.scope import Scope
from api.shapes.payees import Payee, PayeeHistory, PayeePage, Resealed, to_payee

router = APIRouter(prefix="/v1/payees", tags=["payees"])
keys = APIRouter(prefix="/v1/payee-keys", tags=["payees"], dependencies=[WHOLE])


def _desk(request: Request) -> Payees:
    desk: Payees | None = request.app.state.payees
    if desk is None:
        raise Problem(
            503,
            "This process keeps no payee details. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Payees, Depends(_desk)]
IbId = Annotated[str, Path(min_length=1, max_length=128)]
VersionNumber = Annotated[int, Path(ge=1, le=1_000_000)]
Field140 = Annotated[str, Field(max_length=140)]


def _without_names(given: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A fault names its place, which here is what a person wrote: it may be a number."""
    try:
        return check(given)
    except ValidationError:
        raise ValueError("it has at most 8 fields, each a text of at most 140 characters") from None


class Proposed(BaseModel):
    """Details in full, which no answer has: `type` and the fields of that kind."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    details: Annotated[
        dict[Annotated[str, Field(max_length=32)], Field140], WrapValidator(_without_names)
    ] = Field(
        max_length=8,
        examples=[{"type": "bank", "holder": "Jane Doe", "iban": "DE89 3704 0044 0532 0130 00"}],
        description="`bank`: holder, iban, bic. `us_bank`: holder, routing, account, account_type, "
        "holder_type. `trading_account`: server, login. `wallet`: network, address. Each may name the "
        "`currency` it is paid in, whatever it is owed, and by which `tax` it is billed: `vat 19`, "
        "`withholding 10`, `reverse_charge`, `none`.",
    )
    note: str = Field("", max_length=500, description="Why, for whoever approves it.")


class Rejection(BaseModel):
    """Why it is rejected, for whoever proposed it."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=500)


@router.get("", response_model=PayeePage)
def payees(desk: Desk, scope: ScopeHere, by: Asking, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """What is valid and what waits to be approved, by IB; a page has the IBs of its limit."""
    after = str(decode_cursor(cursor, str)[0]) if cursor else ""
    book, seen = desk.listed(), _of(by, scope)
    ids = sorted(ib_id for ib_id in book if ib_id > after and seen.has(ib_id))
    shown = [to_payee(one, book[ib_id]) for ib_id in ids[:limit] for one in book[ib_id]]
    return {
        "items": [one for one in shown if one.is_valid or one.state == "proposed"],
        "next_cursor": encode_cursor([ids[limit - 1]]) if len(ids) > limit else None,
    }


@router.get("/{ib_id}", response_model=PayeeHistory)
def history(
    desk: Desk, scope: ScopeHere, by: Asking, ib_id: IbId, limit: Limit = MAX_LIMIT, cursor: Cursor = ""
) -> Any:
    """Every version of an IB's details, the first one first; none of an IB that has none."""
    _check_seen(_of(by, scope), ib_id)
    versions = desk.versions(ib_id)
    shown, after = page_of(versions, limit, cursor, lambda one: str(one.proposed.version))
    return {"items": [to_payee(one, versions) for one in shown], "next_cursor": after}


@router.post("/{ib_id}", response_model=Payee, status_code=201)
def propose(
    desk: Desk, ledger: LedgerHere, scope: ScopeHere, by: Asking, ib_id: IbId, proposed: Proposed
) -> Any:
    """Propose where an IB is paid. It counts once another operator approves it."""
    if not is_known(ledger, _of(by, scope), ib_id):
        raise _no_ib(ib_id)
    made = desk.propose(ib_id, proposed.details, proposed.note, by)
    return to_payee(made, desk.versions(ib_id))


@router.post("/{ib_id}/versions/{version}/approve", response_model=Payee)
def approve(desk: Desk, scope: ScopeHere, by: Asking, ib_id: IbId, version: VersionNumber) -> Any:
    """Make it the valid one. The token says who approves: an operator other than the one who proposed it."""
    _check_seen(scope, ib_id)
    return to_payee(desk.approve(ib_id, version, by), desk.versions(ib_id))


@router.post("/{ib_id}/versions/{version}/reject", response_model=Payee)
def reject(
    desk: Desk, scope: ScopeHere, by: Asking, ib_id: IbId, version: VersionNumber, rejection: Rejection
) -> Any:
    """Never pay to it; the one before stays valid."""
    _check_seen(scope, ib_id)
    return to_payee(desk.reject(ib_id, version, rejection.note, by), desk.versions(ib_id))


@keys.post("/rotate", response_model=Resealed)
def rotate(desk: Desk, by: Asking) -> Any:
    """Seal with the newest key what is under an older one; ask again while some are left."""
    resealed, left = desk.rotate(by)
    return {"resealed": resealed, "left": left}


def _of(by: Operator, scope: Scope) -> Scope:
    """Whose details are seen, and proposed: an IB sees those below itself, but not where they are paid."""
    return scope.narrowed(by.ibs or ()) if by.role == "ib" else scope


def _check_seen(scope: Scope, ib_id: str) -> None:
    if not scope.has(ib_id):
        raise _no_ib(ib_id)


def _no_ib(ib_id: str) -> Problem:
    return Problem(404, f"There is no IB {ib_id}. `GET /v1/partners` has them.", code="unknown_ib")
