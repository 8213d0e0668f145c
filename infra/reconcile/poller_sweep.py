"""The sweep that a poller makes before it trusts a stream again, on record where a server runs."""

from collections.abc import Callable
from datetime import datetime

from infra.connect.ledger_at import server_url
from infra.reconcile.platform_deals import deals_of_server
from infra.reconcile.run import ReconcileRequest, reconcile
from ingest.sources import LiveSource
from ingest.terms.servers import BrokerServer
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings


def sweeper(
    settings: Settings, server: BrokerServer, source: LiveSource, tell: Callable[[str], None]
) -> Callable[[datetime, datetime], None]:
    """Compare a window of the server with the ledger; say so if that cannot be done now, and go on.

    The poller reads the window again in either case: without a sweep nothing is lost, only not on record.
    """

    def sweep(since: datetime, until: datetime) -> None:
        try:
            if not settings.clickhouse and server_url(settings) is None:
                return  # an embedded database is its server's: it is not opened for this
            found = reconcile(
                settings, ReconcileRequest(server, since, until), deals_of_server(source, ())
            ).record
        except (Unavailable, Unusable) as error:
            tell(f"no sweep is on record for {since:%Y-%m-%d %H:%M} UTC and after: {error}")
            return
        if found.missing or found.different or found.unresolved:
            tell(
                f"swept {server.server} from {since:%Y-%m-%d %H:%M} UTC: {found.missing:,} missing,"
                f" {found.different:,} different, {found.unresolved:,} left open"
            )

    return sweep
