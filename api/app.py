"""The API as one application: routes, portal, gate and problems put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields

from fastapi import Depends, FastAPI
from starlette.types import Receive, Scope, Send

from api import problems
from api.answer_tags import AnswerTags
from api.caller_limits import Rates
from api.desks import NO_DESKS, Desks
from api.exposure import check_exposure
from api.feed import Feed
from api.gate import SECURITY_HEADERS, Gate
from api.idempotency import Answers
from api.ledger import Ledger
from api.openapi import describe
from api.operators import Operators
from api.own_endpoints import TESTS_A_MINUTE
from api.pages.all import PAGES
from api.parameters import check_parameters
from api.portal.render import mount
from api.problems import AsProblems
from api.routes import (
    acquisition,
    ageing,
    balance_changes,
    clients,
    completeness,
    dead_letters,
    documents,
    endpoints,
    etags,
    exports,
    feed,
    health,
    invoices,
    link_reports,
    links,
    list_exports,
    margin,
    metrics,
    movers,
    oidc,
    own_endpoints,
    partners,
    payees,
    payouts,
    plans,
    proposals,
    quality,
    reports,
    sign_in,
    terms,
    transfers,
    views,
)
from api.routes import crediting as crediting_routes
from api.routes import people as people_routes
from api.routes.context import check_scoped
from api.views.pseudonyms import Pseudonyms
from schemas.settings import Settings

MAX_BODY_BYTES = 64 * 1024
"""No route takes more than a proposal; pushes have an app and limits of their own."""
ROUTERS = (
    health.router,
    metrics.router,
    reports.router,
    acquisition.router,
    margin.router,
    movers.router,
    clients.router,
    exports.router,
    list_exports.router,
    views.router,
    transfers.router,
    feed.router,
    partners.router,
    payouts.router,
    payees.router,
    payees.keys,
    invoices.router,
    crediting_routes.router,
    balance_changes.router,
    ageing.router,
    endpoints.router,
    endpoints.keys,
    own_endpoints.router,
    documents.router,
    dead_letters.router,
    links.router,
    link_reports.router,
    terms.router,
    plans.router,
    quality.router,
    completeness.router,
    proposals.router,
    people_routes.router,
    sign_in.router,
    oidc.router,
    *PAGES,
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
    stalled: Callable[[], float | None] = lambda: None,
    desks: Desks = NO_DESKS,
) -> FastAPI:
    """Build the API over `ledger`; raise `ExposureError` rather than show it to a network unguarded.

    `operators` are who may ask, else those of the settings. `sink_lag` tells how many messages the sink of
    this process has yet to store; a `RuntimeError` from it makes `/health` answer 503. `stalled` tells for
    how many seconds nothing was stored though something waits; None where that is not so. `desks` do what
    routes only ask for. The app closes `ledger` when its server shuts down.
    """
    check_exposure(settings)
    app = Api(
        title="ibflow",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=_close_ledger,
        dependencies=[Depends(check_parameters), Depends(check_scoped)],
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.ledger = ledger
    app.state.sink_lag, app.state.stalled = sink_lag, stalled
    app.state.feed = Feed(ledger)
    for desk in fields(desks):
        setattr(app.state, desk.name, getattr(desks, desk.name))
    app.state.pseudonyms = Pseudonyms.from_settings(settings)
    app.state.health = health.HealthMemory()
    app.state.ib_levels = settings.ib_levels
    app.state.own_tests = Rates(TESTS_A_MINUTE)
    for router in ROUTERS:
        app.include_router(router)
    mount(app)
    problems.install(app)
    etags.install(app)
    describe(app)
    known = operators or Operators.from_settings(settings)
    answers = desks.answers or Answers()
    app.add_middleware(AnswerTags)
    app.add_middleware(Gate, operators=known, people=desks.people, answers=answers)
    return app


class Api(FastAPI):
    """The application, whose every answer is one of ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        answer = AsProblems(send, SECURITY_HEADERS) if scope["type"] == "http" else send
        await super().__call__(scope, receive, answer)


@asynccontextmanager
async def _close_ledger(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.ledger.close()
