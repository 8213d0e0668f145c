"""Partners: the tree of IBs, each with its totals per currency."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Any

from api.ledger import Ledger, Row
from api.queries.by_days import added_up
from api.queries.commissions import volume
from api.queries.days import Days, days_of
from api.queries.periods import ALWAYS, Interval
from api.queries.sources import sums
from api.scope import KNOWN_CLIENTS, Scope, sees

MAX_PARTNERS = 10_000
MAX_DEPTH = 64
MAX_WHOLE = 2_000
"""IBs of a tree of which a branch is no more than a look at what is remembered of all."""
MAX_BRANCH = 1_000
"""IBs of a branch that is read apart; to name more costs as much as to read all."""

_BALANCES = """
SELECT ib_id, currency, sum(s.accrued) - sum(s.reversed) AS earned, sum(s.reversed) AS reversed,
    sum(s.held) AS held, sum(s.pending) AS pending, sum(s.payable) AS payable
FROM ({sums}) AS s WHERE {which} AND {seen}
GROUP BY ib_id, currency ORDER BY ib_id, currency LIMIT {{limit:UInt32}}
"""
# A closing's rows carry the instant the period ended, and belong to the period.
_IN_TIME = "({of_period:String} = '' OR period = '')"
_OF_PERIOD = "period = {of_period:String}"

# As `partners_known` has them, at half its cost: it would read the definitions for the tree.
_NAMES = """
SELECT ib_id, argMaxIf(named, told, named != '') AS name FROM (
    SELECT ib_id, name AS named, tuple(toDateTime64(0, 6, 'UTC'), '') AS told, true AS is_there
    FROM partners FINAL WHERE ib_id IN {ids:Array(String)}
    UNION ALL
    SELECT ib_id, name AS named, tuple(occurred_at, event_id) AS told,
        application = 'approved' AND currency != '' AS is_there
    FROM partner_changes FINAL WHERE application IN ('', 'approved') AND ib_id IN {ids:Array(String)}
) GROUP BY ib_id HAVING max(is_there) LIMIT 10000
"""
_AMOUNTS = ("earned", "reversed", "held", "pending", "payable")


# What is told of IBs is many rows and changes seldom: it is remembered for as long as nothing was told since.
# Of each partition of the log rows come in their order, and the newest place stays however rows are merged.
_TOLD = """
SELECT toString(arraySort(groupArray((topic, partition, place, count)))) AS told FROM (
    SELECT _topic AS topic, _partition AS partition, max(_offset) AS place, count() AS count
    FROM (
        SELECT _topic, _partition, _offset FROM partners
        UNION ALL SELECT _topic, _partition, _offset FROM partner_changes
    )
    GROUP BY topic, partition
)
"""
_PARTNERS = f"""
SELECT ib_id, name, currency, if({sees("parent")}, parent, NULL) AS parent, kyc_approved
FROM (SELECT * FROM partners_known WHERE {sees("ib_id")} AND {{told:String}} != '')
ORDER BY ib_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters
_CLIENTS = f"""
SELECT assumeNotNull(ib_id) AS ib, count() AS clients FROM {KNOWN_CLIENTS}
WHERE ib_id IS NOT NULL AND {sees("ib_id")} GROUP BY ib LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above


def names_of(ledger: Ledger, scope: Scope, ib_ids: Iterable[str]) -> dict[str, str]:
    """The names of these IBs, of those that are seen and have one."""
    ids = sorted(ib_id for ib_id in {*ib_ids} if ib_id and scope.has(ib_id))
    found = ledger.rows(_NAMES, ids=ids) if ids else []
    return {row["ib_id"]: row["name"] for row in found if row["name"]}


def is_known(ledger: Ledger, scope: Scope, ib_id: str) -> bool:
    """Whether terms have an IB of this id, and it is seen."""
    known = "SELECT 1 FROM partners_known WHERE ib_id = {ib_id:String} LIMIT 1"
    return scope.has(ib_id) and bool(ledger.rows(known, ib_id=ib_id))


def tree(
    ledger: Ledger, scope: Scope, interval: Interval = ALWAYS, *, of: str = "", has_deals: bool = True
) -> list[dict[str, Any]]:
    """The roots, each with its sub-IBs under `children`; an IB the ledger pays is never left out.

    The topmost IBs that are seen are roots: who is above them is not told. Who wants of it an IB and those
    below it alone says `of`: it may have no others, where that costs less. Who shows few IBs of many has a
    tree without lots and deals, which cost most, and asks for those of the few by `add_deals`.
    """
    told = ledger.row(_TOLD)["told"]
    partners = ledger.remembered(_PARTNERS, told=told, limit=MAX_PARTNERS, **scope.parameters)
    branch = _branch(partners, of) if of and len(partners) > MAX_WHOLE else set()
    if 0 < len(branch) <= MAX_BRANCH:
        partners = [row for row in partners if row["ib_id"] in branch]
        scope = Scope(frozenset(branch))
    totals: dict[str, list[Row]] = defaultdict(list)
    with ThreadPoolExecutor(1) as beside:
        counted = beside.submit(_clients, ledger, scope)
        for row in _balances(ledger, scope, interval):
            totals[row.pop("ib_id")].append(row | {"lots": 0, "deals": 0})
        clients = counted.result()
    known = {row["ib_id"]: row for row in partners}
    for ib_id in totals.keys() - known.keys():
        known[ib_id] = {"ib_id": ib_id, "name": "", "currency": "", "parent": None, "kyc_approved": False}
    nodes = {
        ib_id: {**row, "clients": clients.get(ib_id, 0), "totals": totals.get(ib_id, []), "children": []}
        for ib_id, row in sorted(known.items())
    }
    if has_deals:
        _add_deals(ledger, scope, interval, nodes.values())
    return _nest(nodes)


def add_deals(
    ledger: Ledger, scope: Scope, interval: Interval, nodes: Sequence[dict[str, Any]], *, of_all: bool = False
) -> None:
    """Give these IBs of a tree without them their lots and deals.

    Those `of_all` IBs are remembered for other pages, and cost as much as those of few where all are few.
    """
    narrow = scope if of_all else scope.narrowed(node["ib_id"] for node in nodes)
    _add_deals(ledger, narrow, interval, nodes)


def _add_deals(ledger: Ledger, scope: Scope, interval: Interval, nodes: Iterable[dict[str, Any]]) -> None:
    by_ib = {(row["ib_id"], row["currency"]): row for row in volume(ledger, scope, interval).ibs}
    for node in nodes:
        for row in node["totals"]:
            if traded := by_ib.get((node["ib_id"], row["currency"])):
                row |= {"lots": traded["lots"], "deals": traded["deals"]}


def _balances(ledger: Ledger, scope: Scope, interval: Interval) -> list[Row]:
    """One row an IB and currency: what was booked in the interval, and what belongs to its period."""
    spans = [(interval, _IN_TIME)] + ([(interval.closing, _OF_PERIOD)] if interval.period else [])
    found: dict[tuple[str, str], Row] = {}
    for span, which in spans:
        for row in _of_span(ledger, scope, days_of(ledger, span), which, interval.period):
            key = row["ib_id"], row["currency"]
            known = found.get(key)
            found[key] = row if known is None else row | {name: known[name] + row[name] for name in _AMOUNTS}
    return [found[key] for key in sorted(found)]


def _of_span(ledger: Ledger, scope: Scope, read: Days, which: str, period: str) -> list[Row]:
    def question(part: Days) -> tuple[str, dict[str, object]]:
        of_ibs = "" if scope.is_whole else f" AND {sees('ib_id')}"
        sql = _BALANCES.format(sums=sums(part, of_ibs=of_ibs), which=which, seen=sees("ib_id"))
        return sql, {"of_period": period, "limit": MAX_PARTNERS, **part.parameters, **scope.parameters}

    return added_up(ledger, read, question, ("ib_id", "currency"), _AMOUNTS)


def _branch(partners: list[Row], of: str) -> set[str]:
    """An IB and all below it; none if it is not there, or if its way up loops and the whole tree decides."""
    below: dict[str, list[str]] = defaultdict(list)
    for row in partners:
        below[row["parent"]].append(row["ib_id"])
    found: set[str] = set()
    level = [row["ib_id"] for row in partners if row["ib_id"] == of]
    while level:
        found |= {*level}
        level = [one for ib_id in level for one in below[ib_id]]
        if not found.isdisjoint(level):
            return set()
    return found


def _clients(ledger: Ledger, scope: Scope) -> dict[str, int]:
    rows = ledger.rows(_CLIENTS, limit=MAX_PARTNERS, **scope.parameters)
    return {row["ib"]: row["clients"] for row in rows}


def _nest(nodes: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    roots, above = [], dict[str, float]()
    for ib_id, node in nodes.items():
        if node["parent"] in nodes and _above(nodes, ib_id, above) < MAX_DEPTH:
            nodes[node["parent"]]["children"].append(node)
        else:
            roots.append(node)
    return roots


def _above(nodes: dict[str, dict[str, Any]], ib_id: str, known: dict[str, float]) -> float:
    """How many IBs are above one, without end if the way up comes back: then it is a root, not hidden."""
    way: dict[str, None] = {}
    at: str | None = ib_id
    while at in nodes and at not in known and at not in way:
        way[at] = None
        at = nodes[at]["parent"]
    count = inf if at in way else known.get(at or "", -1)
    for one in reversed(way):
        known[one] = count = count + 1
    return known[ib_id]


def walk(roots: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every node of the tree, a master IB before its sub-IBs."""
    found, ahead = [], [*roots][::-1]
    while ahead:
        found.append(node := ahead.pop())
        ahead += node["children"][::-1]
    return found
