"""IBs that come to be known, told on demand for partner networks: said once, where terms enter."""

from collections.abc import Iterable
from datetime import datetime

from commission.draft import Draft
from commission.outputs import Announcement, milestone_id_of
from commission.terms.catalog import Terms
from commission.terms.partners import PartnerChanged, PartnerDefined
from commission.terms.records import TermsRecord
from commission.terms.upline import above


def announce_onboarded(
    draft: Draft, news: Iterable[TermsRecord], before: Terms, terms: Terms, at: datetime
) -> None:
    """Say each IB that `news` define, or whose application they approve; `at` is when they were written."""
    if "ib.onboarded" not in terms.events:
        return
    told = [one for one in news if isinstance(one, PartnerDefined | PartnerChanged)]
    for one in {one.ib_id: one for one in reversed(told)}.values():
        if one.ib_id in before.partners or one.ib_id not in terms.partners:
            continue
        since = one.occurred_at if isinstance(one, PartnerChanged) else at
        draft.emit(
            Announcement(
                milestone_id=milestone_id_of("ib.onboarded", "", one.ib_id),
                kind="ib.onboarded",
                client_id="",
                ib_id=one.ib_id,
                occurred_at=since,
                upline=above(terms.upline(one.ib_id, since)),
            )
        )
