"""Which events on demand endpoints name: told to the books, so that they say no others."""

from commission.draft import Draft
from commission.outputs import ON_DEMAND
from commission.postbacks.records import EndpointRecord, EndpointSaved, EndpointStateSet
from commission.terms.catalog import Terms
from commission.terms.events_wanted import EventsWanted
from commission.value import Value


class Demand(Value):
    """The kinds on demand that each endpoint names, of those that name some."""

    kinds: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 # msgspec gives each value its own

    @property
    def whole(self) -> tuple[str, ...]:
        """Every kind that somebody names."""
        return tuple(sorted({kind for kinds in self.kinds.values() for kind in kinds}))


KEYS: dict[str, type] = {"w": Demand}
"""The first letter of a state key tells its type."""
DEMAND = "w"


def apply(draft: Draft, record: EndpointRecord, terms: Terms) -> None:
    """Say what is wanted where that changes; the record itself is broadcast.

    A version that somebody else forestalled counts here too: the books may say more than is sent, never less.
    """
    del terms
    before: Demand = draft.get(DEMAND) or Demand()
    kinds = dict(before.kinds)
    if isinstance(record, EndpointSaved):
        name = record.endpoint.endpoint_id
        kinds.pop(name, None)
        if named := tuple(kind for kind in record.endpoint.events if kind in ON_DEMAND):
            kinds[name] = named
    elif isinstance(record, EndpointStateSet) and record.state == "removed":
        kinds.pop(record.endpoint_id, None)
    after = Demand(kinds=kinds)
    if after != before:
        draft.put(DEMAND, after)
    if after.whole != before.whole:
        draft.emit(EventsWanted(kinds=after.whole))
