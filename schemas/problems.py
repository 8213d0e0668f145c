"""The shape of every error answered over HTTP: problem+json (RFC 9457)."""

from http import HTTPStatus

PROBLEM_JSON = "application/problem+json"


def problem_body(status: int, detail: str) -> dict[str, str | int]:
    """The body of an error: what is wrong, and in `detail` a sentence that says what to do next."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
