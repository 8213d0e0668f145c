"""Where commands ask about the ledger: one way to find the server and the token, and the same words for all.

The server is the one of `--url`, else of IBFLOW_URL, else the one whose note is in the data folder; without
one the database is opened here. The token is in the file of `--token-file`, else in IBFLOW_OPERATOR_TOKEN or
IBFLOW_API_TOKEN, else in the file `token` in the data folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import httpx

from infra.connect.running_server import STATE_FILE, running_url
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings

TOKEN_FILE = "token"  # noqa: S105 # a file's name
HOW_TO_GIVE = (
    "give yours in IBFLOW_OPERATOR_TOKEN, with --token-file FILE, or in the file `token` of the data folder; "
    "people's are in IBFLOW_OPERATORS_FILE, `ibflow keys create` makes a program's"
)
HOW_TO_NAME = "IBFLOW_DATA_DIR or --data-dir names the folder, IBFLOW_URL or --url a server elsewhere"
MAX_TOKEN_BYTES = 4_096
ANSWER_SECONDS = 120.0
"""For one that decides something: it writes to Kafka and reads it back."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server of ibflow and what we show it."""

    url: str
    token: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What tells who asks."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @contextmanager
    def open(self, timeout_s: float) -> Iterator[httpx.Client]:
        """A connection; whatever goes wrong with it is `Unavailable`."""
        try:
            with httpx.Client(base_url=self.url, headers=self.headers, timeout=timeout_s) as client:
                yield client
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"the server at {self.url} does not answer: {error}") from None

    def check(self, answer: httpx.Response) -> httpx.Response:
        """The answer, if it is one; see `check_answer`."""
        return check_answer(answer, f"the server at {self.url}", has_token=bool(self.token))


def check_answer(answer: httpx.Response, who: str, *, has_token: bool) -> httpx.Response:
    """The answer, if it is one; a refusal is raised in the API's words, a missing token in ours."""
    if not answer.is_success:
        raise_refusal(answer.status_code, refusal_of(answer), who, has_token=has_token)
    return answer


def raise_refusal(status: int, words: str, who: str, *, has_token: bool) -> NoReturn:
    """Raise what an answer of this status is for a command: `Unusable`, or `Unavailable`."""
    if status == HTTPStatus.UNAUTHORIZED:
        told = "does not know this token" if has_token else "wants a token"
        raise Unusable(f"{who} {told}; {HOW_TO_GIVE}") from None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"{who} cannot answer: {words}") from None
    raise Unusable(words) from None


def refusal_of(answer: httpx.Response) -> str:
    """What the API says is wrong, in its own words."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}"


def server_url(settings: Settings) -> str | None:
    """The server that the settings name, else the one that runs in the data folder; None if there is none."""
    return settings.url.rstrip("/") or running_url(settings)


def find_server(settings: Settings) -> Server | None:
    """The server to ask; None: nobody has the database open, and it is asked here.

    Raise `Unusable` if there is neither: a command that reads makes no ledger.
    """
    if (url := server_url(settings)) is not None:
        return Server(url, token_of(settings))
    if not settings.clickhouse and not settings.chdb_dir.is_dir():
        raise Unusable(
            f"there is no ledger in {settings.data_dir.absolute()}: {HOW_TO_NAME}{_elsewhere(settings)}"
        )
    return None


def token_of(settings: Settings) -> str:
    """What the server is shown; "" is none."""
    if settings.token_file is not None:
        return _read_token(settings.token_file)
    beside = settings.data_dir / TOKEN_FILE
    return settings.token or (_read_token(beside) if beside.is_file() else "")


def empty_ledger(settings: Settings, where: object = None) -> Unusable:
    """What to say of a ledger that holds nothing, so that nobody takes it for one that is in order."""
    here = "IBFLOW_CLICKHOUSE" if settings.clickhouse else settings.data_dir.absolute()
    where = where or server_url(settings) or here
    return Unusable(
        f"the ledger in {where} is empty, so there was nothing to check: {HOW_TO_NAME}{_elsewhere(settings)}"
    )


def _elsewhere(settings: Settings) -> str:
    """Where servers run below the data folder, as a demo that is kept does."""
    notes = sorted(settings.data_dir.glob(f"*/{STATE_FILE}"))
    running = [
        note.parent for note in notes if running_url(settings.model_copy(update={"data_dir": note.parent}))
    ]
    return "".join(f". One runs in {folder}: `ibflow --data-dir {folder} …`" for folder in running)


def _read_token(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise Unusable(f"others can read the token in {path}; `chmod 600 {path}` first")
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_TOKEN_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"the token in {path} cannot be read: {error}") from None
