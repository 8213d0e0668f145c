"""Saved views."""

from datetime import datetime

from pydantic import Field

from api.saved_views import ViewPage
from api.shapes.base import Shape
from schemas.views import MAX_NAME

NAME = Field(min_length=1, max_length=MAX_NAME, pattern=r"^\S(.*\S)?$")
MAX_SENT = 4_000
"""Characters of an address before it is trimmed."""


class ViewGiven(Shape):
    """What is asked of a page, to be kept under a name."""

    name: str = NAME
    page: ViewPage
    query: str = Field("", max_length=MAX_SENT, description="The page's parameters, as its address has them.")
    is_shared: bool = Field(default=False, description="With everybody who sees as much as you do, or more.")


class ViewChange(Shape):
    """What is to be another way."""

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME, pattern=r"^\S(.*\S)?$")
    query: str | None = Field(None, max_length=MAX_SENT)
    is_shared: bool | None = None


class ViewShown(Shape):
    """A view of whoever asks, or one that is shared with them."""

    view_id: str
    name: str
    page: ViewPage
    query: str
    address: str = Field(description="Where it is opened.")
    is_shared: bool
    is_own: bool
    owner: str
    saved_at: datetime


class ViewList(Shape):
    """Views by page and name."""

    items: list[ViewShown]
    next_cursor: str | None
