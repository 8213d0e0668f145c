"""Dead letters as a person works them off: look, correct the bytes, read again, and say who did what.

Replaying has two effects: 1 what the letters became is published, 2 that they did is recorded. A crash
between them leaves the letters open; replaying them again publishes the same events, which the books know.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, Self

from commission.events import AccountLinked, Deal
from commission.terms.records import TermsRecord
from infra.connect.api import ask, ask_all
from infra.sources.profiles import profile_of
from ingest.publish.publisher import publish, publish_decisions, publish_terms
from ingest.readers.reread import Reread, needs_server, reread
from ingest.sources import RowRejected
from ingest.terms.servers import BrokerServer
from schemas.dead_letters import CLOSING, MAX_PAYLOAD_BYTES, Action, DeadLetter, DeadLetterDecision
from schemas.errors import Unusable
from schemas.settings import Settings
from schemas.stops import MAX_NAME_CHARS, MAX_REASON_CHARS

MAX_LETTERS = 10_000
"""Of one replay; the rest is for the next."""
GROUP = 200
"""Letters whose outcomes are recorded together."""


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which letters, as the API's filter takes them."""

    code: str = ""
    source: str = ""
    since: str = ""
    state: str = "open"

    @property
    def parameters(self) -> dict[str, str]:
        """For the query."""
        return {"code": self.code, "source": self.source, "since": self.since, "state": self.state}


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter and what was decided about it."""

    letter: DeadLetter
    decisions: tuple[dict[str, Any], ...]
    has_bytes: bool

    @property
    def closed(self) -> dict[str, Any] | None:
        """The decision that closed it."""
        return next((d for d in self.decisions if d["action"] in CLOSING), None)

    @property
    def edited(self) -> bytes | None:
        """The bytes a person gave in the place of its own, the newest."""
        edits = [d["payload_base64"] for d in self.decisions if d["action"] == "edited"]
        return base64.b64decode(edits[-1]) if edits else None

    @property
    def payload(self) -> bytes:
        """What a replay would read."""
        return self.letter.payload if self.edited is None else self.edited


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter: events, or why it stays."""

    dead_letter_id: str
    action: Action | None
    """None: nothing was done, and nothing is recorded."""
    became: tuple[str, ...] = ()
    why: str = ""
    is_open: bool = False
    """It stays for somebody to do something about."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "dead_letter_id": self.dead_letter_id,
            "outcome": self.action or "unchanged",
            "became": list(self.became),
            "why": self.why,
        }


class Publish(NamedTuple):
    """Where what letters become, and decisions about them, are written."""

    items: Callable[[Sequence[Any]], object]
    terms: Callable[[Sequence[TermsRecord]], object]
    decisions: Callable[[Sequence[DeadLetterDecision]], object]

    @classmethod
    def to_kafka(cls, kafka: str, click_keys: Sequence[bytes] = ()) -> Self:
        """To the topics; each returns once the broker has acknowledged."""
        return cls(
            lambda items: publish(items, kafka, click_keys=click_keys),
            lambda terms: publish_terms(terms, kafka),
            lambda decisions: publish_decisions(decisions, kafka),
        )


def listed(settings: Settings, wanted: DeadLetterFilter, limit: int) -> list[dict[str, Any]]:
    """The letters, newest first."""
    return ask_all(settings, "/v1/dead-letters", limit, **wanted.parameters)


def counts(settings: Settings, wanted: DeadLetterFilter) -> list[dict[str, Any]]:
    """How many there are by code."""
    answer: list[dict[str, Any]] = ask(settings, "/v1/dead-letters/counts", **wanted.parameters).json()
    return answer


def fetch(settings: Settings, dead_letter_id: str) -> Letter:
    """One with its bytes; raise `Unusable` if there is none of that id."""
    if not dead_letter_id.isalnum():
        raise Unusable(
            f"`{dead_letter_id[:64]}` is not the id of a dead letter; see `ibflow dead-letters list`"
        )
    return to_letter(ask(settings, f"/v1/dead-letters/{dead_letter_id}").json())


def to_letter(told: Mapping[str, Any]) -> Letter:
    """One as the API, or its query, shows it."""
    read_at = told["received_at"]
    letter = DeadLetter(
        dead_letter_id=told["dead_letter_id"],
        source=told["source"],
        position=told["position"],
        code=told["code"],
        reason=told["reason"],
        payload_base64=told["payload_base64"],
        payload_bytes=told["payload_bytes"],
        received_at=datetime.fromisoformat(read_at) if isinstance(read_at, str) else read_at,
        server=told["server"],
        header=told["header"],
        is_blanked=told["is_blanked"],
    )
    return Letter(letter, tuple(told["decisions"]), bool(told["payload_bytes"] or told["payload_base64"]))


def read_again(
    found: Letter, servers: dict[str, BrokerServer], payload: bytes | None = None
) -> tuple[list[Reread], str]:
    """What a letter's newest bytes are, or `payload`; or why they are nothing yet."""
    if why := why_unreadable(found, servers):
        return [], why
    server = servers.get(found.letter.server)
    try:
        profile = profile_of(server) if server is not None else None
        return reread(found.letter, profile, found.edited if payload is None else payload), ""
    except RowRejected as bad:
        return [], f"{bad.code}: {bad.reason}"


def why_unreadable(found: Letter, servers: dict[str, BrokerServer]) -> str:
    """What is missing to read a letter at all; "" if nothing is."""
    if not found.has_bytes:
        return "it was stored before bytes were kept; read its file again"
    server = found.letter.server
    if needs_server(found.letter) and server not in servers:
        known = ", ".join(sorted(servers)) or "none, as no --terms was given"
        return f"it needs the profile of the server {server or '(not kept)'}; known: {known}"
    return ""


def edit(
    to: Publish, found: Letter, payload: bytes, servers: dict[str, BrokerServer], by: str, note: str = ""
) -> tuple[list[Reread], str]:
    """Record other bytes for a letter if they would become something; nothing is sent to the books.

    Give what they would become, or why they are refused.
    """
    check_open(found)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Unusable(f"{len(payload):,} bytes are more than the {MAX_PAYLOAD_BYTES:,} of any record")
    if payload == found.payload:
        raise Unusable("nothing was changed, so nothing was recorded")
    became, why = read_again(found, servers, payload)
    if not why:
        edited = base64.b64encode(payload).decode()
        decision = _decision(found.letter.dead_letter_id, "edited", by, note=note, payload_base64=edited)
        to.decisions([decision])
    return became, why


def dismiss(to: Publish, found: Iterable[Letter], by: str, note: str) -> list[Outcome]:
    """Record that letters will never be used, and why."""
    if not note.strip():
        raise Unusable("--reason is the audit of this decision: say why these are never to be used")
    open_ones = [letter.letter.dead_letter_id for letter in found if letter.closed is None]
    to.decisions([_decision(name, "dismissed", by, note=note) for name in open_ones])
    return [Outcome(name, "dismissed", why=note) for name in open_ones]


def replay(
    to: Publish,
    found: Iterable[Letter],
    servers: dict[str, BrokerServer],
    by: str,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Read letters again, publish what they became, and record it; those that are closed are left alone."""
    check_name(by)
    letters = iter(found)
    while group := list(islice(letters, GROUP)):
        outcomes, events = [], list[Reread]()
        for letter in group:
            outcome, became = _replayed(letter, servers)
            outcomes.append(outcome)
            events += became
        # 1 what they became; 2 that they did.
        _publish(to, events)
        to.decisions(
            [
                _decision(o.dead_letter_id, o.action, by, note=o.why, became=o.became)
                for o in outcomes
                if o.action is not None
            ]
        )
        yield from outcomes
        if on_progress is not None:
            on_progress(len(group))


def _replayed(found: Letter, servers: dict[str, BrokerServer]) -> tuple[Outcome, list[Reread]]:
    name = found.letter.dead_letter_id
    if (closed := found.closed) is not None:
        return Outcome(name, None, why=f"{closed['action']} by {closed['by']} at {closed['at']}"), []
    if why := why_unreadable(found, servers):
        return Outcome(name, None, why=why, is_open=True), []
    became, why = read_again(found, servers)
    if why:
        return Outcome(name, "buried_again", why=why[:MAX_REASON_CHARS], is_open=True), []
    return Outcome(name, "replayed", tuple(told(event) for event in became)), became


def _publish(to: Publish, events: list[Reread]) -> None:
    items = [event for event in events if not isinstance(event, TermsRecord)]
    terms = [event for event in events if isinstance(event, TermsRecord)]
    if items:
        to.items(items)
    if terms:
        to.terms(terms)


def told(event: Reread) -> str:
    """An event by its type and id."""
    if isinstance(event, Deal):
        return f"deal {event.deal_key} {event.revision}"
    if isinstance(event, AccountLinked):
        return f"account_linked {event.account_key} {event.event_id}"
    for name in ("client_id", "ib_id", "plan_id", "symbol", "period"):
        with suppress(AttributeError):
            return f"{event.type} {getattr(event, name)} {getattr(event, 'event_id', '')}".strip()
    return event.type


def check_open(found: Letter) -> None:
    """Raise `Unusable` for a letter that is closed."""
    if (closed := found.closed) is not None:
        raise Unusable(f"it was {closed['action']} by {closed['by']} at {closed['at']}")


def check_name(by: str) -> None:
    """Raise `Unusable` for a name that is no name."""
    if not 0 < len(by.strip()) <= MAX_NAME_CHARS:
        raise Unusable(f"--by is the audit of this decision: give 1 to {MAX_NAME_CHARS} characters")


def _decision(dead_letter_id: str, action: Action, by: str, **more: Any) -> DeadLetterDecision:
    check_name(by)
    return DeadLetterDecision(
        dead_letter_id=dead_letter_id, action=action, by=by.strip(), at=datetime.now(UTC), **more
    )
