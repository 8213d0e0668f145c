"""The OpenAPI document: what FastAPI knows of the routes, and what gate and limits answer before them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from schemas.problems import PROBLEM_JSON

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
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
OPEN = "/health"


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
    components = found.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    found["security"] = [{name: []} for name in SCHEMES]
    return found


def _add_problems(operation: dict[str, Any], *, is_write: bool) -> None:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in (PROBLEMS | OF_WRITES if is_write else PROBLEMS).items():
        known = operation["responses"].get(status, {})
        if status != "422" and known:
            continue  # the route says more of it
        operation["responses"][status] = {"description": text, "content": content}
