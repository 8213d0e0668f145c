"""Deals that pay nothing, or nothing yet, of an interval: how many for which reason, and each of them.

Most are as the terms say and nobody's work; the others wait for something, or need a person.
"""

from typing import Any, Literal

from api.ledger import Ledger, Row
from api.queries.money import IS_DEAL, TAKEN_BACK
from api.queries.ordered import NEWEST, Asked, Listing
from api.queries.periods import INSIDE, Interval
from api.queries.quality import refusal_counts
from api.queries.transfer_keys import near
from api.scope import Scope, sees_client

Kind = Literal["waiting", "someone", "plan"]
KINDS: tuple[Kind, ...] = ("waiting", "someone", "plan")
BY_PLAN = frozenset({
    "no_ib", "no_plan", "cancelled", "deleted", "not_a_trade", "service_deal", "zero_volume", "fraud",
    "forfeited", "moved_too_little", "same_price", "suspended", "self_referral", "entry_not_paid",
    "close_by_second_leg", "hedged", "held_too_short", "conditions_not_met", "side_not_paid",
    "result_not_paid", "reason_not_paid", "group_not_paid", "country_not_paid", "channel_not_paid",
    "no_commission_charged", "negative_balance", "symbol_not_covered", "level_not_paid", "nothing_due",
    "over_budget", "refund", "settled_by_period",
})  # fmt: skip
"""Reasons for which a deal pays nothing as the terms say. Any other, a new one too, needs someone."""

MAX_LOOKS = 20
"""Pages looked through for one page of those whose deals are not paid."""
# The engine's own words may name any IB above the client.
_LIST = f"""
SELECT deal_key, status, code, if({{sees_all:UInt8}}, text, '') AS text, account_key, client_id,
    occurred_at, stored_at
FROM rejections FINAL
WHERE status = {{status:String}} AND {INSIDE} AND {sees_client("client_id")}
  AND has({{codes:Array(String)}}, code) = {{is_of_codes:Bool}}
  AND ({{code:String}} = '' OR code = {{code:String}})
"""  # noqa: S608  - the parts are constants; values are parameters
UNPAID = Listing(
    _LIST,
    {
        "time": ("occurred_at", "time"),
        "since": ("stored_at", "time"),
        "deal": ("deal_key", "text"),
        "reason": ("code", "text"),
    },
    ("deal_key",),
    ("deal_key", "code", "account_key", "client_id"),
)
_PAID = f"""
SELECT DISTINCT caused_by FROM transfers
WHERE {near("SELECT arrayJoin({keys:Array(String)}) AS id")}
  AND caused_by IN {{keys:Array(String)}} AND {IS_DEAL} AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - as above


def kind_of(status: str, code: str) -> Kind:
    """Whose a refusal is: it waits, it is as the plan says, or it needs someone."""
    if status == "waiting":
        return "waiting"
    return "plan" if code in BY_PLAN else "someone"


def unpaid_counts(ledger: Ledger, scope: Scope, interval: Interval) -> dict[Kind, list[Row]]:
    """Deals by reason, the most frequent first, of each kind."""
    found: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
    for row in refusal_counts(ledger, scope, interval):
        found[kind_of(row["status"], row["code"])].append(row)
    return found


def unpaid(
    ledger: Ledger, scope: Scope, interval: Interval, kind: Kind, code: str, limit: int, asked: Asked = NEWEST
) -> dict[str, Any]:
    """One page of them, newest first unless asked otherwise; a deal that was paid since is none of them."""
    wanted = {
        "status": "waiting" if kind == "waiting" else "rejected",
        "codes": [] if kind == "waiting" else sorted(BY_PLAN),
        "is_of_codes": kind == "plan",
        "code": code,
        **interval.parameters,
        **scope.parameters,
    }
    found: list[Row] = []
    for _ in range(MAX_LOOKS):
        rows = UNPAID.rows(ledger, asked, limit + 1, **wanted)
        keys = [row["deal_key"] for row in rows]
        paid = {row["caused_by"] for row in ledger.rows(_PAID, keys=keys)} if keys else set()
        found += [row for row in rows if row["deal_key"] not in paid]
        if len(found) > limit or len(rows) <= limit:
            break
        asked = asked._replace(cursor=UNPAID.cursor(asked, rows[-1]))
    more = len(found) > limit
    kept = found[:limit]
    return {"items": kept, "next_cursor": UNPAID.cursor(asked, kept[-1]) if more else None}
