"""How the client asks: one HTTP connection, its token, and problems as exceptions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import ClassVar, Protocol, Self, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import httpx
import msgspec

from . import models

PROBLEM_JSON = "application/problem+json"
T = TypeVar("T")
_Value = str | int | float | bool | None
"""As httpx takes them; here they are texts."""


class ProblemError(Exception):
    """The API refused: `code` is one fixed word for programs, the detail says what to do next."""

    def __init__(self, problem: models.Problem) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem
        self.code: str = problem.code
        self.status = problem.status


class Paged(Protocol):
    """An answer that is a page of a list."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None after the last."""


PageT = TypeVar("PageT", bound=Paged)


def pages(read: Callable[[str | None], PageT]) -> Iterator[PageT]:
    """Every page of a list: `pages(lambda after: client.get_statements(ib="A", cursor=after))`."""
    page = read(None)
    yield page
    while page.next_cursor is not None:
        page = read(page.next_cursor)
        yield page


class Parts(TypedDict, total=False):
    """What a request has beside its method and path; a value of None is not sent."""

    path_values: Mapping[str, object]
    query: Mapping[str, object]
    headers: Mapping[str, str | None]
    body: msgspec.Struct | bytes | None


class Connection:
    """A connection to one server; `with` closes it. `http` is for tests and proxies."""

    version: ClassVar[str]

    def __init__(
        self, url: str, token: str = "", *, timeout: float = 30.0, http: httpx.Client | None = None
    ) -> None:
        self._http = httpx.Client(timeout=timeout) if http is None else http
        self._url = url.rstrip("/")
        self._headers = {"Ibflow-Version": self.version}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, method: str, path: str, answer: type[T], **parts: Unpack[Parts]) -> T:
        """Send a request and read its answer.

        Raise `ProblemError` for a refusal, `httpx.HTTPError` where it is not the API that answers,
        `msgspec.DecodeError` where it is another API.
        """
        sent = self._send(method, path, **parts)
        return msgspec.convert(sent, answer) if answer is bytes else msgspec.json.decode(sent, type=answer)

    def ask_optional(self, method: str, path: str, answer: type[T], **parts: Unpack[Parts]) -> T | None:
        """The same where the answer may be that there is none."""
        sent = self._send(method, path, **parts)
        return None if sent == b"null" else msgspec.json.decode(sent, type=answer)

    def _send(self, method: str, path: str, **parts: Unpack[Parts]) -> bytes:
        for name, value in parts.get("path_values", {}).items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        body = parts.get("body")
        own = {name: value for name, value in parts.get("headers", {}).items() if value is not None}
        response = self._http.request(
            method,
            self._url + path,
            params=_query(parts.get("query", {})),
            headers=self._headers | _of_body(method, body) | own,
            content=body if body is None or isinstance(body, bytes) else msgspec.json.encode(body),
        )
        if response.headers.get("content-type", "").startswith(PROBLEM_JSON):
            raise ProblemError(msgspec.json.decode(response.content, type=models.Problem))
        response.raise_for_status()
        return response.content


def _query(values: Mapping[str, object]) -> list[tuple[str, _Value]]:
    found: list[tuple[str, _Value]] = []
    for name, value in values.items():
        several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        found += [(name, _text(one)) for one in several if one is not None]
    return found


def _text(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(
                f"{value} has no time zone; such as datetime(2026, 9, 1, tzinfo=UTC) is expected"
            )
        return value.astimezone(UTC).isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_body(method: str, body: msgspec.Struct | bytes | None) -> dict[str, str]:
    """A write says that it is JSON also without a body, which no form of a web page can."""
    if method == "GET":
        return {}
    return {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
