"""The running server asked by the typed client of its API (`examples/client`), in the words of commands."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec
from ibflow_client import Client, Paged, ProblemError, pages

from infra.connect.ledger_at import ANSWER_SECONDS, Server, check_answer, find_server, raise_refusal
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings

MAX_ITEMS = 1_000
"""Of a page, as the API allows it."""
RequestT = TypeVar("RequestT", bound=msgspec.Struct)


@contextmanager
def running_api(settings: Settings, does: str, seconds: float = ANSWER_SECONDS) -> Iterator[Client]:
    """The server that runs, which alone does that; raise `Unusable` if none runs, or what it refuses."""
    server = find_server(settings)
    if server is None:
        raise Unusable(f"only a running server {does}: start `ibflow serve` first")
    with connected(server, seconds) as api:
        yield api


@contextmanager
def connected(server: Server, seconds: float) -> Iterator[Client]:
    """A client of this server; whatever goes wrong is `Unusable` or `Unavailable`."""
    who = f"the server at {server.url}"
    try:
        with Client(server.url, server.token, timeout=seconds) as api:
            yield api
    except ProblemError as refused:
        raise_refusal(refused.status, refused.problem.detail, who, has_token=bool(server.token))
    except httpx.HTTPStatusError as error:  # something before it answers
        check_answer(error.response, who, has_token=bool(server.token))
        raise Unavailable(f"{who} answers {error.response.status_code}, as the API does not") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{who} does not answer: {error}") from None
    except msgspec.DecodeError as error:
        raise Unavailable(f"{who} answers as another version of ibflow would: {error}") from None


def ask(
    settings: Settings, does: str, question: Callable[[Client], object], seconds: float = ANSWER_SECONDS
) -> Any:
    """What it answers, as its JSON has it."""
    with running_api(settings, does, seconds) as api:
        return msgspec.to_builtins(question(api))


def every_item(
    settings: Settings, does: str, page: Callable[[Client, int, str | None], Paged], limit: int = 0
) -> list[dict[str, Any]]:
    """The items of a list, page after page, as its JSON has them; at most `limit`, 0 is all."""
    items: list[dict[str, Any]] = []
    with running_api(settings, does) as api:
        size = min(limit, MAX_ITEMS) if limit else MAX_ITEMS
        for found in pages(lambda after: page(api, size, after)):
            items += msgspec.to_builtins(found)["items"]
            if limit and len(items) >= limit:
                return items[:limit]
    return items


def filled(model: type[RequestT], fields: Mapping[str, Any]) -> RequestT:
    """A request of the fields of a file or a command, whose values the server checks.

    Raise `Unusable` for a field that there is none of: it would be left out without a word.
    """
    names = {field.encode_name: field.name for field in msgspec.structs.fields(model)}
    if strangers := sorted(fields.keys() - names.keys()):
        raise Unusable(f"there is no field {', '.join(strangers)}; there are {', '.join(sorted(names))}")
    return model(**{names[name]: value for name, value in fields.items()})
