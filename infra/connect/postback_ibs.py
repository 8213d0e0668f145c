"""Whether the IBs that postback endpoints name exist: a misspelled one would get no milestone, silently."""

import logging
from collections.abc import Iterable

from api.postbacks.endpoints import Written, check_ibs, load_endpoints
from commission.terms.partners import PartnerChanged, PartnerDefined
from schemas.settings import Settings
from schemas.topics import TERMS
from schemas.wire import decode_lines
from streams.single_log import SingleLog

log = logging.getLogger("ibflow.postbacks")


def ibs_of(records: Iterable[object]) -> set[str]:
    """The IBs that terms define, or a CRM tells of."""
    return {record.ib_id for record in records if isinstance(record, PartnerDefined | PartnerChanged)}


def published_ibs(kafka: str) -> set[str]:
    """The IBs that the log knows; the database may lag behind it."""
    terms = SingleLog(kafka, TERMS)
    try:
        return {ib for _, message in terms.read() for ib in ibs_of(decode_lines(message)[0])}
    finally:
        terms.close()


def check_postbacks(settings: Settings, kafka: str) -> tuple[Written, ...]:
    """The endpoints of the settings; raise `EndpointsError` if one names an IB that the log does not know.

    Before any terms are published there is nothing to compare with: that is a warning.
    """
    if settings.postbacks is None:
        return ()
    written = load_endpoints(settings.postbacks)
    forms = [one.form for one in written]
    if any(form.ibs or form.subtrees for form in forms):
        known = published_ibs(kafka)
        if known:
            check_ibs(forms, known, settings.postbacks.name)
        else:
            log.warning("no terms are published yet, so the IBs of postback endpoints were not checked")
    return written
