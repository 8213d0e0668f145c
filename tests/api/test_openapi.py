"""The OpenAPI document says what is answered, also by the gate and the limits."""

from typing import Any

from jsonschema import Draft202012Validator

from infra.payees.details import BankAccount, to_details
from infra.payout_files.write import FORMATS
from tests.api.conftest import Browser


def operations(http: Browser) -> list[tuple[str, str, dict[str, Any]]]:
    paths = http.get("/openapi.json").json()["paths"]
    return [(path, method, one) for path, methods in paths.items() for method, one in methods.items()]


def test_every_status_and_content_type_is_told(http: Browser) -> None:
    """Problems are problem+json everywhere, with a schema; a write has four more."""
    for path, method, operation in operations(http):
        answers = operation["responses"]
        wanted = {"400", "401", "403", "404", "422", "429", "500", "503"}
        wanted |= set() if method == "get" else {"408", "409", "413", "415"}
        assert wanted <= answers.keys(), (method, path)
        for status in wanted:
            content = answers[status]["content"]
            assert content == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }, (path, status)


def test_it_says_who_may_ask(http: Browser) -> None:
    """A Bearer token or a password of HTTP Basic; health answers without."""
    document = http.get("/openapi.json").json()
    assert {name: one["scheme"] for name, one in document["components"]["securitySchemes"].items()} == {
        "token": "bearer",
        "password": "basic",
    }
    assert document["security"] == [{"token": []}, {"password": []}]
    assert {} in document["paths"]["/health"]["get"]["security"]


def test_examples_of_what_a_schema_leaves_open_are_accepted(http: Browser) -> None:
    """The format of a payout's file is one that there is, and where an IB is paid is a whole account."""
    paths = http.get("/openapi.json").json()["paths"]

    def body(path: str) -> Any:
        return paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]

    assert body("/v1/payouts/{batch_id}/export")["format"] in FORMATS
    details = to_details(body("/v1/payees/{ib_id}")["details"])
    assert isinstance(details, BankAccount)


def test_every_request_and_answer_has_an_example_of_its_shape(http: Browser) -> None:
    """Each is allowed by the schema beside it, also by what patterns, lengths and enums say."""
    document = http.get("/openapi.json").json()
    count = 0
    for path, method, operation in operations(http):
        bodies = [operation.get("requestBody", {})]
        bodies += [one for code, one in operation["responses"].items() if code < "300"]
        shown = [
            (part["schema"], part["example"])
            for body in bodies
            for kind, part in body.get("content", {}).items()
            if kind == "application/json" and part.get("schema")
        ]
        shown += [
            (one["schema"], one["example"]) for one in operation.get("parameters", []) if one["in"] == "path"
        ]
        count += len(shown)
        for schema, example in shown:
            whole = {**schema, "components": document["components"]}
            wrong = [
                f"{one.json_path}: {one.message}" for one in Draft202012Validator(whole).iter_errors(example)
            ]
            assert wrong == [], (method, path)
    assert count > 120


def test_a_problem_has_the_documented_shape(http: Browser) -> None:
    """Of a refusal by the route and of one by the limits."""
    shape = http.get("/openapi.json").json()["components"]["schemas"]["Problem"]
    for path in ("/v1/transfers/none", "/v1/transfers?x=1", "/none"):
        assert list(http.get(path).json()) == shape["required"]
