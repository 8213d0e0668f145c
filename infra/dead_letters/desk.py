"""Dead letters for the API: the same work as `ibflow dead-letters`, by people who sign in.

The database shows a decision a moment after it was written, so the desk remembers what it has closed: who
presses twice is told, instead of sending the same events again (which the books would know).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from api.dead_letters import Became, LetterRefused
from api.dead_letters import Letter as Shown
from api.operators import Operator, check_writer
from infra.dead_letters import letters
from infra.dead_letters.letters import Letter, Publish, to_letter
from infra.links.keys import click_keys
from ingest.terms.folder import load_terms
from ingest.terms.servers import BrokerServer
from schemas.errors import Unusable
from schemas.settings import Settings

MAX_REMEMBERED = 10_000
Servers = Callable[[], dict[str, BrokerServer]]


def servers_of(folder: Path | None) -> dict[str, BrokerServer]:
    """The servers of a folder of terms, by whose profiles rows are read; none without one."""
    return {} if folder is None else dict(load_terms(folder).servers)


class DeadLetterDesk:
    """One decision at a time."""

    def __init__(self, publish: Publish, servers: Servers) -> None:
        self._publish, self._servers = publish, servers
        self._lock = threading.Lock()
        self._closed: OrderedDict[str, str] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings, kafka: str) -> "DeadLetterDesk":
        """Writing to Kafka, reading by the profiles of the folder of terms."""
        return cls(Publish.to_kafka(kafka, click_keys(settings)), partial(servers_of, settings.terms_dir))

    def preview(self, letter: Shown, payload: bytes) -> Became:
        """Read the bytes, and write nothing."""
        became, why = letters.read_again(to_letter(letter), self._servers(), payload)
        return Became(tuple(map(letters.told, became)), why)

    def edit(self, letter: Shown, payload: bytes, note: str, by: Operator) -> Became:
        """Record the bytes if they become something."""
        check_writer(by)
        found = to_letter(letter)
        with self._lock:
            self._check_open(found)
            try:
                became, why = letters.edit(self._publish, found, payload, self._servers(), by.name, note)
            except Unusable as error:
                raise LetterRefused(str(error)) from None
        if why:
            raise LetterRefused(f"so it would still be nothing: {why}")
        return Became(tuple(map(letters.told, became)))

    def replay(self, letter: Shown, by: Operator) -> Became:
        """Publish what it becomes, then record that; a crash between leaves it open, to be replayed again."""
        check_writer(by)
        found = to_letter(letter)
        with self._lock:
            self._check_open(found)
            (outcome,) = letters.replay(self._publish, [found], self._servers(), by.name)
            if outcome.action == "replayed":
                self._remember(found, f"replayed by {by.name} just now")
        if outcome.action is None:
            raise LetterRefused(outcome.why)
        return Became(outcome.became, outcome.why)

    def dismiss(self, letter: Shown, note: str, by: Operator) -> None:
        """Record why it is never used."""
        check_writer(by)
        found = to_letter(letter)
        with self._lock:
            self._check_open(found)
            letters.dismiss(self._publish, [found], by.name, note)
            self._remember(found, f"dismissed by {by.name} just now")

    def _check_open(self, found: Letter) -> None:
        try:
            letters.check_open(found)
        except Unusable as error:
            raise LetterRefused(str(error)) from None
        if said := self._closed.get(found.letter.dead_letter_id):
            raise LetterRefused(f"it was {said}")

    def _remember(self, found: Letter, said: str) -> None:
        self._closed[found.letter.dead_letter_id] = said
        while len(self._closed) > MAX_REMEMBERED:
            self._closed.popitem(last=False)
