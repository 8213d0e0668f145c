"""One process for everything that touches the database: sink, API, portal and postbacks."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from clickhouse_connect.driver.client import Client
from fastapi import FastAPI

from api.app import create_app
from api.desks import Desks
from api.exposure import check_exposure
from api.idempotency import Answers
from api.ledger import Ledger
from api.one_at_a_time import OneAtATime
from api.views.pseudonyms import Pseudonyms
from infra.archive.http import add_archive
from infra.connect.broker_name import check_data_folder
from infra.connect.ports import listen, url_at
from infra.connect.running_server import note_running, note_stopped
from infra.connect.server_thread import HttpThread
from infra.connect.settings import clickhouse_client, connect
from infra.dead_letters.desk import DeadLetterDesk
from infra.exports.book import ExportBook
from infra.exports.desk import ExportDesk
from infra.links.parts import links_of
from infra.payouts.parts import PayoutParts
from infra.payouts.reconcile import add_reconcile
from infra.people.parts import PeopleParts
from infra.plans.desk import PlanDesk
from infra.postbacks.start import dispatcher_of, loaded_desk
from infra.processes.owner import Owner
from infra.processes.push_server import open_desk, with_push
from infra.processes.stall import StallWatch
from infra.proposals.desk import ProposalDesk, publish_to
from infra.proposals.log import ProposalLog
from infra.statement_documents.desk import DocumentDesk
from infra.sums.builder import SumsBuilder
from infra.sums.rebuild import add_rebuild
from infra.verify.invariants import SAME_BOOKS, Finding, verify
from schemas.settings import Settings
from streams.sink import Sink

STOP_SECONDS = 20.0
EXPORTS = "exports"
"""In the data folder: files made in the background; beside it the list of them."""
ANSWERS = "answers.sqlite"
"""In the data folder: what was answered to requests with an `Idempotency-Key`, for a day."""


class ApiServer:
    """The database's one owner; the embedded ClickHouse has a folder that no second process opens."""

    url = ""

    def __init__(self, settings: Settings, kafka: str, owner: Owner | None = None) -> None:
        """`owner` is the caller's lock of the data folder; without one the server takes it."""
        check_exposure(settings)
        self._owner = Owner.take(settings.data_dir) if owner is None else None
        check_data_folder(settings, kafka)
        self._settings, self.url = settings, ""
        self._connect: Callable[[], Client] = lambda: connect(settings)
        self.client = clickhouse_client(settings)
        self.sink = Sink(self._connect(), kafka)
        self.sink.check_log()
        self._sums = SumsBuilder(self._connect)
        self._sink_thread = _thread("sink", self.sink.run)
        self._sums_thread = _thread("sums", self._sums.run)
        ledger = Ledger(self._connect, cluster=settings.clickhouse_cluster)
        self.endpoints = loaded_desk(settings, kafka, ledger)
        self._dispatcher = dispatcher_of(settings, kafka, self.endpoints)
        self.payouts = PayoutParts(ledger, settings, kafka)
        self.proposals = ProposalDesk(
            self._connect, ProposalLog(kafka), partial(publish_to, kafka), self.payouts.withholding
        )
        self.people = PeopleParts(settings, kafka)
        self._exports = self._export_desk(settings, ledger)
        self._answers = Answers(settings.data_dir / ANSWERS)
        self.links = links_of(settings, kafka)
        self._stall = StallWatch(self.sink.lag, lambda: sum(self.sink.positions().values()))
        app = create_app(
            ledger,
            settings,
            sink_lag=self.sink.lag,
            stalled=self._stall.seconds,
            desks=self._desks(settings, kafka),
        )
        self._feed = app.state.feed
        _add_verify(app, self.client)
        add_archive(app, self._connect)
        add_rebuild(app, self._connect)
        add_reconcile(app, ledger, self.payouts.files)
        self._push = open_desk(settings, kafka, self.people.sign_ins.of_key)
        front = with_push(app, self._push) if self._push is not None else app
        if self.links is not None:
            self._api = HttpThread(self.links.before(front), "API", http=self.links.http)
        else:
            self._api = HttpThread(front, "API")

    def _export_desk(self, settings: Settings, ledger: Ledger) -> ExportDesk:
        files = settings.data_dir / EXPORTS
        return ExportDesk(
            ledger,
            ExportBook(files.with_suffix(".sqlite")),
            files,
            Pseudonyms.from_settings(settings),
            payouts=self.payouts.desk,
            audit=self.people.audit,
        )

    def _desks(self, settings: Settings, kafka: str) -> Desks:
        return Desks(
            proposals=self.proposals,
            payouts=self.payouts.desk,
            changes=self.payouts.changes,
            bank_files=self.payouts.bank_files,
            payees=self.payouts.payees,
            crediting=self.payouts.crediting,
            payout_log=self.payouts.log.known,
            people=self.people.open,
            views=self.people.views,
            endpoints=self.endpoints,
            dead_letters=DeadLetterDesk.of(settings, kafka),
            documents=DocumentDesk(settings),
            plans=PlanDesk.of(settings, kafka),
            answers=self._answers,
            exports=self._exports,
            links=self.links.desk if self.links is not None else None,
            link_meters=self.links.meters if self.links is not None else None,
        )

    def start(self) -> None:
        """Start every part in a thread of its own; return once the API answers."""
        self._sink_thread.start()
        self._sums_thread.start()
        self._stall.start()
        self._exports.start()
        self.people.start()
        if self.links is not None:
            self.links.start()
        self._start_api()
        self._dispatcher.start()

    def _start_api(self) -> None:
        listener = listen(self._settings.api_host, self._settings.api_port)
        self.url = url_at(self._settings.api_host, listener.getsockname()[1])
        self._api.start(listener)
        note_running(self._settings, self.url)

    def stop(self) -> None:
        """Stop taking requests, finish the batch at hand, close the database."""
        note_stopped(self._settings)
        self._stall.stop()
        self._dispatcher.stop()
        self._exports.stop()
        self._feed.close()
        self._api.stop()
        if self._push is not None:
            self._push.close()
        if self.links is not None:
            self.links.stop()
        self.sink.stop()
        self._sums.stop()
        for thread in (self._sink_thread, self._sums_thread):
            if thread.is_alive():
                thread.join(STOP_SECONDS)
        self.proposals.close()
        self._answers.close()
        self.people.stop()
        self.client.close()
        if self._owner is not None:
            self._owner.leave()


def _thread(name: str, run: Callable[[], object]) -> threading.Thread:
    return threading.Thread(target=run, name=name, daemon=True)


def _add_verify(app: FastAPI, client: Client) -> None:
    one, lock = OneAtATime[dict[str, Any]](), threading.Lock()

    def check(*, folds: bool) -> dict[str, Any]:
        folded = None if folds else Finding(SAME_BOOKS, "not folded again, as asked for", holds=True)
        with lock:  # one client, one query at a time
            return verify(client, folded=folded).to_json()

    @app.get("/v1/verify", tags=["ledger"], summary="Check every invariant of the ledger")
    async def verify_ledger(*, folds: bool = True) -> dict[str, Any]:
        return await one.run(folds, lambda: check(folds=folds))
