"""IBs: whose they are, under which plan, with which status."""

from decimal import Decimal
from typing import Literal

from commission.terms.rates import ONE
from commission.value import TaggedValue, Text, Time, Value


class ParentLink(Value):
    """From `since` on, the master IB is `ib_id`, or nobody. None as `since`: from the beginning."""

    since: Time | None = None
    ib_id: Text | None = None


class PlanAssignment(Value):
    """From `since` on, the IB earns by `plan_id`, or nothing. None as `since`: from the beginning.

    `rank` is the IB's for rank overrides; `factor` multiplies what its own plan pays.
    """

    since: Time | None = None
    plan_id: Text | None = None
    rank: Text = ""
    factor: Decimal = ONE


class StatusChange(Value):
    """From `since` on, the IB is active, suspended or terminated.

    A suspended IB earns nothing and nobody gets its share; a terminated one is not there: the
    IBs above share as if its clients and sub-IBs were theirs.
    """

    since: Time | None = None
    status: Literal["active", "suspended", "terminated"]


class PartnerDefined(TaggedValue, tag="partner_defined"):
    """An IB: its place in the tree and its schedule of plans, each effective-dated, oldest first."""

    ib_id: Text
    name: Text
    currency: Text
    parents: tuple[ParentLink, ...] = ()
    schedule: tuple[PlanAssignment, ...] = ()
    statuses: tuple[StatusChange, ...] = ()
    kyc_approved: bool = False
    """The IB's own identity check; without it a payable amount is not exported."""
    agreement_accepted: bool = False
    identity: Text = ""
    """Who the IB is, as the CRM identifies persons: a client of the same identity is itself."""
    own_clients: tuple[Text, ...] = ()
    """Clients known to be the IB itself."""


class PartnerChanged(TaggedValue, tag="partner_changed"):
    """What a CRM tells of an IB: the entries to add to its record, and facts of the IB as of `occurred_at`.

    It stands on top of the IB's `PartnerDefined`, whichever is published first and however often: a whole
    record published again takes no change back. Of undated facts the newest told counts; "" and None tell
    nothing. An approved application that names a currency defines an IB nobody has published. A CRM's ids
    of events are unique for one IB.
    """

    event_id: Text
    ib_id: Text
    occurred_at: Time
    application: Literal["", "received", "approved", "declined"] = ""
    """Only an approval changes something: the others are kept to be seen."""
    name: Text = ""
    currency: Text = ""
    """Of an IB nobody has published; a known IB keeps its own."""
    identity: Text = ""
    parents: tuple[ParentLink, ...] = ()
    schedule: tuple[PlanAssignment, ...] = ()
    statuses: tuple[StatusChange, ...] = ()
    kyc_approved: bool | None = None
    agreement_accepted: bool | None = None
    source: Text = ""
