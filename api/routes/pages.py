"""Pages for people: the portal and the list of routes."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.portal.overview import overview
from api.portal.render import render
from api.routes.context import LedgerHere, Period, ScopeHere

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(
    request: Request,
    ledger: LedgerHere,
    scope: ScopeHere,
    period: Period = "",
    currency: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """The portal: what was earned, by whom, and whether the ledger balances."""
    return render(request, "overview.html", page=overview(ledger, scope, period, currency))


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The routes with their parameters, from the OpenAPI document, without any script."""
    routes = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in request.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    return render(request, "docs.html", routes=routes, type_of=type_of)


def type_of(schema: dict[str, Any]) -> str:
    """A parameter's type in a word or two: `string`, `integer`, `json | csv`."""
    if "enum" in schema:
        return " | ".join(value or "(all)" for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_of(option) for option in schema["anyOf"] if option.get("type") != "null")
    text = schema.get("format") or schema.get("type", "any")
    return f"{text}, repeated" if text == "array" else str(text)
