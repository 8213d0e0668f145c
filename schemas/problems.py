"""The shape of every error answered over HTTP, problem+json (RFC 9457), and the codes that it may have.

A code is for programs and stays as it is; `detail` is for people and may be worded anew.
"""

from http import HTTPStatus
from typing import NamedTuple

PROBLEM_JSON = "application/problem+json"
PAGE = "/docs/problems"
"""The page on which every code has a place of its own; `api/pages/docs.py` serves it."""


class Kind(NamedTuple):
    """What a code is answered with, and what it means."""

    status: int
    meaning: str


KINDS = {
    "bad_request": Kind(400, "The request cannot be read. Correct it; sending it again helps nothing."),
    "invalid_cursor": Kind(400, "The cursor is of another list or altered. Start again without `cursor`."),
    "repeated_header": Kind(400, "Who asks, or where the body ends, is said twice, or in two ways."),
    "unknown_version": Kind(400, "`Ibflow-Version` names a version that there is not; `detail` lists them."),
    "unauthenticated": Kind(401, "The token, key or session is missing, wrong or over."),
    "sign_in_failed": Kind(401, "Name, password or code is wrong; which of them is not told."),
    "forbidden": Kind(403, "Whoever asks may not do this, whatever they send."),
    "whole_broker_only": Kind(403, "It is of the whole broker, and the caller sees some sub-trees of IBs."),
    "not_from_this_session": Kind(403, "The form or script is not of a page of this session. Open it again."),
    "bearer_needed": Kind(403, "A password of HTTP Basic reads only. Changes need `Authorization: Bearer`."),
    "not_allowed": Kind(403, "Two named people decide this, and the caller is not one who may."),
    "not_local": Kind(403, "While nobody has a token, this machine alone is answered."),
    "export_out_of_scope": Kind(403, "The file holds more than the caller sees now. Ask for it anew."),
    "not_found": Kind(404, "It does not exist, or is not of what the caller sees."),
    "unknown_route": Kind(404, "The API has no such path. /docs lists the routes."),
    "unknown_account": Kind(404, "No trading account of that server and login is known."),
    "unknown_batch": Kind(404, "There is no payout batch or balance change of that id."),
    "unknown_client": Kind(404, "There is no client of that id."),
    "unknown_dead_letter": Kind(404, "No dead letter of that id is stored."),
    "unknown_deal": Kind(404, "The deal is not known, or nothing is to be told of it there."),
    "unknown_endpoint": Kind(404, "There is no postback endpoint of that id."),
    "unknown_ib": Kind(404, "There is no IB of that id at that time, or the caller does not see it."),
    "unknown_link": Kind(404, "There is no tracking link of that code, or the caller does not see it."),
    "unknown_payee": Kind(404, "Nothing is kept of where that IB is paid, or not that version."),
    "unknown_export": Kind(404, "The caller has no such export."),
    "unknown_period": Kind(404, "The calendar has no such period."),
    "unknown_person": Kind(404, "There is no such person, session or key."),
    "unknown_plan": Kind(404, "There is no plan of that id at that time."),
    "unknown_proposal": Kind(404, "There is no proposal of that id."),
    "unknown_statement": Kind(404, "There is no statement of that id."),
    "unknown_transfer": Kind(404, "There is no transfer of that id."),
    "method_not_allowed": Kind(405, "The path takes other methods; most only read."),
    "body_too_slow": Kind(408, "The body did not arrive in time. Send it again."),
    "conflict": Kind(409, "Not as things are now. Read how they are, then decide."),
    "archive_incomplete": Kind(409, "The stored topics lack a message that the answer needs."),
    "dead_letter_refused": Kind(
        409, "The dead letter is not in a state, or not so that it becomes something."
    ),
    "document_refused": Kind(409, "The document cannot be made as the statement is now."),
    "endpoint_refused": Kind(409, "The endpoint is not in a state that allows this."),
    "idempotency_key_in_use": Kind(
        409, "A request of this `Idempotency-Key` is under way. Wait, then repeat."
    ),
    "idempotency_key_reused": Kind(409, "The `Idempotency-Key` was sent before with something else."),
    "idempotency_key_spent": Kind(409, "The `Idempotency-Key` was used, and its answer is not at hand."),
    "link_refused": Kind(409, "The tracking link is not in a state that allows this, or its code is taken."),
    "payee_refused": Kind(409, "The payee details are not in a state, or of a person, that allows this."),
    "plan_refused": Kind(409, "The plan cannot be tried as things are now."),
    "export_not_ready": Kind(409, "The file is not made yet, or is there no more; `detail` says which."),
    "payout_refused": Kind(409, "The batch or balance is not in a state, or of a person, that allows this."),
    "people_refused": Kind(409, "The person, key or password cannot be changed so."),
    "proposal_refused": Kind(409, "The proposal is not in a state, or of a person, that allows this."),
    "body_too_large": Kind(413, "The body is larger than the route takes. Send less at a time."),
    "unsupported_media_type": Kind(415, "The body is of another type than the route takes."),
    "invalid_request": Kind(422, "A parameter or field has a value that it cannot have; `detail` names it."),
    "not_text": Kind(422, "A parameter holds control characters or half of a character."),
    "repeated_parameter": Kind(422, "A parameter that has one value was given several times."),
    "too_many_rows": Kind(422, "The answer would be longer than it may be. Narrow what is asked."),
    "unknown_ib_named": Kind(422, "The body names an IB that there is not."),
    "unknown_parameter": Kind(422, "The route does not know a parameter; it would have been ignored."),
    "headers_too_large": Kind(431, "All headers together are longer than is read."),
    "rate_limited": Kind(
        429, "The minute's requests of this caller are used up; `Retry-After` says until when."
    ),
    "too_many_exports": Kind(429, "Too many exports of the caller, or of all, wait or are made."),
    "too_many_at_once": Kind(429, "Too many requests of this caller are under way. Wait for their answers."),
    "internal_error": Kind(500, "A defect. The server's log has the reason; report it."),
    "unavailable": Kind(503, "The ledger, or what it depends on, does not answer now. Try again."),
    "audit_log_unavailable": Kind(503, "It may be done, but the audit log could not be written. Look first."),
    "not_in_this_process": Kind(503, "This process does not do that; the one of `ibflow serve` does."),
}
"""Every code there is. One is never renamed or given another status; new ones may come."""

GENERAL = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_too_slow",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_at_once",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}
"""What a status says where nothing more is known of it."""


def code_of(status: int) -> str:
    """The general code of a status; of one that is not foreseen that of its hundred, 400 or 500."""
    return GENERAL.get(status) or ("bad_request" if status < 500 else "internal_error")


def problem_body(status: int, detail: str, code: str = "") -> dict[str, str | int]:
    """The body of an error: what is wrong, and in `detail` a sentence that says what to do next.

    `code` is one of `KINDS`; "" is the general one of the status.
    """
    known = code or code_of(status)
    return {
        "type": f"{PAGE}#{known}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": known,
        "detail": detail,
    }
