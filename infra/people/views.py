"""Saved views, kept on the log of people."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from api.people import UnknownPerson
from api.saved_views import WHOLE
from infra.people.log import PeopleLog
from schemas.people import Access
from schemas.people_book import PeopleBook
from schemas.views import View, ViewRemoved, ViewSaved


class ViewDesk:
    """Writes what people save; what is shown is read from memory."""

    def __init__(self, log: PeopleLog, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._log, self._now = log, now

    def of_owner(self, owner: str) -> Sequence[View]:
        """Those of one person."""
        return self._log.book.views.of_owner(owner)

    def shared(self) -> Sequence[tuple[View, Access | None]]:
        """Those that are shared, each with what its owner sees; None of an owner who is let in no more."""
        book = self._log.book
        views = [one for one in list(book.views.views.values()) if one.is_shared]
        return [(one, _access(book, one.owner)) for one in views]

    def save(self, owner: str, name: str, page: str, query: str, *, is_shared: bool) -> View:
        """Keep a new one; raise `PeopleRefused`."""
        view_id = f"view-{secrets.token_hex(8)}"
        self._log.decide(
            ViewSaved(
                view_id=view_id,
                owner=owner,
                name=name,
                page=page,
                query=query,
                is_shared=is_shared,
                at=self._now(),
            )
        )
        return self._own(owner, view_id)

    def change(
        self, owner: str, view_id: str, *, name: str | None, query: str | None, is_shared: bool | None
    ) -> View:
        """What is not None, of one of the owner's; raise `PeopleRefused`."""
        known = self._own(owner, view_id)
        self._log.decide(
            ViewSaved(
                view_id=view_id,
                owner=owner,
                name=known.name if name is None else name,
                page=known.page,
                query=known.query if query is None else query,
                is_shared=known.is_shared if is_shared is None else is_shared,
                at=self._now(),
            )
        )
        return self._own(owner, view_id)

    def remove(self, owner: str, view_id: str) -> None:
        """Forget one of the owner's; raise `PeopleRefused`."""
        self._own(owner, view_id)
        self._log.decide(ViewRemoved(view_id=view_id, owner=owner, at=self._now()))

    def _own(self, owner: str, view_id: str) -> View:
        found = self._log.book.views.views.get(view_id)
        if found is None or found.owner != owner:
            raise UnknownPerson(f"you have no view {view_id[:64]}; /v1/views lists yours")
        return found


def _access(book: PeopleBook, owner: str) -> Access | None:
    """What somebody sees; tokens of the settings are of nobody here, and see everything."""
    person = book.person(owner)
    if person is None:
        return WHOLE
    return None if person.is_disabled else person.access
