"""The server a file came from."""

from ingest.server_time import parse_rule
from ingest.sources import NO_OPTIONS, AccountOptions, ServerProfile
from ingest.terms.folder import Broker
from ingest.terms.servers import BrokerServer
from schemas.errors import Unusable


def profile_of(server: BrokerServer, said: AccountOptions = NO_OPTIONS) -> ServerProfile:
    """What the terms say about a server, and a person about the file, as the sources want it."""
    return ServerProfile(
        server=server.server,
        platform=server.platform,
        clock=parse_rule(server.timezone),
        margin_mode=server.margin_mode,
        currency=said.currency or server.currency,
        login=said.login,
        group=said.group,
        is_currency_said=bool(said.currency),
        columns=said.columns,
        close_reopen=server.close_reopen,
        symbols=server.symbols,
    )


def server_of(broker: Broker, name: str) -> BrokerServer:
    """The server of this name; raise `Unusable` with the names there are."""
    if name not in broker.servers:
        raise Unusable(f"broker.yaml has no server {name}; it has {', '.join(sorted(broker.servers))}")
    return broker.servers[name]
