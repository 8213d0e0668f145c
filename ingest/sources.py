"""What every source shares: the profile of a platform server, the items it yields, its two failures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from commission.events import Deal, Platform
from ingest.counts import Counts
from ingest.server_time import ServerClock
from ingest.source_items import Item
from schemas.dead_letters import DeadLetter, to_dead_letter
from schemas.errors import Unusable

MarginMode = Literal["hedging", "netting"]

MAX_FILE_BYTES = 2_000_000_000
MAX_SERVER_CHARS = 64

SERVICE_REASONS = frozenset(
    {
        "rollover",
        "variation_margin",
        "settlement",
        "transfer",
        "sync",
        "external_service",
        "migration",
        "split",
        "corporate_action",
        "gateway",
        "ultency",
        "coverage",
    }
)
"""Reasons of executions that no client asked for. A server whose clients trade through a gateway,
or whose IBs are paid for expiries, takes `gateway` or `settlement` out in its profile."""


@dataclass(frozen=True, slots=True)
class EncodedDeals:
    """Deals in order as their wire lines, each with its account, which tells its partition."""

    account_keys: list[str]
    lines: list[bytes]


class UnreadableSource(Unusable):
    """A whole file that cannot be used; the message says what it should have been."""


class MissingOptions(UnreadableSource):
    """A file that can be used once it is said what it does not say itself: the options to say it with."""

    def __init__(self, reason: str, options: tuple[str, ...]) -> None:
        super().__init__(f"{reason}; say {', '.join(options)}")
        self.reason = reason
        self.options = options

    def beside(self, first: "MissingOptions | None") -> "MissingOptions":
        """This and what else is missing, in one."""
        return self if first is None else MissingOptions(first.reason, (*first.options, *self.options))


class RowRejected(ValueError):
    """One row that cannot be used; never leaves the room, a reader buries the row."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What a file does not say about the platform server it came from.

    `server` is the name in every account key. `margin_mode` None: the server has groups of both.
    `currency` and `login` speak where a file is silent; `group` is copied to every deal. A login, a
    group, and a currency of which `is_currency_said`, are of this very file: `agreeing` refuses
    another in it. Else the currency is the server's usual one.
    """

    server: str
    platform: Platform
    clock: ServerClock
    margin_mode: MarginMode | None = None
    currency: str = ""
    login: int | None = None
    group: str = ""
    service_reasons: frozenset[str] = SERVICE_REASONS
    is_currency_said: bool = False
    close_reopen: tuple[str, ...] = ()
    """MT4 groups, exactly or by prefix, that close a ticket whole and reopen what a partial close leaves."""
    symbols: frozenset[str] = frozenset()
    """The server's symbols as it spells them, for sources that lose the case; empty: not known."""
    columns: tuple[str, ...] = ()
    """What the columns of an MT4 statement are, from left to right; empty: it is found out."""

    def __post_init__(self) -> None:
        check_server(self.server)


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """What a person says of a file that does not say it itself; a file that says another is refused."""

    login: int | None = None
    currency: str = ""
    group: str = ""
    columns: tuple[str, ...] = ()


NO_OPTIONS = AccountOptions()


class Read(Protocol):
    """How every source is read: lazily; a file that cannot be used fails at the call itself."""

    def __call__(
        self, path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
    ) -> Iterator[Item]:
        """Yield the events and dead letters of the file at `path`."""


class Page(NamedTuple):
    """What one answer of a live source held, and the cursor that stands once Kafka has it."""

    items: Sequence[Item]
    cursor: str
    """Opaque to everybody but its source; "" is the beginning."""


class LiveSource(Protocol):
    """A server that can be asked again and again: its database, its Web API.

    All methods raise `Unavailable` when the server cannot be reached, and never skip a record: one
    that cannot be used is a dead letter among the items.
    """

    def poll(self, cursor: str) -> Iterator[Page]:
        """Yield what changed since `cursor`, with an overlap; end when there is no more for now."""

    def cursor_at(self, moment: datetime) -> str:
        """The cursor from which a poll yields everything that changed since `moment`."""

    def window(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Yield every deal with `since <= occurred_at < until`, as the server knows it now."""


@dataclass(frozen=True, slots=True)
class DeadLetterWriter:
    """Buries the rows of one file."""

    source: str
    received_at: datetime
    server: str = ""
    header: str = ""

    def to_dead_letter(
        self, payload: bytes, position: str, bad: RowRejected, *, is_blanked: bool = False
    ) -> DeadLetter:
        """Make the dead letter of `payload`, read at `position`, for what `bad` says."""
        return to_dead_letter(
            payload,
            source=self.source,
            position=position,
            code=bad.code,
            reason=bad.reason,
            received_at=self.received_at,
            server=self.server,
            header=self.header,
            is_blanked=is_blanked,
        )


def agreeing(items: Iterator[Item], profile: ServerProfile, path: Path) -> Iterator[Item]:
    """Pass items on; raise `UnreadableSource` for a deal that contradicts what was said of the file."""
    said = (
        ("login", "" if profile.login is None else str(profile.login)),
        ("currency", profile.currency if profile.is_currency_said else ""),
        ("group", profile.group),
    )
    wanted = tuple((name, value) for name, value in said if value)
    return _agreeing(items, wanted, path) if wanted else items


def _agreeing(items: Iterator[Item], said: Sequence[tuple[str, str]], path: Path) -> Iterator[Item]:
    for item in items:
        for name, value in said:
            if isinstance(item, Deal) and str(getattr(item, name)) != value:
                raise UnreadableSource(
                    f"{path.name} says {name} {getattr(item, name)} ({item.source}), but --{name} {value} was"
                    " given; leave the option out, for what the file says counts"
                )
        yield item


def check_server(server: str) -> str:
    """Return a server's name, or raise ValueError: `/` and `|` would make account keys ambiguous."""
    if not server or len(server) > MAX_SERVER_CHARS or not server.isprintable() or set(server) & set("/|"):
        raise ValueError(
            f"server `{server[:MAX_SERVER_CHARS]}`: a name has 1 to {MAX_SERVER_CHARS} printable characters"
            " without `/` and `|`, such as Broker-Live01"
        )
    return server


def check_platform(profile: ServerProfile, platform: Platform, path: Path) -> None:
    """Raise `UnreadableSource` where a file of one platform is read with a profile of the other."""
    if profile.platform != platform:
        raise UnreadableSource(
            f"{path.name} is an {platform.upper()} file, but the profile says that {profile.server} is"
            f" {profile.platform.upper()}; choose the server it was exported from"
        )


def check_size(path: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Raise `UnreadableSource` for a file that is empty or over the limit."""
    size = path.stat().st_size
    if size == 0:
        raise UnreadableSource(f"{path.name} is empty")
    if size > max_bytes:
        raise UnreadableSource(
            f"{path.name} has {size:,} bytes; the limit is {max_bytes:,}. Export a shorter period"
        )
