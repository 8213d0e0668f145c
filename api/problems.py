"""Errors as problem+json (RFC 9457): what is wrong, and a sentence that says what to do next."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.dead_letters import LetterRefused
from api.documents import DocumentRefused
from api.endpoints import EndpointRefused, UnknownEndpoint
from api.ledger import LedgerUnavailable
from api.operators import NotAllowed
from api.payees import PayeeRefused, UnknownPayee
from api.payouts import PayoutRefused, UnknownBatch
from api.people import PeopleRefused, SignInFailed, UnknownPerson
from api.plans import PlanRefused
from api.proposals import ProposalRefused, UnknownProposal
from schemas.errors import Unavailable, Unusable
from schemas.problems import PROBLEM_JSON, problem_body

log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that cannot be answered; `detail` tells the caller what to do."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer for an error, the same shape for every status."""
    return JSONResponse(problem_body(status, detail), status, headers, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Turn every exception of a route into a problem, without telling internals."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LedgerUnavailable, _unavailable)
    app.add_exception_handler(Unusable, _unusable)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


def _answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem; for a person's browser that asked for a page, a page."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    error_page = getattr(request.app.state, "error_page", None)
    if not wants_page or error_page is None:
        return problem_response(status, detail, headers)
    page: Response = error_page(request, status, HTTPStatus(status).phrase, detail)
    return page


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error.status, error.detail)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path}. Open /docs for the list of routes."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = "This route does not take that method. Open /docs for those it does; most only read."
    return _answer(request, error.status_code, detail, dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first, *rest = error.errors()
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    more = f" {len(rest)} more fields are wrong." if rest else ""
    return _answer(request, 422, f"Correct `{where}`: {first['msg']}.{more}")


def _unusable(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)
    return _answer(request, status, f"{_sentence(str(error))}.")


_STATUS: dict[type, int] = {
    NotAllowed: 403, UnknownProposal: 404, UnknownPayee: 404, UnknownBatch: 404, UnknownPerson: 404,
    ProposalRefused: 409, PayeeRefused: 409, PayoutRefused: 409, PeopleRefused: 409, SignInFailed: 401,
    UnknownEndpoint: 404, EndpointRefused: 409, DocumentRefused: 409, LetterRefused: 409, PlanRefused: 409,
}  # fmt: skip


def _sentence(text: str) -> str:
    """With a capital; an id such as `p-8cc1` keeps its own spelling."""
    first = text.partition(" ")[0]
    return f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text


def _unavailable(request: Request, error: Exception) -> Response:
    log.error("unavailable: %s", error, exc_info=error)
    detail = f"The request was not answered: {error}. Try again; then see the log."
    return _answer(request, 503, detail)


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _answer(request, 500, "Something unexpected went wrong. The log holds the reason; report it.")
