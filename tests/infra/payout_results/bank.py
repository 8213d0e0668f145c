"""A bank that is not ours (`mock-bank`): it reads our files and answers with its own."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from mockbank import accounts, db, messages, nacha, validate
from mockbank.clock import Clock

from infra.payees.details import BankAccount
from tests.infra.payout_files.orders import BROKER, EXECUTED

ANSWERED = "2026-10-06T10:00:00"
DAY = f"{EXECUTED}"


@dataclass
class Bank:
    """One that holds the broker's account, with 10,000.00 EUR, and those of some payees."""

    connection: sqlite3.Connection = field(default_factory=db.connect)
    clock: Clock = field(default_factory=lambda: Clock(start="2026-10-05T09:45"))
    file: Any = None

    def __post_init__(self) -> None:
        """Open the broker's account."""
        self.open("BROKER", BROKER)

    def open(self, name: str, account: BankAccount, behaviour: str = "accept") -> None:
        """Open an account here; `closed-account` and `bad-bank-id` reject what comes in."""
        fields = {"iban": account.iban, "currency": "EUR", "balance": 1_000_000, "behaviour": behaviour}
        accounts.create(self.connection, name, fields)

    def receive(self, body: bytes) -> bytes:
        """Take a pain.001 in and answer with a pain.002."""
        self.file, findings = validate.inspect(body, today=EXECUTED)
        decision = accounts.decide(self.file, findings, self.connection, self.clock, self.clock.now())
        accounts.book(self.connection, decision, self.clock.now())
        return messages.write_pain002(decision, "P002", ANSWERED)

    def settle(self) -> list[dict[str, Any]]:
        """Debit what was accepted; the bookings."""
        booked = accounts.book_due(self.connection, EXECUTED, self.clock.now())
        return [{**row, "msg_id": self.file.msg_id} for row in booked]

    def notify(self, bookings: list[dict[str, Any]]) -> bytes:
        """A camt.054 of bookings."""
        account = accounts.require(self.connection, "BROKER")
        return messages.write_camt054(account, bookings, DAY, "C054", ANSWERED)


def returned(booking: dict[str, Any], reason: str) -> dict[str, Any]:
    """A booking that comes back."""
    return {**booking, "credit": True, "return_reason": reason}


def nacha_returns(payments: list[nacha.Payment], reasons: dict[str, str]) -> bytes:
    """The return file of those entries of a NACHA file whose id has a reason."""
    rows = [
        {
            "transaction_code": payment.transaction_code,
            "entry_class": payment.entry_class,
            "instruction_id": payment.instruction_id,
            "amount": payment.amount,
            "end_to_end_id": payment.end_to_end_id,
            "creditor_name": payment.creditor_name,
            "creditor_number": payment.creditor_account,
            "creditor_clearing_id": payment.creditor_clearing_id,
            "return_reason": reasons[payment.end_to_end_id],
        }
        for payment in payments
        if payment.end_to_end_id in reasons
    ]
    originator = {"account_number": "000123456", "name": "Example Broker Inc"}
    clock = Clock(start="2026-10-08T09:00")
    text = nacha.return_file("021000021", originator, rows, EXECUTED, clock.now())
    return text.encode("ascii")
