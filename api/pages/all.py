"""Every page of the portal."""

from api.pages import (
    acquisition,
    balance,
    clients,
    completeness,
    deals,
    docs,
    endpoints,
    exports,
    ibs,
    invoices,
    links,
    margin,
    movers,
    operations,
    overview,
    own_endpoints,
    payouts,
    people,
    plans,
    proposals,
    reports,
    room,
    search,
    statements,
    unpaid,
    views,
)

PAGES = (
    *(overview.router, search.router, ibs.router, clients.router, deals.router, reports.router),
    acquisition.router,
    margin.router,
    movers.router,
    exports.router,
    views.router,
    people.router,
    *(statements.router, unpaid.router, balance.router, payouts.router, operations.router),
    *(endpoints.router, own_endpoints.router, invoices.router, room.router, links.router, plans.router),
    *(completeness.router, proposals.router, docs.router),
)
"""In this order; an address is the first's that has it."""
