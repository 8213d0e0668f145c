"""Every operation keeps the habits of the API; what one does not keep is named here, with why."""

from typing import Any

import pytest

from api.app import create_app
from api.ledger import Ledger
from api.paging import page_of
from api.problems import Problem
from schemas.settings import Settings
from tests.api.people_world import World

WHOLE = {
    "/v1/reports/movers": "so many of the largest changes as are asked for",
    "/v1/partners": "the tree, which the terms bound",
    "/v1/completeness": "one of a server",
    "/v1/own-endpoints": "five of an IB at the most",
    "/v1/link-funnels": "of the newest thousand links, as it says; a campaign's sum is of all its links",
}
"""Lists without a cursor."""
BARE = {"/v1/dead-letters/counts": "one of a code, of which there are some dozens"}
"""Answers that are a list and no object."""
BINARY = ("sheet", "arrow.file", "parquet", "pdf", "png")
"""What no example can show."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document; no question is asked of a ledger."""
    return dict(create_app(None, Settings(_env_file=None)).openapi())  # type: ignore[arg-type]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, ways in document["paths"].items() for method, one in ways.items()]


def names(operation: dict[str, Any], where: str) -> set[str]:
    return {one["name"].lower() for one in operation["parameters"] if one["in"] == where}


def test_every_operation_has_the_headers_of_the_api(document: dict[str, Any]) -> None:
    """A version may be asked for; each answer tells its own and the rate; a POST takes a key."""
    for path, method, one in operations(document):
        assert "ibflow-version" in names(one, "header"), path
        assert method != "post" or not path.startswith("/v1/") or "idempotency-key" in names(one, "header")
        for answer in one["responses"].values():
            told = {"Ibflow-Version", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
            assert told <= answer["headers"].keys(), path


def test_every_json_read_has_a_tag(document: dict[str, Any]) -> None:
    for path, method, one in operations(document):
        answer = one["responses"].get("200", {})
        if method == "get" and path.startswith("/v1/") and "application/json" in answer.get("content", {}):
            assert "if-none-match" in names(one, "header"), path
            assert "ETag" in answer["headers"], path
            assert "ETag" in one["responses"]["304"]["headers"], path


def test_every_list_has_a_limit_and_a_cursor(document: dict[str, Any]) -> None:
    """Those of `WHOLE` have none, and nothing is in that table without need."""
    schemas, whole, bare = document["components"]["schemas"], set(), set()
    for path, method, one in operations(document):
        content = one["responses"].get("200", {}).get("content", {}).get("application/json", {})
        schema = content.get("schema", {})
        shape = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if method != "get":
            continue
        if shape.get("type") == "array":
            bare.add(path)
        elif "items" in shape.get("properties", {}):
            if {"limit", "cursor"} <= names(one, "query") and "next_cursor" in shape["properties"]:
                continue
            whole.add(path)
    assert whole == WHOLE.keys()
    assert bare == BARE.keys()


def test_every_operation_says_what_it_takes_and_shows_what_it_gives(document: dict[str, Any]) -> None:
    """Words for it and for each parameter of its query, and an example of each answer that is text."""
    for path, method, one in operations(document):
        assert one["summary"], path
        assert one["description"], path
        for parameter in one["parameters"]:
            assert parameter["in"] != "query" or parameter.get("description"), (path, parameter["name"])
        for status, answer in one["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if status < "300" and not kind.partition(";")[0].endswith(BINARY):
                    assert "example" in content, (method, path, kind)


@pytest.mark.parametrize("gone", [False, True])
def test_a_page_begins_after_the_row_that_its_cursor_names(gone: bool) -> None:  # noqa: FBT001  - a case
    """Though rows came before it; where that one is gone, at the place where it stood."""
    found = [f"r{number}" for number in range(5)]
    first, cursor = page_of(found, 2, "", str)
    assert cursor is not None
    since = [one for one in found if one != "r1"] if gone else ["new", *found]
    second, after = page_of(since, 2, cursor, str)
    assert first == ["r0", "r1"]
    assert second == (["r3", "r4"] if gone else ["r2", "r3"])
    assert (after is None) == gone
    with pytest.raises(Problem):
        page_of(found, 2, "x", str)


def test_people_and_keys_come_by_the_page(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page they are all of them, each once."""
    anna = World(ledger, monkeypatch).signed_in("anna")
    for path, key in (("/v1/users", "name"), ("/v1/sessions", "session")):
        every = anna.ask("GET", path, {"Accept": "application/json"}).json()
        assert every["next_cursor"] is None
        got, cursor = [], ""
        while cursor is not None:
            page = anna.ask("GET", f"{path}?limit=2&cursor={cursor}", {"Accept": "application/json"}).json()
            got += [one[key] for one in page["items"]]
            cursor = page["next_cursor"]
        assert got == [one[key] for one in every["items"]]
