"""From a server's feed in broker.yaml to the live source that asks it; secrets come from the environment."""

import os

from infra.sources.profiles import profile_of
from ingest.mt4.sql import Mt4Sql
from ingest.mt5.sql import Mt5Sql
from ingest.mt5.web_api import Mt5WebApi
from ingest.sources import LiveSource, UnreadableSource
from ingest.sql.database import Address, Database
from ingest.terms.feeds import DEFAULT_INTERVAL_S, SqlFeed, WebFeed
from ingest.terms.servers import BrokerServer


def open_source(server: BrokerServer) -> LiveSource:
    """The live source of a server; raise `UnreadableSource` if it has no feed or its secret is not set."""
    if server.feed is None:
        raise UnreadableSource(
            f"broker.yaml has no feed for {server.server}; add `feed: {{kind: mt5-sql, host: …, database: …,"
            " user: …, password_env: …}`; or read its exports"
        )
    profile = profile_of(server)
    if isinstance(server.feed, WebFeed):
        _secret(server.feed.api.password_env)
        return Mt5WebApi(server.feed.api, profile)
    database = Database(_address(server.feed))
    return Mt4Sql(database, profile) if server.feed.kind == "mt4-sql" else Mt5Sql(database, profile)


def interval_s(server: BrokerServer) -> float:
    """Seconds between two polls of a server."""
    return server.feed.interval_s if server.feed is not None else DEFAULT_INTERVAL_S


def _address(feed: SqlFeed) -> Address:
    return Address(
        host=feed.host,
        port=feed.port,
        database=feed.database,
        user=feed.user,
        password=_secret(feed.password_env),
        tls_ca=feed.tls_ca,
    )


def _secret(variable: str) -> str:
    if not (secret := os.environ.get(variable)):
        raise UnreadableSource(
            f"the environment variable {variable} is not set; the feed's password is there"
        )
    return secret
