"""One CPA for one person: which of its clients an IB is paid for, and why not for the other."""

from collections.abc import Iterator

from commission.explain.rules import pays, plan_of
from commission.explain.subject import Subject, text


def person(subject: Subject) -> Iterator[str]:
    """What became of a client's CPA because of another client of the same person."""
    row, factors = subject.row, subject.factors
    amount, client_id, since = subject.money(row.amount), row.client_id, text(factors, "qualified_at")
    yield pays(subject, row.rule, factors)
    match factors["claim"]:
        case "taken":
            yield (
                f"Client {client_id} qualified at {since}, client {text(factors, 'paid_client')} at "
                f"{text(factors, 'paid_since')}. Both are one person, and {plan_of(subject)}, pays this IB "
                "one CPA for a person, that of the first to qualify: the "
                f"{amount} accrued for client {client_id} go back."
            )
        case "due":
            yield (
                f"The CPA of client {text(factors, 'instead_of')} was taken back. Client {client_id} is the "
                f"same person and qualified at {since}: its {amount} are due instead."
            )
        case _:  # undone, the last there is
            yield (
                f"The CPA of client {client_id} was taken back by itself. It had gone back before, as the "
                f"person is paid for by client {text(factors, 'paid_client')}: this row undoes that, so "
                "nothing is taken twice."
            )
    yield f"It was worked out anew after {text(factors, 'trigger')}."


def once(subject: Subject) -> Iterator[str]:
    """Of a client with an identity, that other clients of it may be paid in its place."""
    if "once_for" in subject.factors:
        yield (
            f"It is paid once for a person: were another client of the identity of {subject.row.client_id} "
            "the first to qualify with this IB, a row of its own would take this one back."
        )
