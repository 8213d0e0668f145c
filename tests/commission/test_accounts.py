"""The chart of accounts: what is spelled is read back, and kinds of accounts are told apart."""

import pytest

from commission import accounts


@pytest.mark.parametrize(
    ("account", "spelled", "ib_id", "is_held", "is_pending"),
    [
        (accounts.expense("cpa"), "broker:expense:cpa", "", False, False),
        (accounts.held("ib-1"), "ib:ib-1:held", "ib-1", True, False),
        (accounts.pending("ib-1"), "ib:ib-1:pending", "ib-1", False, True),
        (accounts.payable("ib-1"), "ib:ib-1:payable", "ib-1", False, False),
        (accounts.client_held("c-7"), "client:c-7:held", "", True, False),
        (accounts.client_rebate("c-7"), "client:c-7:rebate", "", False, False),
        (accounts.ROUNDING, "rounding", "", False, False),
    ],
)
def test_accounts_are_spelled_and_read_in_one_place(
    account: str, spelled: str, ib_id: str, *, is_held: bool, is_pending: bool
) -> None:
    """The ledger's own spelling, and whose account it is."""
    assert account == spelled
    assert (accounts.ib_of(account), accounts.is_of_ib(account)) == (ib_id, bool(ib_id))
    assert accounts.is_of_client(account) == spelled.startswith("client:")
    assert (accounts.is_held(account), accounts.is_pending(account)) == (is_held, is_pending)
