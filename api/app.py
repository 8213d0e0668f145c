"""The API as one application: routes, portal, gate and problems put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from api import problems
from api.endpoints import Endpoints
from api.exposure import check_exposure
from api.gate import Gate
from api.ledger import Ledger
from api.openapi import describe
from api.operators import Operators
from api.parameters import check_parameters
from api.payees import Payees
from api.payouts import BankFiles, Changes, Payouts
from api.portal.render import mount
from api.proposals import Proposals
from api.routes import (
    balance_changes,
    completeness,
    endpoints,
    health,
    metrics,
    pages,
    partners,
    payees,
    payouts,
    proposals,
    quality,
    reports,
    terms,
    transfers,
)
from api.views.pseudonyms import Pseudonyms
from schemas.settings import Settings

MAX_BODY_BYTES = 64 * 1024
"""No route takes more than a proposal; pushes have an app and limits of their own."""
ROUTERS = (
    *(health.router, metrics.router, reports.router, transfers.router, partners.router, payouts.router),
    *(payees.router, payees.keys),
    *(balance_changes.router, endpoints.router),
    *(terms.router, quality.router, completeness.router, proposals.router, pages.router),
    *(proposals.pages, completeness.pages),
)
DESCRIPTION = """
What a broker owes its introducing brokers, and the reason of every cent.
Money is text with a point, times are UTC, lists have `limit` and `cursor`,
errors are problem+json whose `detail` says what to do next.
"""


def create_app(
    ledger: Ledger,
    settings: Settings,
    *,
    operators: Operators | None = None,
    sink_lag: Callable[[], int | None] | None = None,
    desk: Proposals | None = None,
    payout_desk: Payouts | None = None,
    bank_files: BankFiles | None = None,
    payee_desk: Payees | None = None,
    change_desk: Changes | None = None,
    endpoint_desk: Endpoints | None = None,
) -> FastAPI:
    """Build the API over `ledger`; raise `ExposureError` rather than show it to a network unguarded.

    `operators` are who may ask, else those of the settings. `sink_lag` tells how many messages the sink of
    this process has yet to store; a `RuntimeError` from it makes `/health` answer 503. `desk` computes and
    posts proposals, `payout_desk` and `change_desk` make payouts and change balances, `payee_desk` keeps
    where IBs are paid, `endpoint_desk` where events are sent, where that is done. The app closes `ledger`
    when its server shuts down.
    """
    check_exposure(settings)
    app = FastAPI(
        title="ibflow",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=_close_ledger,
        dependencies=[Depends(check_parameters)],
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.ledger = ledger
    app.state.sink_lag = sink_lag
    app.state.proposals = desk
    app.state.payouts, app.state.changes = payout_desk, change_desk
    app.state.payees, app.state.bank_files = payee_desk, bank_files
    app.state.endpoints = endpoint_desk
    app.state.pseudonyms = Pseudonyms.from_settings(settings)
    app.state.health = health.HealthMemory()
    for router in ROUTERS:
        app.include_router(router)
    mount(app)
    problems.install(app)
    describe(app)
    app.add_middleware(_gate, operators=operators or Operators.from_settings(settings))
    return app


@asynccontextmanager
async def _close_ledger(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.ledger.close()


def _gate(app: ASGIApp, operators: Operators) -> ASGIApp:
    return Gate(app, operators)
