"""Why an export is not there, or is not to be; `export_desk.py` has what routes ask."""

from typing import Literal

from schemas.errors import Unusable

ListName = Literal[
    "clients", "statements", "rejections", "client-events", "payouts", "payout-lines", "postback-attempts",
    "dead-letters", "audit-log",
]  # fmt: skip
"""Lists that can be had as long files; `views/exported_lists.py` has what each is."""


class TooManyExports(Unusable):
    """Others are waiting; the message says how many may."""


class UnknownExport(Unusable):
    """There is no such export of whoever asks."""
