"""One process for everything that touches the database: sink, API, portal and postbacks."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from clickhouse_connect.driver.client import Client
from fastapi import FastAPI

from api.app import create_app
from api.exposure import check_exposure
from api.ledger import Ledger
from api.one_at_a_time import OneAtATime
from commission.payouts.commands import AnyCommand
from infra.archive.http import add_archive
from infra.connect.broker_name import check_data_folder
from infra.connect.ports import listen, url_at
from infra.connect.running_server import note_running, note_stopped
from infra.connect.server_thread import HttpThread
from infra.connect.settings import clickhouse_client, connect
from infra.gc_tuning import collect_rarely
from infra.payees.desk import PayeeDesk, PayeeLog
from infra.payees.sealing import keys_of
from infra.payouts.bank_results import BankResults
from infra.payouts.changes import ChangeDesk
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import LedgerFacts
from infra.payouts.files import Files
from infra.payouts.log import PayoutLog
from infra.payouts.payers import Payers
from infra.payouts.reconcile import add_reconcile
from infra.payouts.sanctions import SanctionList
from infra.payouts.warnings import Warnings
from infra.payouts.withholding import Withholding
from infra.postbacks.start import dispatcher_of, loaded_desk
from infra.processes.owner import Owner
from infra.processes.push_server import open_desk, with_push
from infra.proposals.desk import ProposalDesk, publish_to
from infra.sums.builder import SumsBuilder
from infra.sums.rebuild import add_rebuild
from infra.verify.invariants import SAME_BOOKS, Finding, verify
from ingest.publish.publisher import publish_payout_commands
from schemas.settings import Settings
from streams.sink import Sink

STOP_SECONDS = 20.0


class ApiServer:
    """The database's one owner; the embedded ClickHouse has a folder that no second process opens."""

    url = ""

    def __init__(self, settings: Settings, kafka: str, owner: Owner | None = None) -> None:
        """`owner` is the caller's lock of the data folder; without one the server takes it."""
        check_exposure(settings)
        self._owner = Owner.take(settings.data_dir) if owner is None else None
        check_data_folder(settings, kafka)
        collect_rarely()
        self._settings = settings
        self._connect: Callable[[], Client] = lambda: connect(settings)
        self.client = clickhouse_client(settings)
        self.sink = Sink(self._connect(), kafka)
        self._sums = SumsBuilder(self._connect)
        self._sink_thread = _thread("sink", self.sink.run)
        self._sums_thread = _thread("sums", self._sums.run)
        payouts, ledger = PayoutLog(kafka), Ledger(self._connect)
        self.endpoints = loaded_desk(settings, kafka, ledger)
        self._dispatcher = dispatcher_of(settings, kafka, self.endpoints)
        facts = LedgerFacts(ledger)
        self.payees = PayeeDesk(PayeeLog(kafka), keys_of(settings))
        files = Files(Payers.read(settings.payers_file), self.payees.opened)

        def publish(commands: Iterable[AnyCommand]) -> None:
            publish_payout_commands(commands, kafka)

        SanctionList.read(settings.sanctions_file)  # one that cannot be used is said at the start
        warnings = Warnings(ledger, self.payees.listed, self.payees.opened, settings.sanctions_file)
        self.payouts = PayoutDesk(
            payouts, facts, publish, files=files, payees=self.payees.listed, warnings=warnings.of
        )
        self.bank_files = BankResults(payouts, self.payouts, files)
        withholding = Withholding(payouts, facts)
        self._desk = ProposalDesk(self._connect, lambda records: publish_to(kafka, records), withholding)
        app = create_app(
            ledger,
            settings,
            sink_lag=self.sink.lag,
            desk=self._desk,
            payout_desk=self.payouts,
            bank_files=self.bank_files,
            change_desk=ChangeDesk(payouts, facts, publish),
            payee_desk=self.payees,
            endpoint_desk=self.endpoints,
        )
        _add_verify(app, self.client)
        add_archive(app, self._connect)
        add_rebuild(app, self._connect)
        add_reconcile(app, ledger, files)
        self._push = open_desk(settings, kafka)
        front = with_push(app, self._push) if self._push is not None else app
        self._api = HttpThread(front, "API")

    def start(self) -> None:
        """Start every part in a thread of its own; return once the API answers."""
        self._sink_thread.start()
        self._sums_thread.start()
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
        self._dispatcher.stop()
        self._api.stop()
        if self._push is not None:
            self._push.close()
        self.sink.stop()
        self._sums.stop()
        for thread in (self._sink_thread, self._sums_thread):
            if thread.is_alive():
                thread.join(STOP_SECONDS)
        self._desk.close()
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
