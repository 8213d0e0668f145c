"""What the terms say for a time, as known at a point of their log, each fact with where it came from."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from api.ledger import Ledger, Row
from api.problems import Problem
from api.scope import Scope
from commission.links.records import LinkSaved
from commission.money import plain
from commission.terms.admission import sort_out
from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.terms.catalog import Terms
from commission.terms.events_wanted import EventsWanted
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsFact, TermsRecord
from schemas import topics
from schemas.wire import decode_lines, encode

MAX_MESSAGES = 1_000_000
"""Messages of the terms topic that are read."""

_LOG = f"""
SELECT _offset, message, stored_at FROM books FINAL
WHERE _topic = '{topics.TERMS}' AND _offset <= {{offset:UInt64}}
  AND stored_at <= {{time:DateTime64(3, 'UTC')}}
ORDER BY _offset LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_NEWEST = (
    f"SELECT toInt64(max(_offset)) AS newest, count() AS messages FROM books WHERE _topic = '{topics.TERMS}'"  # noqa: S608
)

END = datetime(2200, 1, 1, tzinfo=UTC)
LAST = 2**63 - 1

Dated = TypeVar("Dated", ParentLink, PlanAssignment, StatusChange, PlanDefined)
Origins = dict[tuple[object, ...], Row]


def newest_terms(ledger: Ledger) -> int:
    """The offset of the newest message of the terms; -1 before the first."""
    row = ledger.row(_NEWEST)
    return int(row["newest"]) if row["messages"] else -1


def terms_view(
    ledger: Ledger, scope: Scope, as_of: datetime, known_at: str, ib: str, plan: str
) -> dict[str, Any]:
    """Partners, plans, rates, symbols and periods; of one IB and those above it, or of one plan, if asked.

    Of partners those that the scope sees, and of plans those that such a partner has or had.
    """
    log = ledger.rows(_LOG, **_position(known_at), limit=MAX_MESSAGES)
    terms, origins = _learn(log)
    seen = [terms.partners[key] for key in sorted(terms.partners) if scope.has(key)]
    partners = _upline(terms, scope, ib, as_of) if ib else seen
    rows = [_partner(terms, scope, partner, as_of, origins) for partner in partners]
    held = {one.plan_id for partner in seen for one in partner.schedule}
    plans = {key for key in terms.plans if scope.is_whole or key in held}
    if plan and plan not in plans:
        raise Problem(
            404,
            f"No plan {plan} is known there. Known: {', '.join(sorted(plans)) or 'none'}.",
            code="unknown_plan",
        )
    used = {row["plan_id"] for row in rows} if ib else plans
    if plan:
        rows, used = [row for row in rows if row["plan_id"] == plan], {plan}
    told: dict[str, Any] = {
        "as_of": as_of,
        "known_at": {"offset": log[-1]["_offset"], "stored_at": log[-1]["stored_at"]} if log else None,
        "partners": rows,
        "plans": [
            p for key in sorted(terms.plans) if key in used for p in _plans(terms, key, as_of, origins)
        ],
    }
    if ib or plan:
        return told
    return told | {
        "rates": _rates(terms, as_of, origins),
        "symbols": _symbols(terms, origins),
        "periods": [
            {
                "period": p.period,
                "starts_at": p.starts_at,
                "ends_at": p.ends_at,
                "known": origins["period", p.period],
                "ended": origins.get(("ended", p.period)),
            }
            for p in terms.periods
        ],
    }


def _position(known_at: str) -> dict[str, object]:
    """An offset of the terms topic, or a time."""
    if not known_at:
        return {"offset": LAST, "time": END}
    if known_at.isdecimal():
        return {"offset": min(int(known_at), LAST), "time": END}
    try:
        time = datetime.fromisoformat(known_at)
    except ValueError:
        raise Problem(
            422,
            f"`{known_at}` is neither an offset of the terms topic nor a time; "
            "give such as 12 or 2026-09-01T12:00:00Z.",
        ) from None
    return {"offset": LAST, "time": time if time.tzinfo else time.replace(tzinfo=UTC)}


REFUSABLE = (PartnerChanged, PeriodDefined, PeriodEnded, PeriodReopened)
"""What the books refuse where it contradicts what is known."""


def known_terms(ledger: Ledger) -> Terms:
    """All terms that are stored."""
    return _learn(ledger.rows(_LOG, **_position(""), limit=MAX_MESSAGES))[0]


def _learn(log: Iterable[Row]) -> tuple[Terms, Origins]:
    """The terms after every message, and which message each newest fact came from."""
    terms, unlearned = Terms(), list[TermsRecord]()
    origins: Origins = {}
    for message in log:
        found, _ = decode_lines(str(message["message"]).encode())  # bad lines are dead letters
        news = [record for record in found if isinstance(record, TermsRecord)]
        if terms.changes or any(isinstance(record, REFUSABLE) for record in news):
            terms, unlearned = terms.learn(unlearned), []
            refused = {id(record) for record, _ in sort_out(terms, news)}
            news = [record for record in news if id(record) not in refused]
        unlearned += news
        if any(isinstance(record, PartnerChanged) for record in news):
            terms, unlearned = terms.learn(unlearned), []
        for record in news:
            if isinstance(record, PeriodReopened):
                origins.pop(("ended", record.period), None)
            else:
                origins[_key(record)] = {"offset": message["_offset"], "stored_at": message["stored_at"]}
    return terms.learn(unlearned), origins


def _key(record: TermsFact | PeriodEnded) -> tuple[object, ...]:  # noqa: PLR0911 — one a kind
    match record:
        case PlanDefined():
            return "plan", record.plan_id, record.version
        case PartnerDefined() | PartnerChanged():
            return "partner", record.ib_id
        case SymbolDefined():
            return "symbol", record.server, record.symbol, record.since
        case RatePublished():
            return "rate", record.base, record.quote, record.as_of
        case PeriodDefined():
            return "period", record.period
        case PeriodEnded():
            return "ended", record.period
        case LinkSaved() | EventsWanted():
            return (record.type,)  # of these nothing is shown here


def in_force(entries: Iterable[Dated], at: datetime) -> Dated | None:
    """The last entry that has begun by `at`; entries are the oldest first."""
    begun = [entry for entry in entries if entry.since is None or entry.since <= at]
    return begun[-1] if begun else None


def _upline(terms: Terms, scope: Scope, ib_id: str, at: datetime) -> list[PartnerDefined]:
    if ib_id not in terms.partners or not scope.has(ib_id):
        known = ", ".join([one for one in sorted(terms.partners) if scope.has(one)][:6]) or "none"
        raise Problem(404, f"No IB {ib_id} is known there. Known: {known}.", code="unknown_ib")
    chain: list[PartnerDefined] = []
    at_ib: str | None = ib_id
    while at_ib in terms.partners and scope.has(at_ib) and terms.partners[at_ib] not in chain:
        chain.append(terms.partners[at_ib])
        parent = in_force(chain[-1].parents, at)
        at_ib = parent.ib_id if parent else None
    return chain


def _partner(
    terms: Terms, scope: Scope, partner: PartnerDefined, at: datetime, origins: Origins
) -> dict[str, Any]:
    parent, held = in_force(partner.parents, at), in_force(partner.schedule, at)
    status, plan = in_force(partner.statuses, at), terms.plan_of(partner, at)
    return {
        "ib_id": partner.ib_id,
        "name": partner.name,
        "currency": partner.currency,
        "parent": parent.ib_id if parent and scope.has(parent.ib_id) else None,
        "plan_id": held.plan_id if held else None,
        "plan_version": plan.version if plan else None,
        "rank": held.rank if held else "",
        "factor": plain(held.factor) if held else "1",
        "status": status.status if status else "active",
        "kyc_approved": partner.kyc_approved,
        "known": origins["partner", partner.ib_id],
    }


def _plans(terms: Terms, plan_id: str, at: datetime, origins: Origins) -> list[dict[str, Any]]:
    newest = in_force(terms.plans[plan_id], at)
    return [
        {
            "plan_id": plan_id,
            "version": plan.version,
            "since": plan.since,
            "in_force": plan is newest,
            "currency": plan.currency,
            "components": [{"kind": part.kind, "name": part.name} for part in plan.components],
            "definition": encode([plan])[0].decode(),
            "known": origins["plan", plan_id, plan.version],
        }
        for plan in terms.plans[plan_id]
    ]


def _symbols(terms: Terms, origins: Origins) -> list[dict[str, Any]]:
    return [
        {
            "server": s.server,
            "symbol": s.symbol,
            "canonical": s.canonical,
            "asset_class": s.asset_class,
            "contract_size": plain(s.contract_size),
            "pip": plain(s.pip),
            "since": s.since,
            "known": origins["symbol", s.server, s.symbol, s.since],
        }
        for _, versions in sorted(terms.symbols.items())
        for s in versions
    ]


def _rates(terms: Terms, at: datetime, origins: Origins) -> list[dict[str, Any]]:
    """Of each pair the newest rate at or before the time."""
    found = []
    for (base, quote), series in sorted(terms.rates.items()):
        index = bisect_right(series, at, key=lambda rate: rate.as_of)
        if index:
            rate = series[index - 1]
            known = origins["rate", base, quote, rate.as_of]
            value = {"base": base, "quote": quote, "rate": plain(rate.rate), "as_of": rate.as_of}
            found.append({**value, "source": rate.source, "known": known})
    return found
