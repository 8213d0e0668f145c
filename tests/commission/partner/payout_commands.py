"""Commands of payouts to ib-north: created by ann, approved by ben, results told by cat."""

from typing import Any

from commission.payouts.commands import (
    ChangeBalance,
    HoldClient,
    HoldPayouts,
    LockLine,
    ReleaseClient,
    ReleasePayouts,
    ReturnLine,
    SettleLine,
    UnlockLine,
)
from tests.build import D, at


def lock(text: str, *statement_ids: str, **fields: Any) -> LockLine:
    """`lock("l1 12.34 USD", statement)`: line, amount, currency, and what it takes."""
    line_id, amount, currency = text.split()
    values: dict[str, Any] = {
        "ib_id": "ib-north",
        "line_id": line_id,
        "batch_id": "b1",
        "currency": currency,
        "amount": D(amount),
        "statement_ids": statement_ids,
        "at": at(40),
        "created_by": "ann",
        "approved_by": "ben",
    }
    return LockLine(**(values | fields))


def _of_line(line_id: str, hour: int, **fields: Any) -> dict[str, Any]:
    told = {"ib_id": "ib-north", "line_id": line_id, "batch_id": "b1", "at": at(41, hour), "by": "cat"}
    return told | fields


def unlock(line_id: str, **fields: Any) -> UnlockLine:
    """The batch was cancelled."""
    return UnlockLine(**_of_line(line_id, 1, reason="wrong month", **fields))


def paid(line_id: str, **fields: Any) -> SettleLine:
    """The bank paid it."""
    return SettleLine(**_of_line(line_id, 2, **fields))


def bounced(line_id: str, **fields: Any) -> ReturnLine:
    """The bank did not, or took it back."""
    return ReturnLine(**_of_line(line_id, 3, reason="AC04 closed account", **fields))


def change(text: str, **fields: Any) -> ChangeBalance:
    """`change("adjustment -5 USD")`: kind, amount, currency."""
    kind, amount, currency = text.split()
    values: dict[str, Any] = {
        "ib_id": "ib-north",
        "change_id": f"c-{kind}",
        "kind": kind,
        "currency": currency,
        "amount": D(amount),
        "reason": "agreed on the phone",
        "at": at(40),
        "created_by": "ann",
        "approved_by": "ben",
    }
    return ChangeBalance(**(values | fields))


def hold(change_id: str = "h1", **fields: Any) -> HoldPayouts:
    """Ann holds the IB."""
    told = {"ib_id": "ib-north", "change_id": change_id, "reason": "fraud?", "at": at(39), "by": "ann"}
    return HoldPayouts(**(told | fields))


def release(change_id: str = "r1", **fields: Any) -> ReleasePayouts:
    """Ben ends it."""
    told = {"ib_id": "ib-north", "change_id": change_id, "reason": "it was not", "at": at(39), "by": "ben"}
    return ReleasePayouts(**(told | fields))


def hold_client(text: str = "anna", change_id: str = "h1", **fields: Any) -> HoldClient:
    """`hold_client("anna ib-north")`: Ann holds a client for one IB, or for all, since day 1."""
    client_id, _, ib_id = text.partition(" ")
    told = {"change_id": change_id, "reason": "churning?", "at": at(5), "since": at(1), "by": "ann"}
    return HoldClient(client_id=client_id, ib_id=ib_id, **(told | fields))


def release_client(text: str = "anna", change_id: str = "r1", **fields: Any) -> ReleaseClient:
    """Ben ends it."""
    client_id, _, ib_id = text.partition(" ")
    told = {"change_id": change_id, "reason": "it was not", "at": at(36), "by": "ben"}
    return ReleaseClient(client_id=client_id, ib_id=ib_id, **(told | fields))
