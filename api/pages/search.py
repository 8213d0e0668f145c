"""The search of the whole portal: its page, and what appears while somebody types."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.ledger import Row
from api.pages.page import PageHere
from api.portal.marks import at, count
from api.pseudonymous import PseudonymousLedger
from api.queries.search import Found, search

router = APIRouter(prefix="/search", include_in_schema=False)
Wanted = Annotated[str, Query(max_length=128)]


class Hit(NamedTuple):
    """One thing found: where it is shown, and how it is told from others."""

    path: str
    title: str
    note: str = ""
    parameters: Mapping[str, str] = MappingProxyType({})


@router.get("")
def page(page: PageHere, q: Wanted = "") -> HTMLResponse:
    """The page, which works without a script."""
    return page.show("search.html", q=q, found=[*_groups(_found(page, q))])


@router.get("/found")
def found(page: PageHere, q: Wanted = "") -> HTMLResponse:
    """What appears under the search field."""
    return page.show("found.html", q=q.strip(), found=[*_groups(_found(page, q))])


def _found(page: PageHere, q: str) -> Found:
    found = search(page.ledger, page.scope, q)
    # Whoever sees clients by pseudonyms would learn of an id or login whose it is.
    is_hidden = isinstance(page.ledger, PseudonymousLedger)
    return found._replace(clients=[], logins=[]) if is_hidden else found


def _groups(found: Found) -> Iterator[tuple[str, list[Hit]]]:
    """Each kind of which something was found, with its hits."""
    groups = {
        "IBs": [
            Hit(f"/ibs/{quote(row['ib_id'])}", row["name"] or row["ib_id"], row["ib_id"]) for row in found.ibs
        ],
        "Clients": [
            Hit(f"/clients/{quote(row['client_id'])}", row["client_id"], row["country"])
            for row in found.clients
        ],
        "Logins": [_login(row) for row in found.logins],
        "Deals": [_deal(row) for row in found.deals],
        "Transfers": [
            Hit(
                f"/transfers/{quote(row['transfer_id'])}",
                row["transfer_id"],
                f"{row['code']} of {row['ib_id']}",
            )
            for row in found.transfers
        ],
        "Statements": [
            Hit(
                f"/statements/{quote(row['statement_id'])}",
                row["statement_id"],
                f"{row['ib_id']}, {row['period']}, {row['currency']}",
            )
            for row in found.statements
        ],
    }
    yield from ((title, hits) for title, hits in groups.items() if hits)


def _login(row: Row) -> Hit:
    account = f"{row['server']}/{row['login']}"
    return Hit(
        "/accounts", str(row["login"]), f"{row['server']}, {count(row['deals'])} deals", {"key": account}
    )


def _deal(row: Row) -> Hit:
    note = f"{row['symbol']}, {at(row['occurred_at'])}"
    return Hit("/deals", row["deal_key"], note, {"key": row["deal_key"]})
