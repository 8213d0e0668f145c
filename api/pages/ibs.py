"""IBs: the tree to search and open branch by branch, and the page of one IB."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from api.ledger import Ledger, OneReading, Row
from api.pages.page import Page, PageHere
from api.portal import ibs
from api.portal.overview import lines, of_currency, tiles
from api.portal.room import next_closing, running_period
from api.problems import Problem
from api.queries import commissions, standing, statements, transfers
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.queries.partners import MAX_WHOLE, add_deals, tree, walk
from api.queries.periods import Interval, periods
from api.queries.transfers import TransferFilter
from api.scope import Scope

router = APIRouter(prefix="/ibs", include_in_schema=False)

Like = Annotated[str, Query(max_length=128)]
Hide = Annotated[Literal["", "zero"], Query()]
Order = Annotated[ibs.Order, Query()]
IbId = Annotated[str, Path(max_length=128)]
MAX_CLIENTS = 200
SHOWN: dict[GroupBy, int] = {"client": MAX_CLIENTS + 1, "component": 20, "symbol": 20}
"""Groups of what an IB earned, and how many of each are asked for."""
MAX_STATEMENTS = 60
NEWEST = 20
BESIDE = 3
"""Questions of an IB's page that are asked side by side."""


@router.get("")
def explorer(page: PageHere, q: Like = "", hide: Hide = "", order: Order = "") -> HTMLResponse:
    """The tree: its first level, or the IBs that a search finds."""
    span = page.span
    roots = tree(page.ledger, page.scope, span, has_deals=False)
    nodes = walk(roots)
    currency = page.currency or ibs.busiest(nodes)
    found = ibs.named_like(roots, q.strip(), currency, order) if q.strip() else None
    top = ibs.branch(roots, currency, order, hides_zero=hide == "zero")
    first = (
        ibs.branch(roots[0]["children"], currency, order, hides_zero=hide == "zero")
        if len(roots) == 1
        else None
    )
    shown = (found,) if found else (top, first) if first else (top,)
    add_deals(page.ledger, page.scope, span, [line.node for one in shown for line in one.lines])
    return page.show_of_period(
        "ibs.html",
        span,
        q=q,
        hide=hide,
        order=order,
        orders=[(name, title) for name, (title, _) in ibs.ORDERS.items()],
        found=found,
        branch=top,
        count=len(nodes),
        currency=currency,
        currencies=ibs.currencies(nodes),
        below=ibs.below,
        opens=len(roots) == 1,
        first=first,
    )


@router.get("/branch")
def branch(
    page: PageHere, ib: Annotated[str, Query(max_length=128)], hide: Hide = "", order: Order = ""
) -> HTMLResponse:
    """What opens under one IB of the tree."""
    span = page.span
    way = ibs.find(tree(page.ledger, page.scope, span, of=ib, has_deals=False), ib)
    if not way:
        raise _missing(ib)
    currency = page.currency or ibs.busiest(walk(way[-1:]))
    found = ibs.branch(way[-1]["children"], currency, order, hides_zero=hide == "zero")
    add_deals(page.ledger, page.scope, span, [line.node for line in found.lines])
    return page.show(
        "branch.html", branch=found, currency=currency, below=ibs.below, hide=hide, order=order, of=ib
    )


@router.get("/{ib_id:path}")
def one(page: PageHere, ib_id: IbId) -> HTMLResponse:
    """An IB: what it earned and by whom, what is below it, its statements, its newest transfers."""
    span, ledger = page.span, OneReading(page.ledger)
    roots = tree(ledger, page.scope, span, has_deals=False)
    way = ibs.find(roots, ib_id)
    if not way:
        raise _missing(ib_id)
    node = way[-1]
    known = ibs.currencies([node])
    currency = page.currency if page.currency in known else ibs.busiest([node])
    nodes = [node, *node["children"]]
    found = _asked(page, ledger, span, currency, nodes, of_all=len(walk(roots)) <= MAX_WHOLE)
    by_client, stated = found["client"], found["statements"]
    sub_ibs = lines(node["children"], currency, node["children"])
    return page.show_of_period(
        "ib.html",
        span,
        node=node,
        way=way[:-1],
        below=ibs.below(node),
        currency=currency,
        currencies=known,
        tiles=tiles([of_currency(node, currency)], is_period=bool(span.period)),
        lots=of_currency(node, currency)["lots"],
        subtree=lines([node], currency, [node])[0].subtree,
        draft=found["draft"],
        sub_ibs=sub_ibs[: ibs.MAX_SHOWN],
        sub_ib_count=len(sub_ibs),
        by_client=by_client[:MAX_CLIENTS],
        has_more_clients=len(by_client) > MAX_CLIENTS,
        by_component=found["component"],
        by_symbol=found["symbol"],
        statements=stated,
        transfers=found["transfers"],
        names={row["ib_id"]: row["name"] for row in (*way, *walk(node["children"])) if row["name"]},
    )


def _asked(
    page: Page, ledger: Ledger, span: Interval, currency: str, nodes: list[dict[str, Any]], *, of_all: bool
) -> dict[str, Any]:
    """What an IB, the first of some nodes, earned by group; its statements, draft and newest transfers.

    All nodes are given their lots and deals meanwhile.
    """
    ib_id = nodes[0]["ib_id"]
    wanted = ReportFilter(page.scope, span, currency=currency, of={"ib": ib_id})
    of_ib = TransferFilter(page.scope, ib=ib_id, interval=span)
    listed = (page.scope, ib_id, "", MAX_STATEMENTS, statements.NEWEST)
    with ThreadPoolExecutor(BESIDE) as beside:
        stated = beside.submit(statements.statements, ledger, *listed)
        by = {
            group: beside.submit(commissions.largest_alone, ledger, wanted, (group,), "net", count)
            for group, count in SHOWN.items()
        }
        traded = beside.submit(add_deals, ledger, page.scope, span, nodes, of_all=of_all)
        posted = beside.submit(transfers.transfers, ledger, of_ib, NEWEST)
        known = stated.result()["items"]
        draft = _draft(ledger, page.scope.narrowed([ib_id]), span, currency, known)
        traded.result()
    groups = {group: found.result() for group, found in by.items()}
    return groups | {"transfers": posted.result()["items"], "statements": known, "draft": draft}


def _draft(
    ledger: Ledger, own: Scope, span: Interval, currency: str, stated: list[Row]
) -> dict[str, Any] | None:
    """The statement of the chosen period as it would be now, if it is the next to be stated."""
    if not span.period:
        running = running_period(ledger)
        return {"period": running, "is_chosen": False} if running else None
    closes = next_closing(periods(ledger), stated)
    if closes is None or closes["period"] != span.period:
        return None
    before = [row for row in stated if row["currency"] == currency and row["ends_at"] <= span.starts_at]
    opening = before[0]["closing"] if before else 0
    stands = standing.balances(ledger, own)
    pending = next((row["pending"] for row in stands if row["currency"] == currency), 0)
    later = standing.pending_later(ledger, own, currency, span.ends_at)
    due = pending - later
    return {
        "period": span.period,
        "is_chosen": True,
        "opening": opening,
        "added": due - opening,
        "due": due,
        "later": later,
    }


def _missing(ib_id: str) -> Problem:
    return Problem(404, f"There is no IB {ib_id}. Search for a part of its name.", code="unknown_ib")
