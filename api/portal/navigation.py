"""The portal's pages as its menu has them, and links that keep what the reader chose."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from api.parameters import COLUMNS

KEPT = ("period", "currency")
"""What a reader chooses once: every link to a page carries it on."""
MAX_KEPT = 64


class Place(NamedTuple):
    """One entry of the menu, and the addresses that belong to it."""

    path: str
    label: str
    under: tuple[str, ...] = ()


PLACES = (
    Place("/", "Overview"),
    Place("/ibs", "IBs", ("/ibs", "/deals", "/transfers")),
    Place("/clients", "Clients", ("/clients",)),
    Place("/links", "Links", ("/links",)),
    Place("/reports", "Reports", ("/reports", "/exports", "/views")),
    Place("/statements", "Statements", ("/statements",)),
    Place("/payouts", "Payouts", ("/payouts", "/payees", "/balance-changes", "/invoices")),
    Place("/unpaid", "Unpaid", ("/unpaid",)),
    Place("/plans", "Plans", ("/plans",)),
    Place("/endpoints", "Postbacks", ("/endpoints",)),
    Place("/proposals", "Proposals", ("/proposals",)),
    Place("/operations", "Operations", ("/operations", "/completeness", "/dead-letters", "/balance")),
)


_OF_ADMINS = (Place("/users", "People"), Place("/keys", "Keys"), Place("/audit-log", "Audit log"))


_OF_IBS = (
    Place("/", "Home"),
    Place("/ibs", "IBs", ("/ibs", "/deals", "/transfers")),
    Place("/clients", "Clients", ("/clients",)),
    Place("/links", "Links", ("/links",)),
    Place("/reports", "Reports", ("/reports", "/exports", "/views")),
    Place("/statements", "Statements", ("/statements",)),
    Place("/payments", "Payments", ("/payments",)),
    Place("/plan", "Plan", ("/plan",)),
    Place("/unpaid", "Unpaid", ("/unpaid",)),
    Place("/own-endpoints", "Postbacks", ("/own-endpoints",)),
)
"""An IB's own room."""
_OF_NETWORKS = (Place("/", "Overview"),)
_OF_THE_WHOLE = ("/payouts", "/plans", "/endpoints", "/proposals", "/operations")


def places_of(role: str | None, *, sees_all: bool) -> tuple[Place, ...]:
    """The menu of whoever asks: an IB has its own room, and nobody what they would be refused."""
    if role == "ib":
        return _OF_IBS
    if role == "network":
        return _OF_NETWORKS
    return tuple(place for place in PLACES if sees_all or place.path not in _OF_THE_WHOLE)


def places_of_admins(role: str | None) -> tuple[Place, ...]:
    """What only an admin, and of it what an auditor looks at."""
    return _OF_ADMINS if role == "admin" else _OF_ADMINS[-1:] if role == "auditor" else ()


def current(path: str, places: Iterable[Place]) -> str:
    """The path of the entry that an address belongs to; "" if it belongs to none."""
    for place in (*places, *_OF_ADMINS):
        if path == place.path or any(path == one or path.startswith(f"{one}/") for one in place.under):
            return place.path
    return ""


class Links:
    """Makes addresses of pages for one request: with its period and currency, without what is empty."""

    def __init__(self, request: Request) -> None:
        asked = request.query_params
        self.path = request.url.path
        self.kept = {name: asked[name][:MAX_KEPT] for name in KEPT if asked.get(name)}
        # A part of a page is fetched by the script: no link or form of it leads to the part.
        self.asked = [(name, value) for name, value in asked.multi_items() if value and name != "part"]

    @property
    def is_later(self) -> bool:
        """Whether this is not the first page of a list."""
        return any(name == "cursor" for name, _ in self.asked)

    def columns(self, of: str, known: Sequence[str]) -> list[str]:
        """The columns of a list that are shown: the first, those without a name, and those chosen, or all.

        The form of the choice sends `list:` beside the names, so that none of them can be chosen too.
        """
        chosen = {
            value.removeprefix(f"{of}:")
            for name, value in self.asked
            if name == COLUMNS and value.startswith(f"{of}:")
        }
        every = list(known)
        return [
            one for n, one in enumerate(every) if not chosen or n == 0 or one.rstrip(">") in chosen | {""}
        ]

    def sorted(self, by: str, value: str, now: str, order: str) -> str:
        """The address of this page ordered by a column; of the one it is ordered by, the other way round.

        `by` is what the page takes: `sort` and `order`, or one parameter that has no order.
        """
        down, up = ("desc", "asc") if order in ("desc", "asc") else ("newest", "oldest")
        turned = up if value == now and order == down else down
        return self.again(**({"sort": value, "order": turned} if by == "sort" else {by: value}))

    def __call__(self, path: str, **parameters: object) -> str:
        """The address of a page; a parameter of "" or None leaves out even what would be kept."""
        wanted = {**self.kept, **parameters}
        query = urlencode([(name, str(value)) for name, value in wanted.items() if value not in ("", None)])
        return f"{path}?{query}" if query else path

    def again(self, **parameters: object) -> str:
        """The address of this page with some parameters changed; a page of a list begins anew."""
        changed = {"cursor": None, **parameters}
        left = [(name, value) for name, value in self.asked if name not in changed]
        added = [(name, str(value)) for name, value in changed.items() if value not in ("", None)]
        query = urlencode([*left, *added])
        return f"{self.path}?{query}" if query else self.path

    def others(self, *names: str) -> list[tuple[str, str]]:
        """What is asked besides these, for a form's hidden fields."""
        return [(name, value) for name, value in self.asked if name not in (*names, "cursor")]
