"""What sweeps found, open holes, and what platforms pay by themselves."""

from datetime import date, datetime

from pydantic import Field

from api.shapes.base import Amount, Shape
from schemas.reconciliations import Reconciliation


class CompletenessMeter(Shape):
    """Whether we hold all deals of a server."""

    server: str
    last_event: datetime | None = Field(description="Of its newest deal, at the platform.")
    last_arrival: datetime | None = Field(description="When a deal of it was last stored.")
    last_sweep: datetime | None = Field(description="When it was last compared; null: never.")
    swept_until: datetime | None
    missing_found: int = Field(description="Deals that sweeps found missing.")
    different_found: int
    open_holes: int = Field(description="Stretches that a sweep left unresolved and none has closed since.")


class OpenGap(Shape):
    """A stretch of a server's deals that is not known to be complete."""

    starts_at: datetime
    ends_at: datetime
    unresolved: int = Field(description="Deals and unreadable rows of the sweep.")
    reconciliation_id: str
    logins: int = Field(description="Accounts the sweep looked at; 0: all.")


class DayMeter(Shape):
    """One UTC day of a server: deals, and the volume of its trades in 1e-8 lots."""

    day: date
    ours: int
    ours_e8: int
    theirs: int | None = Field(description="By the newest sweep of the whole day; null: none.")
    theirs_e8: int | None


class ServerCompleteness(CompletenessMeter):
    """A server with its holes, its newest sweep and its last days."""

    holes: list[OpenGap]
    newest: Reconciliation | None
    days: list[DayMeter]


class CompletenessList(Shape):
    """Every server that has deals or sweeps."""

    items: list[ServerCompleteness]


class ReconciliationPage(Shape):
    """Sweeps, newest first."""

    items: list[Reconciliation]
    next_cursor: str | None


class NativePayment(Shape):
    """What the platform paid to an IB's login for one client's login."""

    server: str
    ib_login: int
    client_login: str = Field(description="As the comment says; empty: it does not say.")
    currency: str
    payments: int
    amount: Amount
    of_deals: int = Field(description="Payments that name the client's deal.")
    first_at: datetime
    last_at: datetime


class NativePaymentPage(Shape):
    """Native payments by logins."""

    items: list[NativePayment]
    next_cursor: str | None


class NativeDay(Shape):
    """What a platform pays for deals of one day, and what the ledger pays their direct IB for the same."""

    day: date
    server: str
    ib_id: str = Field(description="The direct IB of the deals' accounts; empty: nobody here.")
    deals: int = Field(description="Of MT4: closed tickets.")
    native_amount: Amount
    native_currency: str
    amount: Amount
    currency: str = Field(description="Of the ledger's amount.")
    difference: Amount | None = Field(description="Ours - theirs; null: not of one currency.")
    differs: bool = Field(description="By more than the platform's rounding of each deal can make.")


class NativeDayPage(Shape):
    """Days of IBs, by day."""

    items: list[NativeDay]
    next_cursor: str | None


class PaidTwice(Shape):
    """A native payment, and what the ledger pays an IB for the same."""

    server: str
    native_deal: str
    paid_at: datetime
    ib_login: int
    client_login: str
    client_deal: str
    basis: str = Field(description="deal: the same deal; login: the same account, in the 32 days before.")
    native_amount: Amount
    native_currency: str
    ib_id: str
    amount: Amount
    currency: str


class PaidTwicePage(Shape):
    """Native payments for what is paid by us as well."""

    items: list[PaidTwice]
    next_cursor: str | None
