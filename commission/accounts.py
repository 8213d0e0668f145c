"""The chart of accounts: what the core, the views and the SQL of reports call each account.

An account is a path: `broker:expense:<component>`, `broker:exchange`, `broker:tax:<kind>`,
`ib:<id>:held|pending|payable|in_payout|paid`, `client:<id>:held|rebate` and `rounding`. An id has no
colon, so that the parts are found again.
"""

from typing import Final

ROUNDING: Final = "rounding"
"""What rounding a statement to the currency's digits leaves."""

EXCHANGE: Final = "broker:exchange"
"""What was owed in one currency and paid in another: of each what came in less what went out. At the
rates of a day that is what the broker has gained by paying at recorded rates, rounding and all."""

TAX: Final = "broker:tax:"
"""How the accounts begin of tax that was paid besides (`vat`) or kept back (`withholding`)."""
BROKER: Final = "broker:"
IB: Final = "ib:"
CLIENT: Final = "client:"
"""How the accounts of each begin."""
HELD: Final = ":held"
PENDING: Final = ":pending"
PAYABLE: Final = ":payable"
IN_PAYOUT: Final = ":in_payout"
PAID: Final = ":paid"
"""How the accounts of an IB end, by what its money waits for."""


def expense(component: str) -> str:
    """What the broker pays for a kind of component."""
    return f"{BROKER}expense:{component}"


def tax(kind: str) -> str:
    """What IBs were paid besides, or less what was kept back of it, as a kind of tax."""
    return f"{TAX}{kind}"


def held(ib_id: str) -> str:
    """An IB's earnings while the client's KYC is open."""
    return f"{IB}{ib_id}{HELD}"


def pending(ib_id: str) -> str:
    """An IB's earnings until a statement closes over them."""
    return f"{IB}{ib_id}{PENDING}"


def payable(ib_id: str) -> str:
    """What closed statements owe an IB."""
    return f"{IB}{ib_id}{PAYABLE}"


def in_payout(ib_id: str) -> str:
    """What is taken out of payable by lines of batches whose result is not known."""
    return f"{IB}{ib_id}{IN_PAYOUT}"


def paid(ib_id: str) -> str:
    """What an IB was paid."""
    return f"{IB}{ib_id}{PAID}"


def client_held(client_id: str) -> str:
    """A client's rebates while its KYC is open."""
    return f"{CLIENT}{client_id}{HELD}"


def client_rebate(client_id: str) -> str:
    """A client's rebates."""
    return f"{CLIENT}{client_id}:rebate"


def ib_of(account: str) -> str:
    """The IB whose account it is; empty if it is none of an IB's."""
    return account.split(":")[1] if is_of_ib(account) else ""


def is_of_broker(account: str) -> bool:
    """Whether it is an account of the broker: one of its expenses."""
    return account.startswith(BROKER)


def is_of_ib(account: str) -> bool:
    """Whether it is an account of an IB."""
    return account.startswith(IB)


def is_of_client(account: str) -> bool:
    """Whether it is an account of a client."""
    return account.startswith(CLIENT)


def is_held(account: str) -> bool:
    """Whether it waits for a client's KYC."""
    return account.endswith(HELD)


def is_pending(account: str) -> bool:
    """Whether it waits for a statement."""
    return account.endswith(PENDING)
