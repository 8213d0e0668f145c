"""Credits of trading accounts, as the broker's bridge is asked for them: a line of JSON each."""

from collections.abc import Iterator

from msgspec.json import encode

from commission.value import Value
from infra.payees.details import TradingAccount
from infra.payout_files.order import PayoutOrder, WrittenFile, amount_text, check, kind_of, refuse

COMMENT = "ibflow {}"
"""What a platform keeps beside it, of 22 characters of 31: with the reference it is found again."""


class BalanceOperation(Value):
    """Money that one trading account is credited with; of one reference there is one."""

    reference: str
    server: str
    login: str
    amount: str
    currency: str
    comment: str


def operations(order: PayoutOrder) -> tuple[BalanceOperation, ...]:
    """Those of a batch; raise `Unusable` for a payee that is not paid to a trading account."""
    check(order)
    refuse(_faults(order))
    return tuple(_operations(order))


def write_bridge(order: PayoutOrder) -> WrittenFile:
    """All that the bridge will be asked for; raise `Unusable`."""
    body = b"".join(encode(one) + b"\n" for one in operations(order))
    return WrittenFile(f"{order.message_id}.jsonl", body)


def _faults(order: PayoutOrder) -> Iterator[str]:
    for line in order.lines:
        if not isinstance(line.account, TradingAccount):
            yield f"{line.end_to_end_id}: is paid by {kind_of(line)}, not to a trading account"


def _operations(order: PayoutOrder) -> Iterator[BalanceOperation]:
    for line in order.lines:
        assert isinstance(line.account, TradingAccount), "checked before anything is written"
        yield BalanceOperation(
            reference=line.end_to_end_id,
            server=line.account.server,
            login=line.account.login,
            amount=amount_text(line.amount, order.currency),
            currency=order.currency,
            comment=COMMENT.format(line.end_to_end_id),
        )
