"""What an IB has, by currency and open period, and what its newest statements took up."""

from datetime import datetime
from decimal import Decimal

from msgspec import field

from commission.outputs import Transfer
from commission.rating.values import ZERO
from commission.value import Value


class Turnover(Value):
    """What one period brought to pending: accruals and releases, and what was taken back."""

    accrued: Decimal = ZERO
    reversed: Decimal = ZERO
    rows: int = 0
    total: int = 0
    """The sum that proves the rows, of `commission.partner.statement_hash`."""

    def __add__(self, other: "Turnover") -> "Turnover":
        """Of both."""
        return Turnover(
            accrued=self.accrued + other.accrued,
            reversed=self.reversed + other.reversed,
            rows=self.rows + other.rows,
            total=self.total + other.total,
        )


class Balance(Value):
    """One currency of an IB: what was carried from closed statements, and what the open ones hold."""

    carried: Decimal = ZERO
    held: Decimal = ZERO
    open: dict[str, Turnover] = field(default_factory=dict)
    """Period → turnover; "" for the next statement: of no period's time, or of one that is closed."""
    last: str = ""
    """Hash of the newest statement."""


class PartnerState(Value):
    """One IB: a balance for each currency, and what of the calendar is closed."""

    closed: datetime | None = None
    """When the newest closed period began."""
    balances: dict[str, Balance] = field(default_factory=dict)


class ClosedBalance(Value):
    """What a statement took up, as it was before."""

    statement_id: str
    carried: Decimal = ZERO
    last: str = ""
    open: dict[str, Turnover] = field(default_factory=dict)
    rows: tuple[Transfer, ...] = ()
    """What the closing posted."""


class Closing(Value):
    """An IB's newest closed period; kept apart from its balances, which are written with every transfer."""

    period: str
    before: datetime | None = None
    """When the newest closed period before it began."""
    balances: dict[str, ClosedBalance] = field(default_factory=dict)
    """By currency; none once it was taken back."""
    withdrawn: dict[str, int] = field(default_factory=dict)
    """Currency → how many statements of the period were withdrawn."""


def partner_key(ib_id: str) -> str:
    """Where an IB's balances are."""
    return f"i:{ib_id}"


def closing_key(ib_id: str) -> str:
    """Where its newest closing is."""
    return f"r:{ib_id}"
