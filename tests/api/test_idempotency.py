"""A POST that is sent again with its key is done once."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import idempotency
from api.idempotency import IN_LOG, Answers, Keyed, is_keyed
from api.ledger import Ledger
from tests.api.conftest import Browser, routes_of
from tests.api.people_world import World

KEY = {"Idempotency-Key": "k-1"}


class Counter:
    """An app that counts what it does, and may fail."""

    def __init__(self, answers: Answers) -> None:
        self.done: list[bytes] = []
        self.status = 201
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        app = FastAPI()

        @app.post("/v1/{rest:path}")
        async def add(request: Request) -> Response:
            self.done.append(await request.body())
            self.begun.set()
            await self.go_on.wait()
            return Response(f"done {len(self.done)}", self.status)

        self.app: ASGIApp = app
        self.answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the gate does, with the caller of a header."""
        caller = dict(scope["headers"]).get(b"x-caller", b"anna").decode()
        keyed = Keyed(self.app, self.answers, caller) if is_keyed(scope) else self.app
        await keyed(scope, receive, send)

    async def post(self, path: str = "/v1/things", body: bytes = b"1", **headers: str) -> httpx.Response:
        """Send POST."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self), base_url="http://x") as client:
            return await client.post(path, content=body, headers=headers)


def posted(counter: Counter, *args: Any, **headers: str) -> httpx.Response:
    return asyncio.run(counter.post(*args, **headers))


@pytest.fixture
def counter(tmp_path: Path) -> Any:
    answers = Answers(tmp_path / "answers.sqlite")
    yield Counter(answers)
    answers.close()


def test_it_is_done_once_for_a_key(counter: Counter) -> None:
    """The answer again, marked as such; without a key, or with another, it is done anew."""
    first, again = posted(counter, **KEY), posted(counter, **KEY)
    assert (first.status_code, first.text) == (again.status_code, again.text) == (201, "done 1")
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert posted(counter).text == "done 2"
    assert posted(counter, **{"Idempotency-Key": "k-2"}).text == "done 3"
    assert counter.done == [b"1"] * 3


def test_a_key_is_of_one_request_and_one_caller(counter: Counter) -> None:
    """Another body, path or query with it is a 409; another caller's same key is another key."""
    posted(counter, **KEY)
    for path, body in (("/v1/things", b"2"), ("/v1/others", b"1"), ("/v1/things?x=1", b"1")):
        refused = posted(counter, path, body, **KEY)
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_reused")
    assert posted(counter, **KEY, **{"X-Caller": "bert"}).text == "done 2"
    assert posted(counter, **{"Idempotency-Key": "k" * 129}).status_code == 422


def test_what_failed_may_be_sent_again(counter: Counter) -> None:
    """A refusal or a failure is no answer to keep."""
    for status in (409, 422, 500, 503):
        counter.status = status
        assert posted(counter, **KEY).status_code == status
    counter.status = 201
    assert posted(counter, **KEY).text == "done 5"


def test_the_same_key_at_once_is_told_to_wait(counter: Counter) -> None:
    """While the first is under way the second is refused with a second to wait, and nothing is done twice."""

    async def both() -> tuple[httpx.Response, httpx.Response]:
        counter.go_on.clear()
        first = asyncio.create_task(counter.post(**KEY))
        await counter.begun.wait()
        second = await counter.post(**KEY)
        counter.go_on.set()
        return await first, second

    first, second = asyncio.run(both())
    assert (first.text, second.json()["code"], second.headers["Retry-After"]) == (
        "done 1", "idempotency_key_in_use", "1",
    )  # fmt: skip


def test_an_answer_outlives_the_process(tmp_path: Path) -> None:
    """It is in a file; one with a secret is not, and one that was under way says that it is not known."""
    path = tmp_path / "answers.sqlite"
    before = Counter(Answers(path))
    posted(before, **KEY)
    posted(before, "/v1/keys", **{"Idempotency-Key": "k-2"})
    before.answers.begin("k-3", "x")
    before.answers.close()
    assert b"done 2" not in b"".join(one.read_bytes() for one in tmp_path.iterdir()), "no secret in a file"
    after = Counter(Answers(path))
    assert posted(after, **KEY).text == "done 1"
    lost = posted(after, "/v1/keys", **{"Idempotency-Key": "k-2"})
    assert (lost.status_code, lost.json()["code"]) == (409, "idempotency_key_spent")
    unknown = after.answers.begin("k-3", "x")
    assert unknown is not None
    assert (unknown.status, after.answers.is_under_way("k-3")) == (None, False)
    after.answers.close()
    assert after.done == []


def test_answers_are_forgotten_after_a_day_and_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded both ways: what is older than a day, and the oldest beyond the number."""
    now = [0.0]
    answers = Answers(now=lambda: now[0])
    monkeypatch.setattr(idempotency, "MAX_KEPT", 2)
    for place in "abc":
        now[0] += 1
        assert answers.begin(place, "x") is None
    assert answers.begin("d", "x") is None
    assert answers.begin("a", "x") is None, "the oldest of four went"
    now[0] += idempotency.MAX_AGE_S + 1
    assert answers.begin("d", "x") is None
    answers.close()


def test_every_post_of_the_api_takes_a_key(http: Browser) -> None:
    """The document says so of each; those that keep it in the log among them."""
    paths = http.get("/openapi.json").json()["paths"]
    for path in routes_of("POST"):
        if path.startswith("/v1/"):
            names = [one["name"].lower() for one in paths[path]["post"]["parameters"]]
            assert names.count("idempotency-key") == 1, path
    assert set(IN_LOG) <= set(routes_of("POST"))


def test_a_person_is_added_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the whole app: the same one-time code again, and one entry in the audit log."""
    world = World(ledger, monkeypatch)
    anna = world.signed_in("anna")
    wanted = {"name": "otto", "role": "auditor"}
    first, again = (anna.call("/v1/users", wanted, **KEY) for _ in range(2))
    assert first.status_code == 201, first.text
    assert first.json() == again.json()
    assert [one[:2] for one in world.done() if one[2] == "POST /v1/users"] == [("anna", "change")]
    other = anna.call("/v1/users", wanted | {"name": "olga"}, **KEY)
    assert other.json()["code"] == "idempotency_key_reused"
    world.answers.close()


def test_who_has_the_answer_may_ask_again_at_once(counter: Counter) -> None:
    """When the end of the answer is handed on, the answer is kept already."""
    place: list[str] = []
    begin = counter.answers.begin

    async def run() -> list[bool]:
        under_way = []

        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            async def told(message: Message) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    under_way.append(counter.answers.is_under_way(place[0]))
                await send(message)

            await counter(scope, receive, told)

        transport = httpx.ASGITransport(watch)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.post("/v1/things", content=b"1", headers=KEY)
        assert answer.status_code == 201
        return under_way

    with patch.object(counter.answers, "begin", lambda at, digest: place.append(at) or begin(at, digest)):
        assert asyncio.run(run()) == [False]
