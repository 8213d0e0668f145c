"""One client: who referred it, its accounts, what the CRM reported and what it reached; and single deals."""

from datetime import datetime
from typing import Any

from api.ledger import Ledger, Row
from api.queries.ordered import NEWEST, Asked, Listing
from api.queries.transfer_keys import near_one
from api.scope import Scope, sees, sees_client

MAX_ACCOUNTS = 100
MAX_MILESTONES = 100
"""Before this, in microseconds, is every deal."""

_SEEN_DEALS = f"""
({{sees_all:UInt8}} OR deal_key IN (
    SELECT caused_by FROM transfers WHERE account_key IN {{accounts:Array(String)}} AND {sees("ib_id")}
    UNION ALL
    SELECT deal_key FROM rejections
    WHERE account_key IN {{accounts:Array(String)}} AND {sees_client("client_id")}
))
"""  # noqa: S608  - the parts are constants; values are parameters
_CLIENT = f"""
SELECT client_id, occurred_at, if(m.attribution IN ('click', 'click_wins'), m.ib_id, c.ib_id) AS ib_id,
    country, click, event_id, m.attribution AS attribution, m.link AS link, m.click_id AS click_id,
    m.crm_ib AS crm_ib
FROM (SELECT * FROM clients FINAL WHERE client_id = {{client:String}}) AS c
LEFT JOIN (
    SELECT client_id, ib_id, attribution, link, click_id, crm_ib FROM milestones FINAL
    WHERE client_id = {{client:String}} AND kind = 'registration' AND attribution != ''
) AS m USING client_id
WHERE {sees_client("client_id")} LIMIT 1
"""  # noqa: S608  - the parts are constants; values are parameters
_ACCOUNTS = f"""
SELECT account_key, uniqExact(caused_by) AS deals, min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM (
    SELECT account_key, caused_by, occurred_at FROM transfers
    WHERE client_id = {{client:String}} AND account_key != '' AND code = 'accrual' AND {sees("ib_id")}
    UNION ALL
    SELECT account_key, deal_key AS caused_by, occurred_at FROM rejections
    WHERE client_id = {{client:String}} AND account_key != '' AND {sees_client("client_id")}
)
GROUP BY account_key ORDER BY last_at DESC, account_key LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_MILESTONES = f"""
SELECT kind, ib_id, occurred_at, amount, currency, milestone_id, takes_back FROM milestones FINAL
WHERE client_id = {{client:String}} AND {sees("ib_id")}
ORDER BY occurred_at DESC, milestone_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_DEALS_OF_ACCOUNT = f"""
SELECT deal_key, deal_id, kind, side, entry, symbol, volume_e8, price, profit, currency, occurred_at
FROM deals FINAL
WHERE server = {{server:String}} AND login = {{login:UInt64}} AND {_SEEN_DEALS}
"""  # noqa: S608  - as above
DEALS = Listing(
    _DEALS_OF_ACCOUNT,
    {
        "time": ("occurred_at", "time"),
        "deal": ("deal_key", "text"),
        "symbol": ("symbol", "text"),
        "lots": ("volume_e8", "number"),
        "profit": ("profit", "amount"),
    },
    ("deal_key",),
    ("deal_key", "symbol", "kind"),
)
_CLIENT_OF_ACCOUNT = f"""
SELECT client_id FROM (
    SELECT client_id, occurred_at FROM transfers WHERE account_key = {{account:String}} AND client_id != ''
    UNION ALL
    SELECT client_id, occurred_at FROM rejections WHERE account_key = {{account:String}} AND client_id != ''
)
WHERE {sees_client("client_id")} ORDER BY occurred_at DESC LIMIT 1
"""  # noqa: S608  - as above
_TRADED = f"""
SELECT count() AS deals, toUInt64(sum(volume_e8)) AS volume_e8 FROM deals FINAL
WHERE concat(server, '/', toString(login)) IN {{accounts:Array(String)}} AND kind = 'trade'
  AND entry IN ('out', 'inout', 'out_by') AND {_SEEN_DEALS}
  AND occurred_at >= {{since:DateTime64(6, 'UTC')}} AND occurred_at < {{until:DateTime64(6, 'UTC')}}
"""  # noqa: S608  - as above
_EVENT = f"""
SELECT type, client_id, deposit_id, status, amount, currency, reason FROM client_events FINAL
WHERE event_id = {{event:String}} AND ({{client:String}} = '' OR client_id = {{client:String}})
  AND {sees_client("client_id")} LIMIT 1
"""  # noqa: S608  - as above
_STATED = f"""
SELECT s.statement_id AS statement_id, s.period AS period
FROM statements_current AS s
WHERE s.ib_id = {{ib:String}} AND s.currency = {{currency:String}} AND s.ends_at > {{at:DateTime64(6, 'UTC')}}
  AND {sees("s.ib_id")}
  AND s.stored_at >= (
    SELECT max(stored_at) FROM transfers
    WHERE {near_one("transfer")} AND transfer_id = {{transfer:String}}
)
ORDER BY s.ends_at LIMIT 1
"""  # noqa: S608  - as above


def client(ledger: Ledger, scope: Scope, client_id: str) -> Row | None:
    """Its registration, or None if nobody reported it."""
    found = ledger.rows(_CLIENT, client=client_id, **scope.parameters)
    return found[0] if found else None


def accounts(ledger: Ledger, scope: Scope, client_id: str) -> list[Row]:
    """Its trading accounts as far as deals were rated or refused on them, the newest first."""
    return ledger.rows(_ACCOUNTS, client=client_id, limit=MAX_ACCOUNTS, **scope.parameters)


def milestones(ledger: Ledger, scope: Scope, client_id: str) -> list[Row]:
    """What it reached, the newest first."""
    return ledger.rows(_MILESTONES, client=client_id, limit=MAX_MILESTONES, **scope.parameters)


def traded(ledger: Ledger, scope: Scope, account_keys: list[str], since: datetime, until: datetime) -> Row:
    """Deals that closed something on these accounts in [since, until), and their volume in 1e-8 lots."""
    return ledger.row(_TRADED, accounts=account_keys, since=since, until=until, **scope.parameters)


def deals_of_account(
    ledger: Ledger, scope: Scope, server: str, login: int, limit: int, asked: Asked = NEWEST
) -> dict[str, Any]:
    """One page of the deals of one login, newest first unless asked otherwise."""
    accounts = [f"{server}/{login}"]
    return DEALS.page(ledger, asked, limit, server=server, login=login, accounts=accounts, **scope.parameters)


def client_of_account(ledger: Ledger, scope: Scope, account: str) -> str:
    """Whose `server/login` is, by its newest deal; "" if no deal says."""
    found = ledger.rows(_CLIENT_OF_ACCOUNT, account=account, **scope.parameters)
    return str(found[0]["client_id"]) if found else ""


def event(ledger: Ledger, scope: Scope, event_id: str, client_id: str) -> Row | None:
    """What the CRM reported under an id."""
    found = ledger.rows(_EVENT, event=event_id, client=client_id, **scope.parameters)
    return found[0] if found else None


def stated_in(ledger: Ledger, scope: Scope, transfer: dict[str, Any]) -> Row | None:
    """The statement a transfer is on: the first to end after its time that was made after its posting."""
    found = ledger.rows(
        _STATED,
        ib=transfer["ib_id"],
        currency=transfer["currency"],
        at=transfer["matures_at"] or transfer["occurred_at"],
        transfer=transfer["transfer_id"],
        **scope.parameters,
    )
    return found[0] if found else None
