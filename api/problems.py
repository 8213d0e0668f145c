"""Errors as problem+json (RFC 9457): what is wrong, and a sentence that says what to do next."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Send

from api.dead_letters import LetterRefused
from api.documents import DocumentRefused
from api.endpoints import EndpointRefused, UnknownEndpoint
from api.exports import TooManyExports, UnknownExport
from api.ledger import LedgerUnavailable
from api.link_desk import LinkRefused, UnknownLink
from api.operators import NotAllowed
from api.payees import PayeeRefused, UnknownPayee
from api.payouts import PayoutRefused, UnknownBatch
from api.people import PeopleRefused, SignInFailed, UnknownPerson
from api.plans import PlanRefused
from api.proposals import ProposalRefused, UnknownProposal
from schemas.errors import Unavailable, Unusable
from schemas.problems import KINDS, PROBLEM_JSON, problem_body

TOO_LARGE = 413
_TOO_LARGE = json.dumps(problem_body(TOO_LARGE, "The body is too large for this route. Send less.")).encode()

log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that cannot be answered; `detail` tells the caller what to do."""

    def __init__(self, status: int, detail: str, *, code: str = "") -> None:
        """`code` is one of `schemas.problems.KINDS`; "" is the general one of the status.

        503 of a route says that its desk is elsewhere; a ledger that does not answer raises its own error.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or ("not_in_this_process" if status == HTTPStatus.SERVICE_UNAVAILABLE else "")


def problem_response(
    status: int, detail: str, headers: dict[str, str] | None = None, *, code: str = ""
) -> JSONResponse:
    """The answer for an error, the same shape for every status."""
    return JSONResponse(problem_body(status, detail, code), status, headers, media_type=PROBLEM_JSON)


class AsProblems:
    """Passes an answer on, also one made outside the gate: of a body too large, of a defect.

    The framework's own words of the first become a problem, and none lacks `headers`.
    """

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send, self._headers = send, headers
        self._is_plain = False

    async def __call__(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            kind = headers.get("content-type", "")
            self._is_plain = message["status"] == TOO_LARGE and kind.startswith("text/plain")
            if self._is_plain:
                headers["content-type"], headers["content-length"] = PROBLEM_JSON, str(len(_TOO_LARGE))
        elif self._is_plain:
            message = {**message, "body": b"" if message.get("more_body") else _TOO_LARGE}
        await self._send(message)


def install(app: FastAPI) -> None:
    """Turn every exception of a route into a problem, without telling internals."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LedgerUnavailable, _unavailable)
    app.add_exception_handler(Unusable, _unusable)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


def answer_for(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None, *, code: str = ""
) -> Response:
    """A problem; for a person's browser that asked for a page, a page."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
    error_page = getattr(request.app.state, "error_page", None)
    if not wants_page or error_page is None:
        return problem_response(status, detail, headers, code=code)
    page: Response = error_page(request, status, HTTPStatus(status).phrase, detail)
    return page


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer_for(request, error.status, error.detail, code=error.code)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, code = str(error.detail), ""
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path}. Open /docs for the list of routes."
        code = "unknown_route"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = "This route does not take that method. Open /docs for those it does; most only read."
    return answer_for(request, error.status_code, detail, dict(error.headers or {}), code=code)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first, *rest = error.errors()
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    more = f" {len(rest)} more fields are wrong." if rest else ""
    return answer_for(request, 422, f"Correct `{where}`: {first['msg']}.{more}")


def _unusable(request: Request, error: Exception) -> Response:
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), "invalid_request")
    return answer_for(request, KINDS[code].status, f"{_sentence(str(error))}.", code=code)


CODES: dict[type[Unusable], str] = {
    NotAllowed: "not_allowed",
    UnknownProposal: "unknown_proposal",
    UnknownPayee: "unknown_payee",
    UnknownBatch: "unknown_batch",
    UnknownPerson: "unknown_person",
    UnknownEndpoint: "unknown_endpoint",
    ProposalRefused: "proposal_refused",
    PayeeRefused: "payee_refused",
    PayoutRefused: "payout_refused",
    PeopleRefused: "people_refused",
    SignInFailed: "sign_in_failed",
    EndpointRefused: "endpoint_refused",
    DocumentRefused: "document_refused",
    UnknownExport: "unknown_export",
    TooManyExports: "too_many_exports",
    UnknownLink: "unknown_link",
    LinkRefused: "link_refused",
    PlanRefused: "plan_refused",
    LetterRefused: "dead_letter_refused",
}
"""What desks refuse with, and the code of each; any other `Unusable` is an `invalid_request`."""


def _sentence(text: str) -> str:
    """With a capital; an id such as `p-8cc1` keeps its own spelling."""
    first = text.partition(" ")[0]
    return f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text


def _unavailable(request: Request, error: Exception) -> Response:
    log.error("unavailable: %s", error, exc_info=error)
    detail = f"The request was not answered: {error}. Try again; then see the log."
    return answer_for(request, 503, detail)


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return answer_for(request, 500, "Something unexpected went wrong. The log holds the reason; report it.")
