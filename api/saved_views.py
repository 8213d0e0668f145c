"""Views that people save: which there are, who sees one, and what is asked of whoever keeps them.

A view has parameters alone: who opens one asks the page as if they had typed its address, within what they
see.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, get_args
from urllib.parse import parse_qsl, urlencode

from api.operators import Operator
from api.parameters import is_text
from api.problems import Problem
from api.scope import Scope
from schemas.people import Access
from schemas.views import MAX_QUERY, View

ViewPage = Literal[
    "/reports", "/reports/margin", "/reports/movers", "/reports/acquisition", "/clients", "/statements",
    "/ibs", "/unpaid", "/links", "/payouts", "/proposals", "/transfers",
]  # fmt: skip
VIEW_PAGES: tuple[str, ...] = get_args(ViewPage)
"""Pages of which there are views."""
LEFT_OUT = ("cursor", "part")
"""Of a page's parameters: where somebody was."""
MAX_FIELDS = 60
WHOLE = Access(role="admin")
"""Of an owner who is nobody's name: a token of the settings, this machine."""


class SavedViews(Protocol):
    """Whoever keeps views."""

    def of_owner(self, owner: str) -> Sequence[View]:
        """Those of one person."""

    def shared(self) -> Sequence[tuple[View, Access | None]]:
        """Those that are shared, each with what its owner sees; None of an owner who is let in no more."""

    def save(self, owner: str, name: str, page: str, query: str, *, is_shared: bool) -> View:
        """Keep a new one; raise `PeopleRefused`."""

    def change(
        self, owner: str, view_id: str, *, name: str | None, query: str | None, is_shared: bool | None
    ) -> View:
        """What is not None, of one of the owner's; raise `PeopleRefused`."""

    def remove(self, owner: str, view_id: str) -> None:
        """Forget one of the owner's; raise `PeopleRefused`."""


def seen(views: SavedViews, by: Operator, scope: Scope) -> list[View]:
    """Somebody's own views, and those shared by people who see no more than they do; by page and name."""
    found = list(views.of_owner(by.caller))
    if by.role != "network":
        found += [
            view
            for view, access in views.shared()
            if view.owner != by.caller and access is not None and _covers(by, scope, access)
        ]
    found = [view for view in found if view.page in VIEW_PAGES]
    return sorted(found, key=lambda one: (one.page, one.name.casefold(), one.owner, one.view_id))


def _covers(by: Operator, scope: Scope, access: Access) -> bool:
    """An IB, which may see pseudonyms only, is shown views of IBs alone: others may name its clients."""
    if by.role == "ib" and access.role != "ib":
        return False
    if access.ibs is None:
        return by.ibs is None and access.role != "network"
    return all(map(scope.has, access.ibs))


def parameters_of(query: str) -> str:
    """The parameters of a page's address as a view keeps them; raise `Problem` if they are none."""
    try:
        pairs = parse_qsl(query, keep_blank_values=False, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Problem(422, f"A view has at most {MAX_FIELDS} parameters, of text.") from None
    if not all(is_text(name) and is_text(value) for name, value in pairs):
        raise Problem(422, "A parameter holds a control character; send text.", code="not_text")
    kept = urlencode([(name, value) for name, value in pairs if name not in LEFT_OUT])
    if len(kept) > MAX_QUERY:
        raise Problem(422, f"The parameters of a view have at most {MAX_QUERY:,} characters.")
    return kept


def address_of(view: View) -> str:
    """Where a view is opened: a page of ours, whatever its parameters are."""
    return f"{view.page}?{view.query}" if view.query else view.page
