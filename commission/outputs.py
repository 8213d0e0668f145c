"""What a fold says: transfers of money, milestones of clients, deals not paid, closed statements."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from msgspec import field
from msgspec.structs import replace

from commission.ids import digest
from commission.sums import Sums
from commission.value import TaggedValue, Text, TextOrNumber, Time, Value

TransferCode = Literal[
    "accrual",
    "true_up",
    "reversal",
    "release",
    "forfeit",
    "hold",
    "statement",
    "rounding",
    "reopening",
    "payout",
    "paid",
    "returned",
    "exchange",
    "tax",
    "adjustment",
    "write_off",
    "advance",
]
"""`true_up`: what a tier, cap or period's result, or another client of one person, adds to the accruals of
one IB, or takes back;
`forfeit`: held money that came too late for its gate;
`hold`: what a person keeps of a client's accruals out of the next statements, or lets go of;
`reopening`: takes back a `statement` or `rounding` row of a statement that was withdrawn;
`payout`, `paid`, `returned`: a line of a batch takes what is payable, is settled, or gives it back;
`exchange`: what is paid, or came back, in another currency than it is owed in;
`tax`: what is paid besides, or kept back, as tax, and comes back with the payment;
`adjustment`, `write_off`, `advance`: what two people moved, see `commission.payouts.commands`."""
MilestoneKind = Literal[
    "registration",
    "deposit",
    "ftd",
    "kyc.approved",
    "first_trade",
    "cpa.qualified",
    "cpa.clawback",
    "deposit.qualified",
    "trade.closed",
    "commission.accrued",
    "commission.reversed",
    "payout.paid",
    "ib.onboarded",
]
ON_DEMAND: frozenset[MilestoneKind] = frozenset(
    {
        "deposit.qualified",
        "trade.closed",
        "commission.accrued",
        "commission.reversed",
        "payout.paid",
        "ib.onboarded",
    }
)
"""Said only while an endpoint names them: some come with every deal. See `Announcement`."""


class Transfer(TaggedValue, tag="transfer"):
    """One row of the ledger: `amount` of `currency` moves from `debit` to `credit`.

    `amount` is positive, with 8 decimals (2 or the currency's own on statements). The id is a
    digest of what caused the row, so the same cause gives the same row on every replay.
    """

    transfer_id: Text
    code: TransferCode
    debit: Text
    credit: Text
    amount: Decimal
    currency: Text
    ib_id: Text
    occurred_at: Time
    caused_by: Text
    """The deal key, or the id of the CRM event or period, that caused this row."""
    reverses: Text | None = None
    """The transfer this one takes back, with that transfer's own amount."""
    client_id: Text = ""
    account_key: Text = ""
    revision: Text = ""
    component: Text = ""
    """The plan component's kind: `per_lot`, `spread_share`, `cpa` …"""
    rule: Text = ""
    """The component's name and the rate's match inside the plan: `fx/class:forex`."""
    plan_id: Text = ""
    plan_version: int = 0
    depth: int = 0
    path: tuple[Text, ...] = ()
    """The upline as of the deal, direct IB first."""
    symbol: Text = ""
    """Canonical."""
    lots: Decimal = Decimal(0)
    period: Text = ""
    """The statement a settlement row belongs to; empty on accruals, which belong by their time."""
    matures_at: Time | None = None
    """Under a hold: the row belongs to the statement of this time."""
    factors: dict[Text, TextOrNumber] = field(default_factory=dict)
    """The numbers and words the amount was made of, by the names `commission.explain` knows, in order."""


class Claim(Value):
    """A client's CPA as a claim of its person: of all clients with one identity an IB is paid for one."""

    person: Text
    """A digest of the identity."""
    accrual: Text
    """Id of the transfer that accrued it."""
    click: dict[Text, Text] = field(default_factory=dict)
    """Of the client: the partner book announces what it pays."""
    is_announced: bool = False
    """The milestone is out: the identity became known after the CPA was granted."""
    country: Text = ""
    paid_below: tuple[Text, ...] = ()
    """Both of the milestone."""


class Tally(TaggedValue, tag="tally"):
    """What one deal, client or deposit adds to an IB's measures of a settled component.

    Goes to the partner book beside the accrual: tiers, caps and results of a period are worked out
    from sums of these. Taking something back is a tally of the same with its signs turned.
    """

    ib_id: Text
    plan_id: Text
    plan_version: int
    component: Text
    """The component's name in the plan."""
    client_id: Text
    caused_by: Text
    occurred_at: Time
    currency: Text
    """The IB's, of `amounts`."""
    amounts: tuple[Decimal, ...]
    """What the cause is worth to the IB: by the component's own rates, then by each band's."""
    lots: Decimal = Decimal(0)
    """Standard lots."""
    notional: Decimal = Decimal(0)
    """In the plan's currency."""
    count: int = 0
    deposited: int = 0
    """Of the clients counted, how many have deposited (CPL)."""
    booked_at: Time | None = None
    """When what it adds was learned, where that differs from `occurred_at`: reversals."""
    forfeit_days: int = 0
    """Behind the gate no longer than this, as accruals of its plan; 0 is for ever."""
    is_gated: bool = False
    """It waits for the KYC of the client, as accruals of its plan do."""
    claim: Claim | None = None
    """Of a CPA that is paid once for a person."""

    @property
    def sums(self) -> Sums:
        """What it measures."""
        return Sums(
            amounts=self.amounts,
            lots=self.lots,
            notional=self.notional,
            count=self.count,
            deposited=self.deposited,
        )

    def measuring(self, sums: Sums) -> "Tally":
        """The same with other measures."""
        return replace(
            self,
            amounts=sums.amounts,
            lots=sums.lots,
            notional=sums.notional,
            count=sums.count,
            deposited=sums.deposited,
        )


class Rejection(TaggedValue, tag="rejection"):
    """A deal that pays nothing, or nothing yet, and why; the newest one for a deal counts."""

    deal_key: Text
    revision: Text
    status: Literal["waiting", "rejected"]
    code: Text
    """A fixed word such as `unknown_account` or `entry_not_paid`."""
    text: Text
    """The same for people, with the values that led to it."""
    account_key: Text
    client_id: Text = ""
    occurred_at: Time


class Milestone(TaggedValue, tag="milestone"):
    """Something a partner network may want to hear of; `milestone_id` is its dedupe key."""

    milestone_id: Text
    kind: MilestoneKind
    client_id: Text
    ib_id: Text
    occurred_at: Time
    amount: Decimal | None = None
    currency: Text = ""
    click: dict[Text, Text] = field(default_factory=dict)
    takes_back: Text = ""
    """Of a clawback, the milestone that it takes back: a tracker knows the conversion by that id."""
    country: Text = ""
    """Of the client."""
    upline: tuple[Text, ...] = ()
    """The IBs above `ib_id`, the nearest first."""
    paid_below: tuple[Text, ...] = ()
    """Of a CPA: the IBs below that are paid for the same. A network that hears of one hears of it once."""
    link: Text = ""
    """The tracking link that the client came by, where its click counts."""
    attribution: Text = ""
    """Of a registration with clicks: how it was decided whose client it is."""
    click_id: Text = ""
    """Of such a registration: our id of the click that counts."""
    crm_ib: Text = ""
    """Of such a registration: whom the CRM named."""


class Announcement(Milestone, tag="announcement"):
    """An event on demand: it is made for networks alone, and stored only as what is sent to them."""

    symbol: Text = ""
    """Canonical where the terms know it; "" of several in one."""
    lots: Decimal | None = None
    """Closed by the deal, or by the day's."""
    trades: int = 0
    """Deals that it is about: more than one of a day."""


def milestone_id_of(kind: MilestoneKind, client_id: str, of: str) -> str:
    """The id of a client's milestone; `of` is what it is about, once."""
    return digest("milestone", kind, client_id, of)


class Statement(TaggedValue, tag="statement"):
    """A closed period of one IB in one currency.

    opening + accrued - reversed - payable - rounding = closing, all in `currency`. `payable` is
    rounded to the currency's minor unit and is what a payout may send; a negative sum is carried
    over, so `payable` is never negative. `held` waits for clients' KYC
    or for the release of a hold, and is outside the sum.
    """

    statement_id: Text
    ib_id: Text
    period: Text
    starts_at: Time
    ends_at: Time
    currency: Text
    opening: Decimal
    accrued: Decimal
    reversed: Decimal
    payable: Decimal
    rounding: Decimal
    closing: Decimal
    held: Decimal
    transfers: int = 0
    """How many transfers it states the sum of, those of its closing included."""
    previous: Text = ""
    """Hash of the IB's last statement in this currency; empty on the first."""
    hash: Text = ""
    """Over the figures above, `replaces` and every transfer; `commission.partner.statement_hash` says how."""
    replaces: Text = ""
    """The withdrawn statement of the same period in whose place it is."""


class StatementWithdrawn(TaggedValue, tag="statement_withdrawn"):
    """The period of a statement is open again: what it made payable is taken back, nothing was paid of it."""

    statement_id: Text
    ib_id: Text
    period: Text
    currency: Text
    at: Time
    reason: Text
    proposal_id: Text
    """Of the two people's decision."""


Output = Transfer | Tally | Rejection | Milestone | Announcement | Statement | StatementWithdrawn


def check_ids(outputs: Sequence[object]) -> None:
    """Assert that what is said at once has an id of its own: one id is one effect."""
    ids = [output.transfer_id for output in outputs if type(output) is Transfer]
    ids += [output.milestone_id for output in outputs if isinstance(output, Milestone)]
    if len(set(ids)) == len(ids):
        return
    twice = sorted({one for one in ids if ids.count(one) > 1})
    raise AssertionError(f"two effects have the id {', '.join(twice)}")
