"""The terms: partners, plans, symbols, rates and periods, as they were published, in order.

A plan is a list of components. A component measures something of a deal (lots, notional, spread …)
and multiplies it by the rate that matches best; an override mode says what the IBs above keep.
"""

from commission.links.records import LinkSaved
from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.terms.events_wanted import EventsWanted
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerChanged, PartnerDefined
from commission.terms.plans import PlanDefined

TermsFact = (
    PlanDefined
    | PartnerDefined
    | PartnerChanged
    | SymbolDefined
    | RatePublished
    | PeriodDefined
    | EventsWanted
    | LinkSaved
)
"""What the books look up; that a period ended, or is open again, they only act on."""
TermsRecord = TermsFact | PeriodEnded | PeriodReopened
