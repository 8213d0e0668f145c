"""Saved views: what somebody asked of a page, under a name, as records of the log of people."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from commission.value import TaggedValue, Text, Time, Value

MAX_NAME = 80
MAX_QUERY = 2_000
MAX_OF_ONE, MAX_VIEWS = 100, 20_000
"""Views of one person, and of all."""
ViewName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Query = Annotated[str, Meta(max_length=MAX_QUERY)]


class ViewSaved(TaggedValue, tag="view_saved"):
    """A view as it is from then on; the first of its id makes it."""

    view_id: Text
    owner: Text
    name: ViewName
    page: Text
    """The path of a page."""
    query: Query
    """Parameters of the page, and nothing that they led to: who opens it sees what they see."""
    is_shared: bool = False
    """With everybody who sees as much as its owner, or more."""
    at: Time


class ViewRemoved(TaggedValue, tag="view_removed"):
    """A view that is there no more."""

    view_id: Text
    owner: Text
    at: Time


ViewRecord = ViewSaved | ViewRemoved


class View(Value):
    """A view as it stands."""

    view_id: str
    owner: str
    name: str
    page: str
    query: str
    is_shared: bool
    saved_at: datetime


class ViewBook:
    """Every view by its id."""

    def __init__(self) -> None:
        self.views: dict[str, View] = {}

    def of_owner(self, owner: str) -> list[View]:
        """Those of one person."""
        return [one for one in list(self.views.values()) if one.owner == owner]

    def why_not(self, record: ViewRecord) -> str:
        """What a record contradicts; "" if it counts."""
        known = self.views.get(record.view_id)
        if known is None:
            return _NONE if isinstance(record, ViewRemoved) else self._why_not_new(record)
        if known.owner != record.owner:
            return _NONE
        return "" if isinstance(record, ViewRemoved) else self._why_not_named(record)

    def _why_not_new(self, record: ViewSaved) -> str:
        if len(self.of_owner(record.owner)) >= MAX_OF_ONE:
            return f"you have {MAX_OF_ONE} views; remove one"
        if len(self.views) >= MAX_VIEWS:
            return f"there are {MAX_VIEWS:,} views; somebody has to remove one"
        return self._why_not_named(record)

    def _why_not_named(self, record: ViewSaved) -> str:
        same = (record.page, record.name.casefold())
        taken = any(
            (one.page, one.name.casefold()) == same and one.view_id != record.view_id
            for one in self.of_owner(record.owner)
        )
        return f"you have a view {record.name} of this page" if taken else ""

    def fold(self, record: ViewRecord) -> None:
        """Take in a record that counts."""
        if isinstance(record, ViewRemoved):
            del self.views[record.view_id]
            return
        self.views[record.view_id] = View(
            view_id=record.view_id,
            owner=record.owner,
            name=record.name,
            page=record.page,
            query=record.query,
            is_shared=record.is_shared,
            saved_at=record.at,
        )


_NONE = "you have no such view"
