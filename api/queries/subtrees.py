"""Sub-trees: an IB and everybody below it, as the tree was at an instant."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from api.ledger import Ledger
from api.problems import Problem
from api.scope import Scope

MAX_PARTNERS = 10_000
MAX_LEVELS = 10_000

# An IB's master is that of the newest link that had begun; of links of one time the one told last. An IB that
# nobody gave a link since then is a root.
_PARENTS = """
SELECT ib_id,
    tupleElement(argMaxIf(tuple(master), (since, told), since < {at:DateTime64(6, 'UTC')}), 1) AS parent
FROM (
    SELECT ib_id, JSONExtract(link, 'ib_id', 'Nullable(String)') AS master,
        parseDateTime64BestEffortOrZero(JSONExtractString(link, 'since'), 6, 'UTC') AS since, told
    FROM (
        SELECT ib_id, tuple(toDateTime64(0, 6, 'UTC'), '') AS told,
            arrayJoin(JSONExtractArrayRaw(definition, 'parents')) AS link
        FROM partners FINAL
        UNION ALL
        SELECT ib_id, tuple(occurred_at, event_id) AS told, arrayJoin(JSONExtractArrayRaw(parents)) AS link
        FROM partner_changes FINAL WHERE application IN ('', 'approved')
    )
    UNION ALL
    SELECT ib_id, parent AS master, toDateTime64(0, 6, 'UTC') AS since, tuple(since, '') AS told
    FROM partners FINAL WHERE JSONLength(definition, 'parents') = 0
)
GROUP BY ib_id ORDER BY ib_id LIMIT {limit:UInt32}
"""


def subtrees(ledger: Ledger, scope: Scope, roots: Sequence[str], at: datetime) -> tuple[str, ...]:
    """These IBs and all below them just before `at`, each once, whichever of them are asked for together.

    What the scope does not see is left out, and a root that it does not see is as unknown as one that is not.
    """
    known, below = _tree(ledger, at)
    if unknown := [root for root in roots if root not in known or not scope.has(root)]:
        raise Problem(
            404,
            f"No IB {unknown[0]} in the tree of {at:%Y-%m-%d}. /v1/partners lists them.",
            code="unknown_ib",
        )
    return tuple(sorted(ib_id for ib_id in _reached(roots, below, MAX_LEVELS) if scope.has(ib_id)))


def scope_below(ledger: Ledger, roots: Sequence[str], now: datetime, levels: int = MAX_LEVELS) -> Scope:
    """The scope of these IBs and all below them as of now, or so many levels of them.

    An IB that nobody knows sees itself alone.
    """
    _, below = _tree(ledger, now)
    return Scope(frozenset(_reached(roots, below, levels)))


def _tree(ledger: Ledger, at: datetime) -> tuple[set[str], dict[str, list[str]]]:
    """The IBs there are, and those directly below each."""
    rows = ledger.rows(_PARENTS, at=at, limit=MAX_PARTNERS)
    below: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["parent"] is not None:
            below[row["parent"]].append(row["ib_id"])
    return {row["ib_id"] for row in rows} | below.keys(), below


def _reached(roots: Sequence[str], below: dict[str, list[str]], levels: int) -> set[str]:
    """Level by level; a tree that loops ends as well."""
    found, level = set(roots), set(roots)
    for _ in range(levels):
        level = {one for ib_id in level for one in below.get(ib_id, ())} - found
        if not level:
            break
        found |= level
    return found
