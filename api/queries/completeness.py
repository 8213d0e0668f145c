"""Whether we hold all of a server's deals: its last event, its sweeps, and its volume day by day."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.scope import Scope
from schemas.reconciliations import CoverageGap, DayVolume, Reconciliation, decode_reconciliation, open_gaps

MAX_SWEEPS = 5_000
"""Newest sweeps looked at for holes: half a year of hourly ones of a server."""
DAYS = 31
"""Of each server's volume, up to its last event."""

_NEWEST = """
SELECT record FROM reconciliations FINAL
WHERE ({server:String} = '' OR server = {server:String})
  AND (toUnixTimestamp64Micro(finished_at), reconciliation_id) < ({before_us:Int64}, {before_id:String})
ORDER BY finished_at DESC, reconciliation_id DESC LIMIT {limit:UInt32}
"""
_SERVERS = """
SELECT server, max(occurred_at) AS last_event, max(stored_at) AS last_arrival FROM deals
GROUP BY server ORDER BY server LIMIT 1000
"""
_DAILY = f"""
SELECT server, toDate(occurred_at, 'UTC') AS day, count() AS deals,
    toUInt64(sumIf(volume_e8, kind = 'trade')) AS volume_e8
FROM (
    SELECT d.server AS server, d.kind AS kind, d.volume_e8 AS volume_e8, d.occurred_at AS occurred_at
    FROM deals AS d FINAL
    INNER JOIN (SELECT server, max(occurred_at) AS newest FROM deals GROUP BY server) AS s USING (server)
    WHERE d.kind != 'deleted' AND toDate(d.occurred_at, 'UTC') > toDate(s.newest, 'UTC') - {DAYS}
)
GROUP BY server, day ORDER BY server, day DESC LIMIT 100000
"""  # noqa: S608  - the parts are constants of this file


def reconciliations(
    ledger: Ledger, scope: Scope, server: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of sweeps, newest first."""
    scope.check_whole()
    before_us, before_id = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    rows = ledger.rows(_NEWEST, server=server, before_us=before_us, before_id=before_id, limit=limit + 1)
    found = [{"sweep": sweep} for row in rows if (sweep := decode_reconciliation(row["record"]))]
    result = page(found, limit, key=lambda row: _place(row["sweep"]))
    return {**result, "items": [row["sweep"] for row in result["items"]]}


def holes(ledger: Ledger) -> list[CoverageGap]:
    """What sweeps left unresolved and none has closed since: of servers, whose IBs nobody knows."""
    return open_gaps(_sweeps(ledger))


def statement_holes(found: Sequence[CoverageGap], statement: Row) -> int:
    """The open holes that a deal of this statement may be in."""
    return sum(hole.overlaps(statement["starts_at"], statement["ends_at"]) for hole in found)


def meters(ledger: Ledger, scope: Scope) -> list[dict[str, Any]]:
    """Each server without its days: what a health check can afford to ask."""
    scope.check_whole()
    sweeps = _sweeps(ledger)
    found, known = open_gaps(sweeps), {row["server"]: row for row in ledger.rows(_SERVERS)}
    return [
        _meter(server, known.get(server), [s for s in sweeps if s.server == server], found)
        for server in sorted({*known, *(sweep.server for sweep in sweeps)})
    ]


def completeness(ledger: Ledger, scope: Scope) -> list[dict[str, Any]]:
    """Each server with its holes, its last sweep and its days, newest first."""
    scope.check_whole()
    sweeps, ours = _sweeps(ledger), ledger.rows(_DAILY)
    found = open_gaps(sweeps)
    result = []
    for meter in meters(ledger, scope):
        own = [sweep for sweep in sweeps if sweep.server == meter["server"]]
        result.append(
            {
                **meter,
                "holes": [_hole(hole) for hole in found if hole.server == meter["server"]],
                "newest": own[0] if own else None,
                "days": _days([row for row in ours if row["server"] == meter["server"]], _told_days(own)),
            }
        )
    return result


def _meter(
    server: str, known: Row | None, sweeps: Sequence[Reconciliation], found: Sequence[CoverageGap]
) -> dict[str, Any]:
    return {
        "server": server,
        "last_event": known and known["last_event"],
        "last_arrival": known and known["last_arrival"],
        "last_sweep": sweeps[0].finished_at if sweeps else None,
        "swept_until": max((sweep.ends_at for sweep in sweeps), default=None),
        "missing_found": sum(sweep.missing for sweep in sweeps),
        "different_found": sum(sweep.different for sweep in sweeps),
        "open_holes": sum(hole.server == server for hole in found),
    }


def _hole(hole: CoverageGap) -> dict[str, Any]:
    sweep = hole.reconciliation
    return {
        "starts_at": hole.starts_at,
        "ends_at": hole.ends_at,
        "unresolved": sweep.unresolved,
        "reconciliation_id": sweep.reconciliation_id,
        "logins": len(sweep.logins),
    }


def _told_days(sweeps: Iterable[Reconciliation]) -> dict[date, DayVolume]:
    """What the newest sweep of all accounts that covered a whole day says of it."""
    told: dict[date, DayVolume] = {}
    for sweep in sweeps:
        if sweep.logins:
            continue
        for day in sweep.days:
            start = datetime.combine(day.day, time(), UTC)
            if sweep.starts_at <= start and start + timedelta(days=1) <= sweep.ends_at:
                told.setdefault(day.day, day)
    return told


def _days(ours: list[Row], told: dict[date, DayVolume]) -> list[dict[str, Any]]:
    held = {row["day"]: row for row in ours}
    newest = max((*held, *told), default=None)
    if newest is None:
        return []
    wanted = sorted((day for day in {*held, *told} if day > newest - timedelta(days=DAYS)), reverse=True)
    return [_day(day, held.get(day), told.get(day)) for day in wanted]


def _day(day: date, ours: Row | None, theirs: DayVolume | None) -> dict[str, Any]:
    return {
        "day": day,
        "ours": ours["deals"] if ours else 0,
        "ours_e8": ours["volume_e8"] if ours else 0,
        "theirs": theirs and theirs.theirs,
        "theirs_e8": theirs and theirs.theirs_e8,
    }


def _sweeps(ledger: Ledger) -> list[Reconciliation]:
    rows = ledger.rows(_NEWEST, server="", before_us=2**62, before_id="", limit=MAX_SWEEPS)
    return [sweep for row in rows if (sweep := decode_reconciliation(row["record"]))]


def _place(sweep: Reconciliation) -> tuple[int, str]:
    since = sweep.finished_at - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1), sweep.reconciliation_id
