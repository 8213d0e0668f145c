"""The lists that can be had as long files: each is what its page shows, page after page, by name."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from api.exports import ListName
from api.ledger import Ledger, Row
from api.payouts import Payouts
from api.people import Audit
from api.problems import Problem
from api.queries import client_list, dead_letters, postbacks, quality
from api.queries.client_list import ClientFilter
from api.queries.dead_letters import LetterFilter
from api.queries.ordered import NEWEST
from api.queries.statements import OLDEST, statements
from api.scope import Scope
from api.views.payouts import batch_view, line_view
from schemas.columns import STATEMENT_COLUMNS

PAGE_ROWS = 5_000
"""Read at once; a page of one is looked for by its place, so none is read twice."""
Columns = dict[str, type]
"""Each with the type of its cells: `str`, `int`, `Decimal` or `datetime`."""
Asked = Mapping[str, str]
"""What of a list is wanted, by the names that its route has; "" is all."""

T = TypeVar("T")


class Sources(NamedTuple):
    """What files are made of; None where this process has none."""

    ledger: Ledger
    payouts: Payouts | None = None
    audit: Audit | None = None


class NamedList(NamedTuple):
    """A list: its columns, its rows, and the path whose readers may have it."""

    reads: str
    columns: Columns
    blocks: Callable[[Sources, Scope, Asked], Iterator[list[Row]]]
    is_whole: bool = False
    """Whether it is of the whole broker, so that who sees sub-trees is refused."""


def _pages(page: Callable[[str], dict[str, Any]]) -> Iterator[list[Row]]:
    cursor: str | None = ""
    while cursor is not None:
        found = page(cursor)
        yield found["items"]
        cursor = found["next_cursor"]


def _clients(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    fields: dict[str, Any] = {name: asked[name] for name in ("ib", "state", "sort", "order")}
    wanted = ClientFilter(scope, **fields)
    return _pages(lambda cursor: client_list.listed(of.ledger, wanted, PAGE_ROWS, cursor))


def _statements(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    return _pages(
        lambda cursor: statements(
            of.ledger, scope, asked["ib"], asked["period"], PAGE_ROWS, OLDEST._replace(cursor=cursor)
        )
    )


def _rejections(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    return _pages(
        lambda cursor: quality.rejections(of.ledger, scope, asked["status"], asked["code"], PAGE_ROWS, cursor)
    )


def _client_events(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    return _pages(
        lambda cursor: quality.client_events(
            of.ledger, scope, asked["client"], asked["type"], PAGE_ROWS, cursor
        )
    )


def _attempts(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    scope.check_whole()
    wanted = asked["endpoint"], asked["milestone"], asked["outcome"]
    return _pages(
        lambda cursor: postbacks.attempts(of.ledger, *wanted, PAGE_ROWS, NEWEST._replace(cursor=cursor))
    )


def _dead_letters(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    since = datetime.fromisoformat(asked["since"]) if asked["since"] else None
    wanted = LetterFilter(asked["code"], asked["source"], since, asked["state"])
    return _pages(
        lambda cursor: dead_letters.dead_letters(
            of.ledger, scope, wanted, PAGE_ROWS, NEWEST._replace(cursor=cursor)
        )
    )


def _payouts(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    scope.check_whole()
    for batch in _here(of.payouts).newest(asked["period"]):
        shown = batch_view(batch)
        first = shown["steps"][0]
        yield [{**shown, "created_by": first["by"], "created_at": first["at"]}]


def _payout_lines(of: Sources, scope: Scope, asked: Asked) -> Iterator[list[Row]]:
    scope.check_whole()
    batch = _here(of.payouts).get(asked["batch"])
    for line in batch.lines.values():
        yield [line_view(batch, line)]


def _audit_log(of: Sources, scope: Scope, _: Asked) -> Iterator[list[Row]]:
    scope.check_whole()
    for entry in _here(of.audit).every():
        yield [{name: getattr(entry, name) for name in _AUDIT}]


def _here(source: T | None) -> T:
    if source is None:
        raise Problem(503, "This process does not keep that.", code="not_in_this_process")
    return source


def _columns(names: str, **kinds: type) -> Columns:
    return {name: kinds.get(name, str) for name in names.split()}


_AUDIT = _columns("number at by what on detail peer previous", number=int, at=datetime)
_OF_STATEMENTS: dict[str, type] = {
    **dict.fromkeys(("opening", "accrued", "reversed", "payable", "rounding", "closing", "held"), Decimal),
    **dict.fromkeys(("starts_at", "ends_at"), datetime),
    "transfers": int,
}

LISTS: dict[ListName, NamedList] = {
    "clients": NamedList(
        "/v1/clients",
        _columns(
            "client_id occurred_at ib_id country state ftd_at qualified_at lost_at kyc missing",
            occurred_at=datetime, ftd_at=datetime, qualified_at=datetime, lost_at=datetime,
        ),
        _clients,
    ),
    "statements": NamedList(
        "/v1/statements", _columns(" ".join(STATEMENT_COLUMNS), **_OF_STATEMENTS), _statements
    ),
    "rejections": NamedList(
        "/v1/rejections",
        _columns(
            "deal_key revision status code text account_key client_id occurred_at", occurred_at=datetime
        ),
        _rejections,
    ),
    "client-events": NamedList(
        "/v1/client-events",
        _columns(
            "client_id type event_id occurred_at deposit_id status amount currency reason verdict ib_id"
            " jurisdiction expires_at source",
            occurred_at=datetime, amount=Decimal, expires_at=datetime,
        ),
        _client_events,
    ),
    "payouts": NamedList(
        "/v1/payouts",
        _columns(
            "batch_id period currency state method minimum lines total pays pays_total created_by created_at",
            minimum=Decimal, total=Decimal, pays_total=Decimal, created_at=datetime,
        ),
        _payouts,
        is_whole=True,
    ),
    "payout-lines": NamedList(
        "/v1/payouts",
        _columns(
            "line_id ib_id name amount pays tax statement_ids state reason",
            amount=Decimal, pays=Decimal, tax=Decimal,
        ),
        _payout_lines,
        is_whole=True,
    ),
    "postback-attempts": NamedList(
        "/v1/postbacks",
        _columns(
            "milestone_id endpoint attempt attempted_at outcome http_status error duration_ms next_attempt_at"
            " replay delivery_id request answer",
            attempt=int, attempted_at=datetime, http_status=int, duration_ms=int, next_attempt_at=datetime,
        ),
        _attempts,
        is_whole=True,
    ),
    "dead-letters": NamedList(
        "/v1/dead-letters",
        _columns(
            "dead_letter_id source position code reason payload received_at state", received_at=datetime
        ),
        _dead_letters,
        is_whole=True,
    ),
    "audit-log": NamedList("/v1/audit-log", _AUDIT, _audit_log, is_whole=True),
}  # fmt: skip
