"""What a source yields: the events that come from outside, and dead letters."""

from commission.events import AccountEvent, ClientEvent
from commission.terms.partners import PartnerChanged
from schemas.dead_letters import DeadLetter

Event = AccountEvent | ClientEvent | PartnerChanged
"""What a platform or a CRM tells."""
Item = Event | DeadLetter
"""An event, or input that could not become one."""
