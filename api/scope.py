"""What of the ledger a request may see: everything, or the sub-trees of some IBs as of now.

Every question to the ledger takes a scope, so that a route cannot forget it, and narrows by it in SQL:
`sees` and `sees_client` are the conditions, `Scope.parameters` their values. `routes/context.py` makes the
scope of a request; it is the only place that does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from api.problems import Problem


@dataclass(frozen=True, slots=True)
class Scope:
    """The IBs that are seen, and with them their clients, deals and statements; None: all there is."""

    ibs: frozenset[str] | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.ibs is None

    @property
    def parameters(self) -> dict[str, object]:
        """The values of the conditions below."""
        return {"sees_all": int(self.ibs is None), "seen_ibs": sorted(self.ibs or ())}

    def has(self, ib_id: str | None) -> bool:
        """Whether an IB is seen; what belongs to no IB is seen by whoever sees all."""
        return self.ibs is None or ib_id in self.ibs

    def narrowed(self, ibs: Iterable[str]) -> "Scope":
        """These IBs alone, as far as they are seen."""
        return Scope(frozenset(ib_id for ib_id in ibs if self.has(ib_id)))

    def check_whole(self) -> None:
        """Raise a `Problem` unless everything is seen: what is of the whole broker cannot be narrowed."""
        if self.ibs is not None:
            raise Problem(
                403,
                "That is of the whole broker, and you see the sub-trees of some IBs.",
                code="whole_broker_only",
            )


BY_CLICK = "kind = 'registration' AND attribution IN ('click', 'click_wins')"
"""Registrations whose IB a click decided, not the CRM."""
CLIENTS_SEEN = f"""
SELECT client_id FROM clients FINAL WHERE ib_id IN {{seen_ibs:Array(String)}}
    AND client_id NOT IN (SELECT client_id FROM milestones WHERE {BY_CLICK})
UNION ALL
SELECT client_id FROM milestones WHERE {BY_CLICK} AND ib_id IN {{seen_ibs:Array(String)}}
"""  # noqa: S608  - the parts are constants; values are parameters
"""The clients of the IBs that are seen: the CRM's word for most, for some that of a click."""
KNOWN_CLIENTS = f"""(
    SELECT client_id, occurred_at, country, if(by_click != '', by_click, told) AS ib_id
    FROM (SELECT client_id, occurred_at, country, ib_id AS told FROM clients FINAL) AS c
    LEFT JOIN (SELECT client_id, ib_id AS by_click FROM milestones FINAL WHERE {BY_CLICK}) AS m
        USING client_id
)"""  # noqa: S608  - the parts are constants
"""Clients, each with the IB it registered with: the CRM's, or that of the click that decided."""
EVERYTHING = Scope(None)
NOTHING = Scope(frozenset())


def sees(ib_id: str) -> str:
    """The condition that an IB is seen, by the expression of its id; folded away for whoever sees all."""
    return f"({{sees_all:UInt8}} OR {ib_id} IN {{seen_ibs:Array(String)}})"


def sees_client(client_id: str) -> str:
    """The condition that a client is seen: its IB is."""
    return f"({{sees_all:UInt8}} OR {client_id} IN ({CLIENTS_SEEN}))"
