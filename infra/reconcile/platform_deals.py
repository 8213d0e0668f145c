"""What may be the truth of a server: its exports, or the server itself, slice by slice in order of time."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from commission.events import Deal
from infra.sources.profiles import profile_of
from ingest.readers.detect import detect, read_any
from ingest.source_items import Item
from ingest.sources import AccountOptions, LiveSource, UnreadableSource
from ingest.terms.servers import BrokerServer
from schemas.dead_letters import DeadLetter
from schemas.reconciliations import MAX_LOGINS

WHOLE_SERVER = ("mt5-deals-csv", "mt5-sql-csv")
"""Formats that tell all accounts of a server; any other speaks for the accounts in it."""
MAX_FILE_DEALS = 2_000_000
"""Of the other formats, which are put in order of time in memory."""


@dataclass(slots=True)
class Source:
    """What the platform says, in words for the record, and the accounts it speaks for."""

    name: str
    logins: tuple[int, ...]
    between: Callable[[datetime, datetime], Iterator[Item]]
    tells: Callable[[set[str]], set[str]]
    """Which of these deals it tells, whenever they happened: one may have moved out of the window."""


def deals_of_server(live: LiveSource, logins: tuple[int, ...]) -> Source:
    """A server that can be asked; what it tells unreadable near the end of a slice is told once."""
    told: set[str] = set()

    def between(since: datetime, until: datetime) -> Iterator[Item]:
        before = frozenset(told)
        told.clear()
        for item in live.window(since, until):
            if isinstance(item, DeadLetter):
                told.add(item.dead_letter_id)
                if item.dead_letter_id in before:
                    continue
            if _is_of(item, logins):
                yield item

    # A window is all that can be asked for.
    return Source("the server itself", logins, between, lambda _: set())


def deals_of_file(
    paths: Sequence[Path],
    server: BrokerServer,
    logins: tuple[int, ...] = (),
    *,
    currency: str = "",
    group: str = "",
) -> Source:
    """Exports of one server; raise `UnreadableSource` if they cannot be the truth of it.

    `currency` and `group`, and the login of a single file, are said of files that do not tell them.
    """
    kinds, received_at = [detect(path) for path in paths], datetime.now(UTC)
    is_one = len(logins) == len(paths) == 1 and kinds[0] not in WHOLE_SERVER
    profile = profile_of(server, AccountOptions(logins[0] if is_one else None, currency, group))
    if "crm-csv" in kinds:
        raise UnreadableSource(f"{paths[kinds.index('crm-csv')].name} is a CRM file; it has no deals")
    if len(paths) > 1 and set(kinds) & set(WHOLE_SERVER):
        raise UnreadableSource(
            "an export of the whole server is complete by itself; give one --source, of the whole window"
        )

    def read() -> list[Iterator[Item]]:
        return [read_any(path, profile, received_at) for path in paths]

    def tells(deal_ids: set[str]) -> set[str]:
        items = (item for stream in read() for item in stream)
        return {item.deal_id for item in items if isinstance(item, Deal) and item.deal_id in deal_ids}

    streams = read()
    name = ", ".join(f"{kind} {path.name}" for kind, path in zip(kinds, paths, strict=True))
    if set(kinds) <= set(WHOLE_SERVER):
        return Source(name, logins, _Sequence(streams[0], logins).between, tells)
    ordered = [_in_order(stream, path) for stream, path in zip(streams, paths, strict=True)]
    told = _logins_of(ordered, paths)
    if logins and (silent := sorted(set(logins) - set(told))):
        raise UnreadableSource(f"the source has nothing of account {silent[0]}, which --login names")
    scope = logins or told
    if not scope:
        raise UnreadableSource("the source has no deal, so it is unknown which accounts it covers")
    return Source(name, scope, _Sequence(heapq.merge(*ordered, key=_place), scope).between, tells)


class _Sequence:
    """Items in the order of time, handed out slice by slice."""

    def __init__(self, items: Iterator[Item], logins: tuple[int, ...]) -> None:
        self._items = items
        self._logins = frozenset(logins)
        self._next: Deal | None = None

    def between(self, since: datetime, until: datetime) -> Iterator[Item]:
        """What happened in a slice; what cannot be read is told with the first one that comes by it."""
        while True:
            item = self._next or next(self._items, None)
            self._next = None
            if item is None:
                return
            if isinstance(item, DeadLetter):
                yield item
            elif isinstance(item, Deal):
                if item.occurred_at >= until:
                    self._next = item
                    return
                if item.occurred_at >= since and _is_of(item, self._logins):
                    yield item


def _is_of(item: Item, logins: Sequence[int] | frozenset[int]) -> bool:
    return not logins or not isinstance(item, Deal) or item.login in logins


def _place(item: Item) -> tuple[datetime, str]:
    return (
        (item.occurred_at, item.deal_id) if isinstance(item, Deal) else (datetime.min.replace(tzinfo=UTC), "")
    )


def _in_order(stream: Iterator[Item], path: Path) -> list[Item]:
    items: list[Item] = []
    for item in stream:
        if isinstance(item, Deal | DeadLetter):
            items.append(item)
        if len(items) > MAX_FILE_DEALS:
            raise UnreadableSource(
                f"{path.name} has more than {MAX_FILE_DEALS:,} deals; export a shorter period"
            )
    return sorted(items, key=_place)


def _logins_of(files: Sequence[Sequence[Item]], paths: Sequence[Path]) -> tuple[int, ...]:
    """The accounts of the files; one told by two files has no single truth."""
    known: dict[int, Path] = {}
    for items, path in zip(files, paths, strict=True):
        for login in {item.login for item in items if isinstance(item, Deal)}:
            if known.setdefault(login, path) is not path:
                raise UnreadableSource(
                    f"{known[login].name} and {path.name} both have account {login}; give the newer one alone"
                )
    if len(known) > MAX_LOGINS:
        raise UnreadableSource(f"the files have {len(known):,} accounts; the limit is {MAX_LOGINS:,}")
    return tuple(sorted(known))
