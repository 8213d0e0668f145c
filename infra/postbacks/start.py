"""From settings to a desk of endpoints and a dispatcher."""

import socket

from api.endpoints import ReplayWanted
from api.ledger import Ledger
from api.queries import postbacks
from commission.ids import digest
from infra.connect.postback_ibs import check_postbacks
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.dispatcher import DispatcherThread, Place
from infra.postbacks.log import EndpointLog, KafkaLog, publish_deliveries
from infra.postbacks.sealing import keys_of
from schemas.settings import Settings


def endpoint_desk(settings: Settings, kafka: str, ledger: Ledger | None = None) -> EndpointDesk:
    """The desk of a process; without a ledger nothing can be asked for again."""

    def stored(endpoint_id: str, wanted: ReplayWanted, limit: int) -> list[str]:
        assert ledger is not None, "only the server is asked for a replay"
        span = wanted.since, wanted.until
        return postbacks.deliveries(ledger, endpoint_id, wanted.milestone_id, *span, limit)

    return EndpointDesk(
        EndpointLog(KafkaLog(kafka)),
        keys_of(settings),
        stored=stored,
        publish=lambda deliveries: publish_deliveries(deliveries, kafka),
        proxy=settings.postback_proxy,
        may_be_private=settings.postback_private,
    )


def loaded_desk(settings: Settings, kafka: str, ledger: Ledger) -> EndpointDesk:
    """The server's desk, with the endpoints of the file; raise `EndpointsError` if the file is wrong."""
    written = check_postbacks(settings, kafka)
    desk = endpoint_desk(settings, kafka, ledger)
    desk.load(written)
    desk.relevel(settings.ib_levels)
    return desk


def dispatcher_of(settings: Settings, kafka: str, desk: EndpointDesk) -> DispatcherThread:
    """A dispatcher whose name lasts as long as its data folder, where it keeps its state."""
    folder = str(settings.data_dir.resolve())
    instance = f"{socket.gethostname()}-{digest(folder)[:12]}"
    state = settings.state_dir("dispatcher")
    if state is not None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return DispatcherThread(Place(kafka, instance, state, settings.postback_proxy), desk)
