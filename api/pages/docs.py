"""The page of the API's routes."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.gate import SECURITY_HEADERS
from api.pages.page import PageHere
from schemas.problems import KINDS

router = APIRouter(include_in_schema=False)

POLICY = SECURITY_HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
"""As everywhere, and the pictures that the style of the reference has in itself."""


@router.get("/docs")
def docs(page: PageHere) -> HTMLResponse:
    """The routes with their parameters, from the OpenAPI document, without any script."""
    routes = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in page.request.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    return page.show("docs.html", routes=routes, type_of=type_of)


@router.get("/docs/reference")
def reference(page: PageHere) -> HTMLResponse:
    """The routes with examples, where each can be tried."""
    shown = page.show("reference.html")
    shown.headers["Content-Security-Policy"] = POLICY
    return shown


@router.get("/docs/problems")
def problems(page: PageHere) -> HTMLResponse:
    """Every code of a problem, where its `type` leads: what it is answered with, and what it means."""
    return page.show("problems.html", kinds=KINDS)


def type_of(schema: dict[str, Any]) -> str:
    """A parameter's type in a word or two: `string`, `integer`, `json | csv`."""
    if "enum" in schema:
        return " | ".join(value or "(all)" for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_of(option) for option in schema["anyOf"] if option.get("type") != "null")
    text = schema.get("format") or schema.get("type", "any")
    return f"{text}, repeated" if text == "array" else str(text)
