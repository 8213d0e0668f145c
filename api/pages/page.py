"""What every page is given: the request, what of the ledger is seen, the period and currency chosen."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from api.ledger import Ledger
from api.operators import Operator
from api.portal.navigation import Links
from api.portal.render import render
from api.queries.periods import Interval, begun, interval, periods
from api.routes.context import LedgerHere, Period, ScopeHere
from api.saved_views import VIEW_PAGES, SavedViews, address_of, seen
from api.scope import Scope
from schemas.views import MAX_QUERY


@dataclass(frozen=True, slots=True)
class Page:
    """One request for a page; whatever page it is, it takes a period and a currency and passes them on."""

    request: Request
    ledger: Ledger
    scope: Scope
    period: str
    currency: str

    @property
    def span(self) -> Interval:
        """The period's interval, or all time; raise `Problem` for a period that nobody defined."""
        return interval(self.ledger, self.period)

    @property
    def link(self) -> Links:
        """Addresses that keep what is chosen."""
        return Links(self.request)

    def show(self, template: str, **values: Any) -> HTMLResponse:
        """Render it."""
        return render(self.request, template, period=self.period, views=self._views(), **values)

    def _views(self) -> dict[str, Any] | None:
        """Saved views of this page, and what saving this one sends; None where there are none to be."""
        path = self.request.url.path
        desk: SavedViews | None = self.request.app.state.views
        if desk is None or path not in VIEW_PAGES:
            return None
        by: Operator = self.request.state.operator
        shown = [
            (one.name, address_of(one), one.owner) for one in seen(desk, by, self.scope) if one.page == path
        ]
        return {"shown": shown, "this": {"page": path, "query": self.request.url.query[:MAX_QUERY]}}

    def show_of_period(self, template: str, span: Interval, **values: Any) -> HTMLResponse:
        """With a picker of periods in its header: those that have begun, or all, and the one chosen."""
        known = periods(self.ledger)
        shown = begun(known) or known
        chosen = [row for row in known if row["period"] == span.period and row not in shown]
        return self.show(template, periods=[*chosen, *shown], span=span, **values)


Currency = Annotated[str, Query(max_length=16, description="Of the amounts shown; empty: the busiest.")]


def _page(
    request: Request, ledger: LedgerHere, scope: ScopeHere, period: Period = "", currency: Currency = ""
) -> Page:
    return Page(request, ledger, scope, period, currency)


PageHere = Annotated[Page, Depends(_page)]
