"""Why an export is not there, or is not to be; `export_desk.py` has what routes ask."""

from schemas.errors import Unusable


class TooManyExports(Unusable):
    """Others are waiting; the message says how many may."""


class UnknownExport(Unusable):
    """There is no such export of whoever asks."""
