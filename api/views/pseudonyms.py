"""Pseudonyms for what partners are given: stable under one key, and of no use without it.

An id that is short, such as a login, is found again from its plain hash by trying all of them; from an HMAC
only by whoever has the key. So ids that are hashes of such ids themselves, as those of transfers, are keyed
too, and a statement's hash is taken of the rows as they are shown, never of the rows behind them.
"""

import hmac
from collections.abc import Sequence
from typing import Literal, Self

from msgspec.structs import replace

from commission import accounts
from commission.outputs import Statement, Transfer
from commission.partner.statement_hash import statement_hash, total_of
from schemas.errors import Unusable
from schemas.settings import Settings

MIN_KEY_CHARS = 32
DIGITS = 24
"""Hex digits, 96 bits: two of a hundred million clients share one with a chance of 1 in 10**13."""

Kind = Literal["client", "account", "cause", "transfer"]


class Pseudonyms:
    """Another name for each id, by the broker's key."""

    def __init__(self, key: str) -> None:
        if len(key) < MIN_KEY_CHARS:
            raise Unusable(
                f"IBFLOW_PSEUDONYM_KEY has fewer than {MIN_KEY_CHARS} characters; "
                "`openssl rand -base64 32` makes one"
            )
        self._key = key.encode()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Those of the key in the settings; None: ids are shown as they are."""
        key = settings.pseudonym_key.get_secret_value()
        return cls(key) if key else None

    def of(self, kind: Kind, value: str) -> str:
        """The pseudonym of an id, `client-1f0c…`; of nothing, nothing."""
        if not value:
            return ""
        text = f"ibflow pseudonym 1\x1f{kind}\x1f{value}"
        return f"{kind}-{hmac.new(self._key, text.encode(), 'sha256').hexdigest()[:DIGITS]}"

    def row(self, row: Transfer) -> Transfer:
        """A transfer without ids of clients and logins, and without ids that were made of them."""
        return replace(
            row,
            transfer_id=self.of("transfer", row.transfer_id),
            reverses=self.of("transfer", row.reverses or "") or None,
            debit=self._account(row.debit),
            credit=self._account(row.credit),
            client_id=self.of("client", row.client_id),
            account_key=self.of("account", row.account_key),
            caused_by=self._cause(row),
        )

    def _account(self, account: str) -> str:
        if not accounts.is_of_client(account):
            return account
        head, client_id, tail = account.split(":")
        return f"{head}:{self.of('client', client_id)}:{tail}"

    def _cause(self, row: Transfer) -> str:
        """A deal's number on its server and a period stay; the id of an event may hold anything."""
        server, _, number = row.caused_by.rpartition("|")
        is_deal = number.isdigit() and bool(row.account_key) and server == row.account_key.partition("/")[0]
        is_closing = not row.client_id and not row.account_key
        return row.caused_by if is_deal or is_closing else self.of("cause", row.caused_by)

    def statement(self, statement: Statement, rows: Sequence[Transfer], previous: str) -> Statement:
        """The statement over rows of pseudonyms, `previous` being the hash of the one before over its own."""
        shown = replace(statement, previous=previous, hash="")
        return replace(shown, hash=statement_hash(shown, total_of(rows)))
