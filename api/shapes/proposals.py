"""Proposals and the changes they bring."""

from api.shapes.base import Shape
from schemas.proposals import Change, Proposal


class ProposalPage(Shape):
    """Proposals, newest first."""

    items: list[Proposal]
    next_cursor: str | None


class ChangePage(Shape):
    """Rows a proposal would post, in their order."""

    items: list[Change]
    next_cursor: str | None
