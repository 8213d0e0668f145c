"""MT4's chains of partial closes: which ticket holds the remainder, and what of a closed one lives on in it.

The platform links the two by comment alone: `to #12` on the closed ticket, `from #11` on its remainder.
"""

import re
from collections.abc import Iterable

from commission.terms.rate_matching import is_in_group
from ingest.sources import RowRejected, ServerProfile

_LINK = re.compile(r"(to|from) #([0-9]{1,20})")


def remainder_of(comment: str) -> int | None:
    """The ticket that holds what a partial close left of this one: `to #12` is 12."""
    return _linked("to", comment)


def parent_of(comment: str) -> int | None:
    """The ticket this one is the remainder of: `from #12[sl]` is 12."""
    return _linked("from", comment)


def reopened_volumes(tickets: Iterable[tuple[int, int, str]]) -> dict[int, int]:
    """The volume of each ticket's remainder, of tickets with volume and comment.

    The link may stand on either of the two: a comment may be overwritten.
    """
    volumes: dict[int, int] = {}
    parents: dict[int, int] = {}
    for number, volume_e8, comment in tickets:
        volumes[number] = volume_e8
        if (remainder := remainder_of(comment)) is not None:
            parents[remainder] = number
        if (parent := parent_of(comment)) is not None:
            parents[number] = parent
    return {
        parent: volumes[child]
        for child, parent in parents.items()
        # The empty leg of a close-by was reduced to nothing; nothing of it was reopened.
        if child in volumes and volumes.get(parent)
    }


def reopened_e8(
    *,
    ticket: int,
    volume_e8: int,
    comment: str,
    remainder_e8: int | None,
    group: str,
    profile: ServerProfile,
) -> int:
    """What a group with `close_reopen` closed only to open it again at once; raise `RowRejected`.

    `remainder_e8` is the remainder's volume, None where the source does not know it. Elsewhere a partial
    close leaves the closed part on the ticket and moves the rest to a new one. Such a group closes the
    ticket whole and opens the rest as new: taken as they are, the tickets of a chain would close more than
    was ever opened, and an IB would be paid for the rest with every link.
    """
    if remainder_e8 == 0 or (remainder_e8 is None and remainder_of(comment) is None):
        return 0
    if not group and "*" not in profile.close_reopen:
        raise RowRejected(
            "unknown_group",
            f"ticket {ticket} was closed in part, and {profile.server} has groups that close and"
            " reopen: say which group the account is of",
        )
    if not is_in_group(",".join(profile.close_reopen), group):
        return 0
    if remainder_e8 is None or not 0 <= remainder_e8 <= volume_e8:
        raise RowRejected(
            "unknown_remainder",
            f"ticket {ticket} was closed whole and reopened in part, as its group does; the volume"
            " that was reopened is not known here: read both tickets from one file",
        )
    return remainder_e8


def _linked(word: str, comment: str) -> int | None:
    found = _LINK.match(comment)
    return int(found[2]) if found is not None and found[1] == word else None
