"""What a transfer names that is asked for beside its chain: its deal, its plan, the IBs above its client."""

from api.ledger import Ledger, Row
from api.queries import transfers as queries
from api.queries.partners import names_of
from api.scope import Scope


def named_by(ledger: Ledger, scope: Scope, links: Row) -> tuple[Row | None, str, dict[str, str]]:
    """The deal and the plan's definition that a transfer names, or what it takes back, and names of IBs."""
    of = links
    if links["reverses"]:
        of = queries.links(ledger, scope, links["reverses"]) or links
    names = names_of(ledger, scope, [*of["path"], links["ib_id"]])
    return queries.deal(ledger, scope, of["caused_by"]), _definition(ledger, of), names


def _definition(ledger: Ledger, row: Row) -> str:
    """The plan version a row names, as published; "" if the ledger does not hold it."""
    if not row["plan_id"]:
        return ""
    found = ledger.rows(
        "SELECT definition FROM plans FINAL WHERE plan_id = {plan:String} AND version = {version:UInt32}",
        plan=row["plan_id"],
        version=row["plan_version"],
    )
    return str(found[0]["definition"]) if found else ""
