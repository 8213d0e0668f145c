"""What a transfer names that is asked for beside its chain: its deal, its plan, the IBs above its client."""

from collections.abc import Callable
from concurrent.futures import Executor

from api.ledger import Ledger, Row
from api.queries import transfers as queries
from api.queries.partners import names_of
from api.scope import Scope

QUESTIONS = 3
"""How many there are, each asked by a thread of its own."""
_DEFINITION = (
    "SELECT definition FROM plans FINAL WHERE plan_id = {plan:String} AND version = {version:UInt32}"
)


def asked_of(
    beside: Executor, ledger: Ledger, scope: Scope, of: Row
) -> Callable[[], tuple[Row | None, str, dict[str, str]]]:
    """Ask for the deal, the plan's definition and the IBs' names that a row names; what is given waits."""
    deal = beside.submit(queries.deal, ledger, scope, of["caused_by"])
    names = beside.submit(names_of, ledger, scope, [*of["path"], of["ib_id"]])
    definition = beside.submit(_definition, ledger, of)
    return lambda: (deal.result(), definition.result(), names.result())


def _definition(ledger: Ledger, of: Row) -> str:
    """The plan version a row names, as published; "" if the ledger does not hold it."""
    if not of["plan_id"]:
        return ""
    found = ledger.rows(_DEFINITION, plan=of["plan_id"], version=of["plan_version"])
    return str(found[0]["definition"]) if found else ""
