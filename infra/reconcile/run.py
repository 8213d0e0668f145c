"""`ibflow reconcile`: a server's deals as its platform tells them, against what the ledger counts.

1 what is missing or differs is published, 2 what was found is told on the log. A crash between them
leaves no record of a sweep, and the next one finds nothing left to take over.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

from confluent_kafka.admin import AdminClient

from infra.archive.clickhouse_log import ArchiveLog
from infra.archive.held_deals import Holdings
from infra.archive.open import open_history
from infra.connect.api import ask
from infra.connect.broker_name import check_broker
from infra.connect.settings import prepared_kafka
from infra.connect.topics import partition_counts
from infra.reconcile.platform_deals import Source
from ingest.live.comparison import Findings, sweep, tombstone
from ingest.publish.publisher import publish, publish_reconciliation
from ingest.source_items import Item
from ingest.terms.servers import BrokerServer
from schemas.errors import Unavailable, Unusable
from schemas.kafka import client_config
from schemas.reconciliations import Reconciliation
from schemas.settings import Settings
from schemas.topics import ACCOUNT_BOOK
from streams.broker import log_ends

MAX_DELETED = 1_000
STORE_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """What is to be swept, and what may be done about it."""

    server: BrokerServer
    since: datetime
    until: datetime
    logins: tuple[int, ...] = ()
    dry_run: bool = False
    delete_extra: bool = False
    accept_many: bool = False
    broker: str | None = None
    """Whose terms name the server, if that is to be compared with the log."""


@dataclass(slots=True)
class Swept:
    """What a sweep found and did."""

    findings: Findings
    record: Reconciliation
    warnings: list[str] = field(default_factory=list)


def reconcile(
    settings: Settings,
    wanted: ReconcileRequest,
    source: Source,
    on_progress: Callable[[int], None] | None = None,
) -> Swept:
    """Sweep a window; publish what is missing or differs, and what was found, unless it is a dry run."""
    kafka = prepared_kafka(settings)
    if wanted.broker is not None:
        check_broker(kafka, wanted.broker)
    with opened(settings, wanted.server.server, source.logins) as (log, holdings):
        await_stored(kafka, log)
        return sweep_window(kafka, wanted, source, holdings, on_progress)


@contextmanager
def opened(settings: Settings, server: str, logins: tuple[int, ...]) -> Iterator[tuple[ArchiveLog, Holdings]]:
    """The archive, and what it holds of a server."""
    with open_history(settings, from_kafka=False) as (where, _), where.open() as log:
        assert isinstance(log, ArchiveLog), "not from Kafka"
        yield log, Holdings(log.rows, log.lines, server, logins)


def await_stored(kafka: str, log: ArchiveLog) -> None:
    """Wait until every deal that was published is in the archive; raise `Unavailable` if it takes long."""
    partitions = range(partition_counts(kafka)[ACCOUNT_BOOK])
    admin = AdminClient(client_config(kafka))
    ends = log_ends(admin, [(ACCOUNT_BOOK, number) for number in partitions])
    deadline = time.monotonic() + STORE_SECONDS
    while behind := sum(max(end - log.end(*place), 0) for place, end in ends.items()):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{behind:,} messages of {ACCOUNT_BOOK} are not stored yet, so nobody knows what is missing;"
                " is `ibflow serve` running? /health shows the lag"
            )
        time.sleep(POLL_SECONDS)


def sweep_window(
    kafka: str,
    wanted: ReconcileRequest,
    source: Source,
    holdings: Holdings,
    on_progress: Callable[[int], None] | None = None,
) -> Swept:
    """Compare, publish, tell: the sweep itself, over an archive that is up to date."""
    started_at, findings = datetime.now(UTC), Findings()
    items = sweep(source, holdings, wanted.since, wanted.until, findings, accept_many=wanted.accept_many)
    ingested = _publish(items, kafka, dry_run=wanted.dry_run, on_progress=on_progress)
    ingested = max(ingested - findings.retried, 0)
    swept = Swept(findings, _record(wanted, source, findings, started_at, ingested, 0))
    if findings.withheld:
        swept.warnings.append(
            f"{findings.different:,} of {findings.theirs:,} deals differ, too many for edits: look at the"
            " server's time zone and currency. If they are right, run it again with --accept-many"
        )
    if wanted.delete_extra and findings.extra:
        deleted = _delete(kafka, wanted, source, holdings, swept)
        swept.record = _record(wanted, source, findings, started_at, ingested, deleted)
    if not wanted.dry_run:
        publish_reconciliation(swept.record, kafka)
    return swept


def _publish(
    items: Iterator[Item], kafka: str, *, dry_run: bool, on_progress: Callable[[int], None] | None
) -> int:
    """Deals that Kafka has; a dry run only looks."""
    if dry_run:
        for _ in items:
            pass
        return 0
    return publish(items, kafka, on_progress=on_progress).records.get(ACCOUNT_BOOK, 0)


def _delete(kafka: str, wanted: ReconcileRequest, source: Source, holdings: Holdings, swept: Swept) -> int:
    """Tell the books that the extra deals are deleted at the platform, if that can be known."""
    findings = swept.findings
    if (refusal := _why_not_delete(findings)) is not None:
        swept.warnings.append(f"nothing was deleted: {refusal}")
        return 0
    if wanted.dry_run:
        return 0
    named = f"reconciliation of {wanted.server.server} {wanted.since:%Y-%m-%d}"
    gone = findings.extra.keys() - source.tells(set(findings.extra))
    if moved := len(findings.extra) - len(gone):
        swept.warnings.append(
            f"{moved:,} extra deals are outside this window in the source; sweep where they went as well"
        )
    graves = [tombstone(deal, named) for deal in holdings.deals(sorted(gone))]
    return publish(graves, kafka).records.get(ACCOUNT_BOOK, 0)


def _why_not_delete(findings: Findings) -> str | None:
    if findings.unreadable:
        return f"{findings.unreadable:,} rows of the source cannot be read and may be these deals"
    if not findings.theirs:
        return "the source has no deal at all in this window"
    if len(findings.extra) > MAX_DELETED:
        return (
            f"{len(findings.extra):,} deals are not in the source, and {MAX_DELETED:,} are deleted at most;"
            " is it an export of the whole server and window?"
        )
    if findings.withheld:
        return "too many deals differ for this source to be trusted"
    return None


def _record(
    wanted: ReconcileRequest,
    source: Source,
    found: Findings,
    started_at: datetime,
    ingested: int,
    deleted: int,
) -> Reconciliation:
    server = wanted.server.server
    told = f"{server}|{wanted.since.isoformat()}|{wanted.until.isoformat()}|{started_at.isoformat()}"
    return Reconciliation(
        reconciliation_id=blake2b(told.encode(), digest_size=12).hexdigest(),
        server=server,
        source=source.name[:500],
        logins=source.logins,
        starts_at=wanted.since,
        ends_at=wanted.until,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        theirs=found.theirs,
        ours=found.ours,
        missing=found.missing,
        different=found.different,
        extra=len(found.extra),
        disputed=found.disputed,
        unreadable=found.unreadable,
        ingested=ingested,
        deleted=deleted,
        days=tuple(found.days),
        examples=tuple(found.examples),
    )


def check_window(since: datetime, until: datetime, now: datetime) -> None:
    """Raise `Unusable` for a window that is not over: what happens meanwhile would be found on one side."""
    if until > now:
        raise Unusable(
            f"the window ends at {until:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} UTC now"
        )
    if until <= since:
        raise Unusable("--to must be after --from; both are UTC, and --to is not in the window")


def native_warnings(settings: Settings, wanted: ReconcileRequest) -> list[str]:
    """What the platform pays IBs by itself in this window and we pay as well."""
    window = {"from": wanted.since.isoformat(), "to": wanted.until.isoformat()}
    found = ask(settings, "/v1/native-payments/twice", server=wanted.server.server, **window).json()
    rows = found["items"]
    if not rows:
        return []
    more = " at least" if found["next_cursor"] else ""
    payments = {row["native_deal"] for row in rows}
    ibs = sorted({row["ib_id"] for row in rows})
    named = ", ".join(ibs[:5]) + (" …" if len(ibs) > 5 else "")
    warning = (
        f"{len(payments):,}{more} native agent payments of this window are for what the ledger pays {named}"
        " as well; see the portal's page Completeness, or /v1/native-payments/twice"
    )
    return [warning]
