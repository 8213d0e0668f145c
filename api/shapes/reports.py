"""Reports: commissions, partners, statements, balances."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Amount, Shape


class Measures(Shape):
    """What a group was in the interval before."""

    lots: Amount
    accrued: Amount
    reversed: Amount
    net: Amount
    held: Amount
    deals: int


class CommissionRow(Shape):
    """One group of the commission report; only the columns asked for by `group_by` are present."""

    ib_id: str = ""
    symbol: str = Field("", description="Canonical symbol.")
    component: str = ""
    client_id: str = ""
    level: str = Field("", description="How far the IB is above the client's own: 0 is the client's.")
    country: str = Field("", description="The client's; ISO 3166.")
    server: str = ""
    group: str = Field("", description="The account's, as the deal has it.")
    class_: str = Field("", alias="class", description="The symbol's, by the terms.")
    plan_id: str = ""
    day: str = Field("", description="In UTC, as are weeks, which begin on Monday, and months.")
    week: str = ""
    month: str = ""
    period: str = ""
    lots: Amount = Field(description="Lots of the deals that still count, each deal counted once.")
    accrued: Amount
    reversed: Amount
    net: Amount = Field(description="accrued - reversed")
    held: Amount = Field(description="Moved into hold less moved out, inside the interval.")
    currency: str
    deals: int = Field(description="Deals with an accrual that is not reversed.")
    before: Measures | None = Field(None, description="With `compare=before` only.")


class Between(Shape):
    """Event time from `from` on, before `to`."""

    from_: datetime = Field(alias="from")
    to: datetime


class CommissionReport(Shape):
    """A page of groups and the totals of all pages."""

    items: list[CommissionRow]
    totals: list[CommissionRow] = Field(description="One row a currency, over all groups.")
    group_by: list[str]
    next_cursor: str | None
    before: Between | None = Field(None, description="The interval that it is compared with.")


class PartnerTotals(Shape):
    """One currency of an IB: earned in the interval, and the balances it moved."""

    currency: str
    earned: Amount
    reversed: Amount
    held: Amount
    pending: Amount
    payable: Amount
    lots: Amount
    deals: int


class Partner(Shape):
    """An IB with its sub-IBs."""

    ib_id: str
    name: str
    currency: str
    parent: str | None
    kyc_approved: bool
    clients: int
    totals: list[PartnerTotals]
    children: list["Partner"]


class UnknownIb(Shape):
    """Named as the IB of clients or as a master IB, and neither published nor approved: deals wait for it."""

    ib_id: str
    clients: int
    sub_ibs: int


class PartnerTree(Shape):
    """The IBs without a master IB, each with its downline."""

    items: list[Partner]
    unknown: list[UnknownIb] = Field(description="Shown to whoever sees the whole broker.")


class StatementRow(Shape):
    """opening + accrued - reversed - payable - rounding = closing."""

    statement_id: str
    ib_id: str
    period: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    opening: Amount
    accrued: Amount
    reversed: Amount
    payable: Amount
    rounding: Amount
    closing: Amount
    held: Amount
    transfers: int = Field(description="Rows it states the sum of; its file holds them.")
    previous: str = Field(description="Hash of the IB's statement before; empty on the first.")
    hash: str = Field(description="Over the figures above, `replaces` and every transfer.")
    replaces: str = Field("", description="Id of the withdrawn statement in whose place it is.")
    open_holes: int = Field(description="Stretches of this time whose deals are not known to be complete.")


class OwingIb(Shape):
    """What an IB owes from closed statements, in parts by age."""

    ib_id: str
    currency: str
    until_30_days: Amount
    until_60_days: Amount = Field(description="Older than 30 days.")
    until_90_days: Amount = Field(description="Older than 60 days.")
    older: Amount
    total: Amount
    oldest_days: int


class AgeingPage(Shape):
    """IBs and currencies below zero, by IB."""

    items: list[OwingIb]
    next_cursor: str | None


class StatementPage(Shape):
    """Statements in the order of period, IB and currency."""

    items: list[StatementRow]
    next_cursor: str | None


class WithdrawnRow(Shape):
    """A statement of a period that was closed wrongly; what it made payable was taken back."""

    statement_id: str
    ib_id: str
    period: str
    starts_at: datetime
    currency: str
    payable: Amount
    closing: Amount
    hash: str
    withdrawn_at: datetime
    reason: str
    proposal_id: str = Field(description="The decision of two people.")


class WithdrawnPage(Shape):
    """Withdrawn statements in the order of their ids."""

    items: list[WithdrawnRow]
    next_cursor: str | None


class CurrencyBalance(Shape):
    """All debits and all credits of one currency."""

    currency: str
    debit: Amount
    credit: Amount
    difference: Amount = Field(description="Must be 0.")


class AccountBalance(Shape):
    """One account: `balance` is credit - debit."""

    account: str
    currency: str
    debit: Amount
    credit: Amount
    balance: Amount


class TrialBalance(Shape):
    """The ledger's proof: every difference and every check must be zero."""

    balanced: bool
    currencies: list[CurrencyBalance]
    checks: dict[str, int] = Field(description="Unsound rows by kind; each must be 0.")
    checked_at: datetime | None = Field(None, description="When rows were looked at for `checks`; else now.")
    up_to: datetime | None = Field(None, description="The newest row that was there then.")
    months_since: datetime | None = Field(
        None, description="Since when each month was gone through, all of its rows and its sums."
    )
    accounts: list[AccountBalance]
    next_cursor: str | None
