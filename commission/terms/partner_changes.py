"""What a CRM changed of an IB, laid over the IB's published record; the order of arrival does not count."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange

Dated = TypeVar("Dated", ParentLink, PlanAssignment, StatusChange)


def with_change(known: tuple[PartnerChanged, ...], change: PartnerChanged) -> tuple[PartnerChanged, ...]:
    """The changes in the order of their time; one that is known by its id changes nothing."""
    if any(other.event_id == change.event_id for other in known):
        return known
    return tuple(sorted((*known, change), key=lambda told: (told.occurred_at, told.event_id)))


def as_changed(defined: PartnerDefined | None, changes: Iterable[PartnerChanged]) -> PartnerDefined | None:
    """The IB after its changes; None while it is neither published nor approved with a currency."""
    told = [change for change in changes if change.application in ("", "approved")]
    partner = defined if defined is not None else _approved(told)
    if partner is None:
        return None
    for change in told:
        partner = replace(
            partner,
            name=change.name or partner.name,
            identity=change.identity or partner.identity,
            parents=_merged(partner.parents, change.parents),
            schedule=_merged(partner.schedule, change.schedule),
            statuses=_merged(partner.statuses, change.statuses),
            kyc_approved=_newer(partner.kyc_approved, change.kyc_approved),
            agreement_accepted=_newer(partner.agreement_accepted, change.agreement_accepted),
        )
    return partner


def all_changed(
    ib_ids: Iterable[str],
    published: Mapping[str, PartnerDefined],
    changes: Mapping[str, tuple[PartnerChanged, ...]],
) -> dict[str, PartnerDefined]:
    """Those of the IBs that there are, after their changes."""
    found = {ib_id: as_changed(published.get(ib_id), changes.get(ib_id, ())) for ib_id in ib_ids}
    return {ib_id: partner for ib_id, partner in found.items() if partner is not None}


def _approved(changes: Iterable[PartnerChanged]) -> PartnerDefined | None:
    first = next((c for c in changes if c.application == "approved" and c.currency), None)
    if first is None:
        return None
    return PartnerDefined(ib_id=first.ib_id, name=first.name, currency=first.currency)


def _merged(entries: tuple[Dated, ...], more: tuple[Dated, ...]) -> tuple[Dated, ...]:
    """Oldest first; of two that begin together the one told later comes last, and counts."""
    return tuple(sorted(entries + more, key=_since)) if more else entries


def _since(entry: ParentLink | PlanAssignment | StatusChange) -> tuple[datetime, ...]:
    """What counts from the beginning comes before every time."""
    return () if entry.since is None else (entry.since,)


def _newer(known: bool, told: bool | None) -> bool:  # noqa: FBT001 - the two sides of one fact
    return known if told is None else told
