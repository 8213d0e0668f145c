"""Everything about tracking links that a server runs: their log and desk, the redirect, its spool."""

from collections.abc import Iterator

from starlette.types import ASGIApp

from api.links.redirect import Redirect, with_links
from infra.links.click_http import ClickHttp
from infra.links.desk import LinkDesk
from infra.links.keys import click_keys
from infra.links.log import KafkaLog, LinkLog, tell_client_book
from infra.links.sender import ClickSender
from infra.links.spool import Spool
from infra.links.targets import Targets
from schemas import metrics
from schemas.metrics import Metric
from schemas.settings import Settings

MEGABYTE = 1_000_000


class LinkParts:
    """Opened with the server, and closed with it."""

    def __init__(self, settings: Settings, kafka: str, keys: tuple[bytes, ...]) -> None:
        self._log = LinkLog(KafkaLog(kafka), lambda records: tell_client_book(kafka, records))
        self.desk = LinkDesk(
            self._log,
            settings.landing_hosts,
            window_days=settings.link_window_days,
            conflict=settings.link_conflict,
            public_url=settings.public_url,
        )
        self._spool = Spool(
            settings.data_dir / "clicks", settings.click_spool_mb * MEGABYTE, ClickSender(kafka).send
        )
        targets = Targets(lambda: self._log.current, settings.landing_hosts)
        proxies = [part.strip() for part in settings.link_proxies.split(",") if part.strip()]
        self._redirect = Redirect(
            targets.find, self._spool.keep, keys[0], rate=settings.link_rate, proxies=proxies
        )

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with the redirect before it."""
        return with_links(app, self._redirect)

    @property
    def http(self) -> type[ClickHttp]:
        """The protocol of a server that follows these links."""
        return ClickHttp.of(self._redirect)

    def start(self) -> None:
        """Know the links before anybody clicks."""
        self._log.tell_books()
        self._log.watch()
        self._spool.start()

    def stop(self) -> None:
        """Let clicks reach Kafka, or the disk."""
        self._spool.stop()
        self._log.stop()

    def meters(self) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
        """What became of clicks, and what waits."""
        tally = self._redirect.tally
        for outcome, count in list(tally.answers.items()):
            yield metrics.LINK_ANSWERS, (outcome,), count
        yield metrics.LINK_BOTS, (), tally.bots
        yield metrics.LINK_DUPLICATES, (), tally.duplicates
        yield metrics.LINK_FORGOTTEN, (), self._redirect.recent.forgotten
        yield metrics.CLICKS_WAITING, (), self._spool.bytes_left
        yield metrics.CLICKS_STUCK, (), self._spool.is_kafka_away


def links_of(settings: Settings, kafka: str) -> LinkParts | None:
    """The parts; None where no key marks clicks, so that there are no links."""
    keys = click_keys(settings)
    return LinkParts(settings, kafka, keys) if keys else None
