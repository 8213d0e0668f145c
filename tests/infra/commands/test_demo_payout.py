"""What the demo pays with: it needs nothing of anybody, and its accounts are sound."""

from infra.commands.demo_payout import BOUNCING, DETAILS
from infra.commands.example import BROKER
from infra.payees.details import BankAccount, UsBankAccount, to_details
from infra.payouts.payers import Payers


def test_its_accounts_are_sound() -> None:
    """Those of the IBs, with a bank code, for dollars are no SEPA payment; and both of the broker."""
    accounts = [to_details({"type": "bank", **fields}) for fields in DETAILS.values()]
    assert all(isinstance(one, BankAccount) and one.bic for one in accounts)
    assert BOUNCING in DETAILS
    payers = Payers.read(BROKER / "payers.yaml")
    iban, routing = payers.find("USD", BankAccount), payers.find("USD", UsBankAccount)
    assert (iban and iban.name, routing and routing.company_id) == ("Example Broker Ltd", "1234567890")
    assert payers.find("EUR", UsBankAccount) is None
