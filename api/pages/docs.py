"""The page of the API's routes."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(page: PageHere) -> HTMLResponse:
    """The routes with their parameters, from the OpenAPI document, without any script."""
    routes = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in page.request.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    return page.show("docs.html", routes=routes, type_of=type_of)


def type_of(schema: dict[str, Any]) -> str:
    """A parameter's type in a word or two: `string`, `integer`, `json | csv`."""
    if "enum" in schema:
        return " | ".join(value or "(all)" for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_of(option) for option in schema["anyOf"] if option.get("type") != "null")
    text = schema.get("format") or schema.get("type", "any")
    return f"{text}, repeated" if text == "array" else str(text)
