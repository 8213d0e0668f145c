"""Answers remembered by idempotency key, within bounds: a request sent again gets the same answer.

Memory only, and of one process: a repeated request that is not remembered is taken once more, and the books
know its deals by key and revision. What this saves is the work, not the money.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from ingest.push.problems import Refused

MAX_ANSWERS = 10_000
MAX_ANSWER_BYTES = 32_000_000
MAX_AGE_S = 3_600.0
MAX_KEY_CHARS = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: bytes


@dataclass(slots=True)
class _Remembered:
    digest: bytes
    at: float
    answer: asyncio.Future[Answer]
    size: int = 0


@dataclass(slots=True)
class Answers:
    """The newest answers, by sender and key; for one event loop."""

    max_answers: int = MAX_ANSWERS
    max_bytes: int = MAX_ANSWER_BYTES
    max_age_s: float = MAX_AGE_S
    _known: OrderedDict[tuple[str, str], _Remembered] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def find(self, place: tuple[str, str], digest: bytes) -> asyncio.Future[Answer] | None:
        """The answer to a request, which may be under way still; None for a new one.

        Raise `Refused` if the key stands for another body.
        """
        self._forget_old()
        known = self._known.get(place)
        if known is not None and known.digest != digest:
            text = "This Idempotency-Key came with another body before; give each batch a key of its own."
            raise Refused(409, text)
        return known.answer if known is not None else None

    def begin(self, place: tuple[str, str], digest: bytes) -> asyncio.Future[Answer]:
        """Remember a request that is being answered; give its answer to the future, or `forget` it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._known[place] = _Remembered(digest, time.monotonic(), answer)
        return answer

    def keep(self, place: tuple[str, str], answer: Answer) -> None:
        """Keep the answer of a request that was taken."""
        known = self._known[place]
        known.answer.set_result(answer)
        known.size = len(answer.body)
        self._bytes += known.size
        self._forget_old()

    def forget(self, place: tuple[str, str], error: BaseException) -> None:
        """Forget a request that failed, and tell whoever sent it twice; it may be sent again."""
        known = self._known.pop(place)
        known.answer.set_exception(error)
        known.answer.exception()  # nobody may be waiting

    def _forget_old(self) -> None:
        horizon = time.monotonic() - self.max_age_s
        for place, known in list(self._known.items()):
            is_over = len(self._known) > self.max_answers or self._bytes > self.max_bytes
            if not is_over and known.at >= horizon:
                return
            if known.answer.done():
                self._bytes -= known.size
                del self._known[place]
