"""The OpenAPI document: what FastAPI knows of the routes, and what gate and limits answer before them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.examples import add_examples
from api.idempotency import MAX_KEY
from api.versions import HEADER, VERSIONS
from schemas.problems import KINDS, PROBLEM_JSON

PROBLEMS = {
    "400": "The cursor or the interval cannot be read.",
    "401": "A token is missing or wrong.",
    "403": "Not for whoever asks.",
    "404": "It does not exist.",
    "422": "A parameter or field is unknown, given twice, or malformed.",
    "429": "Too many requests of this caller are under way.",
    "500": "A defect; the log holds the reason.",
    "503": "The ledger, or what it depends on, does not answer now.",
}
OF_WRITES = {
    "408": "The body did not arrive in time.",
    "409": "Not as things are now.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
}
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A person's token, or the shared one."},
    "password": {"type": "http", "scheme": "basic", "description": "The token as the password; reads only."},
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457: what is wrong, and in `detail` what to do next.",
    "required": ["type", "title", "status", "code", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": list(KINDS)},
        "detail": {"type": "string"},
    },
}
OPEN = "/health"
VERSION_HEADER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The version that the request is written for; the newest if left out.",
    "schema": {"type": "string", "enum": list(VERSIONS)},
}
KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of the caller's making, one a request: sent again within a day, the answer is the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}
TAG_HEADER = {
    "name": "if-none-match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an answer at hand; 304 says that it holds.",
    "schema": {"type": "string"},
}
_TEXT, _COUNT = {"schema": {"type": "string"}}, {"schema": {"type": "integer", "minimum": 0}}
ANSWER_HEADERS = {
    HEADER: {"description": "The version of the answer.", **_TEXT},
    "RateLimit-Limit": {"description": "Requests a minute.", **_COUNT},
    "RateLimit-Remaining": {"description": "Left of this minute.", **_COUNT},
    "RateLimit-Reset": {"description": "Seconds until the next minute.", **_COUNT},
}


def describe(app: FastAPI, *parts: FastAPI) -> None:
    """Make the app's document tell all of that, of its own routes and of the `parts` beside it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, parts)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way


def _document(app: FastAPI, parts: tuple[FastAPI, ...]) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for part in parts:
        found["paths"] |= part.openapi()["paths"]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            if path == OPEN:
                operation["security"] = [{}, *({name: []} for name in SCHEMES)]
            _add_problems(operation, is_write=method != "get")
            operation.setdefault("parameters", []).extend(_headers_of(path, method, operation))
            _add_headers(operation)
    components = found.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    add_examples(found)
    found["security"] = [{name: []} for name in SCHEMES]
    return found


def _add_problems(operation: dict[str, Any], *, is_write: bool) -> None:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in (PROBLEMS | OF_WRITES if is_write else PROBLEMS).items():
        known = operation["responses"].get(status, {})
        if status != "422" and known:
            continue  # the route says more of it
        operation["responses"][status] = {"description": text, "content": content}


def _headers_of(path: str, method: str, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """What gate and keys read of every request, beside what its route names."""
    known = {one["name"].lower() for one in operation.get("parameters", [])}
    found: list[dict[str, Any]] = [VERSION_HEADER]
    if method == "post" and path.startswith("/v1/"):
        found.append(KEY_HEADER)
    is_json = "application/json" in operation["responses"].get("200", {}).get("content", {})
    if method == "get" and path.startswith("/v1/") and is_json:
        found.append(TAG_HEADER)
    return [one for one in found if one["name"].lower() not in known]


def _add_headers(operation: dict[str, Any]) -> None:
    """What every answer has, and 304 where a route knows tags."""
    for answer in operation["responses"].values():
        answer.setdefault("headers", {}).update(ANSWER_HEADERS)
    if any(one["name"] == "if-none-match" for one in operation.get("parameters", [])):
        operation["responses"]["304"] = {"description": "The answer at hand still holds."}
        operation["responses"]["200"]["headers"] |= {"ETag": {"schema": {"type": "string"}}}
