"""Who does for the routes what `infra` does: all of them in one value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from api.dead_letters import DeadLetters
from api.documents import Documents
from api.endpoints import Endpoints
from api.export_desk import Exports
from api.idempotency import Answers
from api.link_desk import Links
from api.payees import Payees
from api.payouts import BankFiles, Changes, Crediting, Payouts
from api.people import People
from api.plans import PlanTools
from api.proposals import Proposals
from api.saved_views import SavedViews
from commission.payouts.log import Payouts as PayoutLog
from schemas.metrics import Metric


@dataclass(frozen=True, slots=True)
class Desks:
    """Each is None where that is not done: its routes say so."""

    proposals: Proposals | None = None
    """Computes corrections, and posts what two people decided."""
    payouts: Payouts | None = None
    changes: Changes | None = None
    """Balances, adjusted and held."""
    bank_files: BankFiles | None = None
    payees: Payees | None = None
    """Where IBs are paid."""
    crediting: Crediting | None = None
    """Payouts to trading accounts."""
    payout_log: Callable[[], PayoutLog] | None = None
    """What counts of payouts."""
    views: SavedViews | None = None
    """What people save of pages."""
    people: People | None = None
    """Who signs in, and what they do."""
    answers: Answers | None = None
    """To requests with an `Idempotency-Key`; None: in memory."""
    endpoints: Endpoints | None = None
    """Where events are sent."""
    plans: PlanTools | None = None
    """Plans compared, tested and tried."""
    dead_letters: DeadLetters | None = None
    """Input that could not be used, worked off."""
    documents: Documents | None = None
    """Statements for people."""
    exports: Exports | None = None
    """Long files, made in the background."""
    links: Links | None = None
    """Tracking links."""
    link_meters: Callable[[], Iterable[tuple[Metric, tuple[str, ...], float]]] | None = None
    """What became of clicks on them."""


NO_DESKS = Desks()
