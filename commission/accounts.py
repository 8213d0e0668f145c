"""The chart of accounts: what the core and the views call each account. SQL still spells its own.

An account is a path: `broker:expense:<component>`, `ib:<id>:held|pending|payable`, `client:<id>:held|rebate`
and `rounding`. An id has no colon, so that the parts are found again.
"""

from typing import Final

ROUNDING: Final = "rounding"
"""What rounding a statement to the currency's digits leaves."""

_BROKER, _IB, _CLIENT = "broker:", "ib:", "client:"


def expense(component: str) -> str:
    """What the broker pays for a kind of component."""
    return f"{_BROKER}expense:{component}"


def held(ib_id: str) -> str:
    """An IB's earnings while the client's KYC is open."""
    return f"{_IB}{ib_id}:held"


def pending(ib_id: str) -> str:
    """An IB's earnings until a statement closes over them."""
    return f"{_IB}{ib_id}:pending"


def payable(ib_id: str) -> str:
    """What closed statements owe an IB."""
    return f"{_IB}{ib_id}:payable"


def client_held(client_id: str) -> str:
    """A client's rebates while its KYC is open."""
    return f"{_CLIENT}{client_id}:held"


def client_rebate(client_id: str) -> str:
    """A client's rebates."""
    return f"{_CLIENT}{client_id}:rebate"


def ib_of(account: str) -> str:
    """The IB whose account it is; empty if it is none of an IB's."""
    return account.split(":")[1] if is_of_ib(account) else ""


def is_of_broker(account: str) -> bool:
    """Whether it is an account of the broker: one of its expenses."""
    return account.startswith(_BROKER)


def is_of_ib(account: str) -> bool:
    """Whether it is an account of an IB."""
    return account.startswith(_IB)


def is_of_client(account: str) -> bool:
    """Whether it is an account of a client."""
    return account.startswith(_CLIENT)


def is_held(account: str) -> bool:
    """Whether it waits for a client's KYC."""
    return account.endswith(":held")


def is_pending(account: str) -> bool:
    """Whether it waits for a statement."""
    return account.endswith(":pending")
