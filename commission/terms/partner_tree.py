"""The tree of IBs as links and changes make it; which would break it, by a circle or too long a way up."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from commission.terms.catalog import BEGINNING, MAX_UPLINE_DEPTH
from commission.terms.partner_changes import as_changed, with_change
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined

MAX_CHANGES = 4_096
"""Of one IB: more is a CRM in a loop."""


def _used_before(change: PartnerChanged) -> str:
    return (
        f"the event {change.event_id} of {change.ib_id} reported something else before, which counts;"
        " give this one another id"
    )


@dataclass(slots=True)
class PartnerTree:
    """Everybody's parents at any time, also of IBs that are not known yet but for their changes."""

    published: dict[str, PartnerDefined]
    changes: dict[str, tuple[PartnerChanged, ...]]
    above: dict[str, tuple[ParentLink, ...]] = field(default_factory=dict)
    below: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for ib_id in self.published.keys() | self.changes.keys():
            self._place(ib_id)

    def publish(self, ib_id: str, record: PartnerDefined | None) -> None:
        """Put another whole record, or none, in the place of an IB's."""
        if record is None:
            del self.published[ib_id]
        else:
            self.published[ib_id] = record
        self._place(ib_id)

    def learn(self, change: PartnerChanged) -> str:
        """Take in a change, or say why it is refused."""
        ib_id, known = change.ib_id, self.changes.get(change.ib_id, ())
        before = next((other for other in known if other.event_id == change.event_id), None)
        if before is not None:
            return "" if replace(before, source=change.source) == change else _used_before(change)
        if len(known) >= MAX_CHANGES:
            return f"{ib_id} has been changed {MAX_CHANGES} times; publish its whole record instead"
        partner = as_changed(self.published.get(ib_id), known)
        if partner is not None and change.currency not in ("", partner.currency):
            return f"{ib_id} is settled in {partner.currency}; an IB's currency does not change"
        self.changes[ib_id] = with_change(known, change)
        self._place(ib_id)
        if why := self.why_broken(ib_id):
            self.changes[ib_id] = known
            self._place(ib_id)
        return why

    def why_broken(self, ib_id: str) -> str:
        """What is wrong with the ways up that lead through an IB; "" if nothing is."""
        up, down = self._longest(ib_id, self._masters), self._longest(ib_id, self._subs)
        if up + down - 1 <= MAX_UPLINE_DEPTH:
            return ""  # Not even all links of all times together make a way too long, so none is a circle.
        near = self._reached(ib_id, self._masters) | self._reached(ib_id, self._subs)
        instants = {link.since or BEGINNING for name in near for link in self.above.get(name, ())}
        for at in sorted(instants):
            for start in sorted(self._reached(ib_id, self._subs)):
                path = [start]
                while (parent := self._parent_at(path[-1], at)) is not None and parent not in path:
                    path.append(parent)
                if parent is not None:
                    circle = " → ".join((*path[path.index(parent) :], parent))
                    return f"with it the parents run in a circle: {circle}; correct the parent of {ib_id}"
                if len(path) > MAX_UPLINE_DEPTH:
                    above = f"with it {start} and the IBs above it are {len(path)}"
                    return f"{above}; at most {MAX_UPLINE_DEPTH} may earn from one client"
        return ""

    def _place(self, ib_id: str) -> None:
        blank = PartnerDefined(ib_id=ib_id, name="", currency="")
        partner = as_changed(self.published.get(ib_id, blank), self.changes.get(ib_id, ()))
        assert partner is not None, "a blank record is one"
        for master in self._masters(ib_id):
            self.below[master].discard(ib_id)
        self.above[ib_id] = partner.parents
        for master in self._masters(ib_id):
            self.below[master].add(ib_id)

    def _masters(self, ib_id: str) -> set[str]:
        return {link.ib_id for link in self.above.get(ib_id, ()) if link.ib_id is not None}

    def _subs(self, ib_id: str) -> set[str]:
        return self.below[ib_id]

    def _parent_at(self, ib_id: str, at: datetime) -> str | None:
        begun = [link for link in self.above.get(ib_id, ()) if (link.since or BEGINNING) <= at]
        return begun[-1].ib_id if begun else None

    def _longest(self, ib_id: str, step: Callable[[str], set[str]]) -> int:
        """IBs on the longest way from one, itself included; one more than may be if there is no end."""
        level, count = {ib_id}, 0
        while level and count <= MAX_UPLINE_DEPTH:
            level, count = {name for known in level for name in step(known)}, count + 1
        return count

    def _reached(self, ib_id: str, step: Callable[[str], set[str]]) -> set[str]:
        """Everybody on any way from one, itself included."""
        found, level = {ib_id}, {ib_id}
        while level := {name for known in level for name in step(known)} - found:
            found |= level
        return found
