"""Which IBs the events of a file name that are not known: what they earn would wait, so a person is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from commission.events import ClientReassigned, ClientRegistered
from commission.terms.partners import PartnerChanged, PartnerDefined
from commission.terms.records import TermsRecord
from ingest.notes import MAX_NOTES, Note
from ingest.source_items import Item


@dataclass(slots=True)
class NamedIbs:
    """Those that are named as the IB of a client or as a master IB, beside those that are known."""

    known: set[str] = field(default_factory=set)
    unknown: dict[str, Note] = field(default_factory=dict)
    """The first of them, with the events that name each."""

    @classmethod
    def beside(cls, records: Iterable[TermsRecord]) -> "NamedIbs":
        """Known are the IBs of these terms."""
        return cls({record.ib_id for record in records if isinstance(record, PartnerDefined)})

    def add(self, item: Item) -> None:
        """Look at one item of a source; an approved IB is known, wherever in the files that stands."""
        if isinstance(item, ClientRegistered | ClientReassigned):
            self._name(item.ib_id, item.event_id)
        elif isinstance(item, PartnerChanged):
            if item.application == "approved":
                self.known.add(item.ib_id)
                self.unknown.pop(item.ib_id, None)
            for link in item.parents:
                self._name(link.ib_id, item.event_id)

    def _name(self, ib_id: str | None, event_id: str) -> None:
        if ib_id is None or ib_id in self.known:
            return
        if ib_id in self.unknown or len(self.unknown) < MAX_NOTES:
            self.unknown.setdefault(ib_id, Note()).add(event_id)

    def lines(self) -> list[str]:
        """Say it in lines for a terminal; [] if all are known."""
        if not self.unknown:
            return []
        told = [f"  {ib_id}: events {note}" for ib_id, note in sorted(self.unknown.items())]
        head = "named as IBs, and in neither the terms nor these files: unless a CRM made them IBs before"
        return [f"{head}, what their clients and sub-IBs earn waits until the terms have them", *told]
