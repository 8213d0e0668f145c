"""Examples of the terms reference: a folder that loads, and a value for each key; tests read every one."""

Told = dict[str, tuple[str, str, str, str]]
"""Key → what it takes, its default, an example, and what it says."""

FORMS = """# The terms files, key by key

Made by `ibflow terms reference` from what reads the files. A folder of terms is `broker.yaml`, `symbols.yaml`, `partners.yaml`,
`plans.yaml` or files in `plans/`, and `rates.yaml` if money is converted. The blocks below are such a folder; `ibflow terms check` tells
what is wrong with yours, with file and line.

- A *number* is a plain decimal, as text or not: `0.35`, `"0.35"`. A *time* is a date (midnight in the calendar's zone) or `2026-09-01T12:00:00Z`.
- Where *one or a list* is taken, one alone is a list of one. `plan: silver` is short for `plan: [{plan: silver}]`, and so are `parent` and `status`.
- An entry without `since` counts from the beginning, one with it from that time on, until the next.
- *Rates* are `7` (for all), `{EURUSD: 7, "XAU*": 10, "class:forex": 5, "*": 2}`, or a list of whole [rates](#rate).
- `override: difference` is short for `override: {mode: difference}`, `budget: 0.6` for `budget: {share: 0.6}`; of a CPA or CPL `amount: 400,
  min_deposit: 500` stands for one entry of `amounts`."""

FILES = {
    "broker.yaml": """
# A week: {zone: UTC, period: week, from: 2026-W36, to: 2027-W35}; a day: {zone: UTC, period: day, from: 2026-09-01, to: 2027-08-31}
# From the 26th: {zone: UTC, period: month, from: 2026-08-26, to: 2027-07-26}; twice a month: {zone: UTC, period: half_month, from: 2026-09-H1, to: 2027-08-H2}
calendar: {zone: Europe/Nicosia, period: month, from: 2026-08, to: 2027-12}
broker: meridian-eu
servers:
  mt5-live:
    platform: mt5
    timezone: America/New_York+7h
    margin_mode: hedging
    currency: USD
    feed: {kind: mt5-sql, host: 10.0.0.5, port: 3306, database: mt5, user: ibflow, password_env: MT5_DB_PASSWORD, interval_s: 5}
  mt5-web:
    platform: mt5
    timezone: Europe/Helsinki
    feed: {kind: mt5-web-api, url: "https://mt5.example.com:443", login: 1001, password_env: MT5_WEB_PASSWORD, groups: ["real*"]}
  mt4-real:
    platform: mt4
    timezone: Europe/London+2h
    close_reopen: [us-retail, "us*"]
    feed: {kind: mt4-sql, host: reports.example.com, database: mt4, user: ibflow, password_env: MT4_DB_PASSWORD}
""",
    "symbols.yaml": """
symbols:
  mt5-live:
    EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD, base: EUR}
    EURUSDc: {canonical: EURUSD, class: forex, contract_size: 1000, standard_contract_size: 100000, pip: 0.0001, profit: USD}
  mt4-real:
    # From 1 October a lot is 10 ounces, and every open lot became 10: a version says only what it changes.
    XAUUSD:
      - {class: metal, contract_size: 100, pip: 0.01, profit: USD}
      - {since: 2026-10-01, contract_size: 10, rescale: 10}
""",
    "partners.yaml": """
partners:
  - {id: ib-master, name: Meridian Partners, currency: USD, kyc: approved, plan: gold}
  - id: ib-north
    name: North Desk
    currency: USD
    kyc: approved
    parent: [{parent: ib-master}, {since: 2026-10-01, parent: null}]     # on its own from October on
    plan: [{plan: silver}, {since: 2026-10-01, plan: gold, factor: 0.9}] # another plan from October on
    status: [{since: 2027-01-01, status: suspended}]
""",
    "rates.yaml": """
rates:
  - {as_of: 2026-08-31, source: ECB, rates: {EUR/USD: 1.0842, USD/JPY: 148.60}}
""",
    "plans.yaml": """
plans:
  - id: gold
    version: 1
    currency: USD
    components:
      - {kind: per_lot, name: lots, rates: {"class:forex": 7, "*": 2}}
  - id: gold
    version: 2
    since: 2026-10-01            # what happens from then on is paid by it
    currency: USD
    components:
      - {kind: per_lot, name: lots, rates: {"class:forex": 8, "*": 2}}
  - id: silver
    version: 1
    currency: USD
    components:
      - {kind: per_lot, name: lots, rates: 5, when: {min_holding_s: 60}}
      - {kind: cpa, name: cpa, amount: 300, min_deposit: 500, min_lots: 3}
""",
}

TOP: Told = {
    "calendar": (
        "a calendar",
        "",
        "{zone: UTC, period: month, from: 2026-08, to: 2027-12}",
        "Of statements.",
    ),
    "servers": (
        "servers by name",
        "",
        "{mt5-live: {platform: mt5, timezone: UTC}}",
        "Every server deals come from.",
    ),
    "broker": (
        "small letters, digits, dashes",
        "none",
        "meridian-eu",
        "Whose terms these are. Once published, the log takes no terms and no deals of another broker.",
    ),
}
BROKER: Told = {
    "zone": ("an IANA zone", "", "Europe/Nicosia", "Days, and dates without a time, begin at its midnight."),
    "period": (
        "`month`, `week`, `day`, `half_month`, `quarter`",
        "",
        "month",
        "What a statement covers; halves begin on the 1st and the 16th.",
    ),
    "from": (
        "`2026-09`, `2026-W36`, `2026-09-01`, `2026-09-H2`, `2026-Q3`",
        "",
        "2026-09",
        "The first period, written by its kind; a month that begins on another day by that day: `2026-08-26`.",
    ),
    "to": ("the same", "", "2027-12", "The last one: ten years of days at most, a hundred of months."),
    "periods": (
        "a list of `{period, from, to}`",
        "none",
        "[{period: week, from: 2026-W36, to: 2026-W39}, {period: month, from: 2026-10, to: 2027-12}]",
        "In place of the three, where one kind follows another; no two periods may overlap.",
    ),
}
SERVER: Told = {
    "platform": ("`mt4`, `mt5`", "", "mt5", ""),
    "timezone": (
        "an IANA zone and a shift",
        "",
        "America/New_York+7h",
        "The server's clock; `+02:00` is a fixed one.",
    ),
    "margin_mode": (
        "`hedging`, `netting`",
        "by group, or given",
        "hedging",
        "Of an MT5 server, if all of its groups are one.",
    ),
    "currency": ("a currency", "none", "USD", "Of its accounts, for sources that do not give it."),
    "close_reopen": (
        "one or a list: groups",
        "none",
        "[us-retail, 'us*']",
        "Groups of an MT4 server where a partial close closes the whole ticket and opens the rest as a new one.",
    ),
    "feed": (
        "a feed",
        "none",
        "{kind: mt5-sql, …}",
        "How `ibflow poll` and `reconcile` ask the server itself.",
    ),
}
FEED: Told = {
    "kind": ("`mt5-sql`, `mt4-sql`, `mt5-web-api`", "", "mt5-sql", ""),
    "host": ("a name or address", "", "10.0.0.5", ""),
    "port": ("whole number", "`3306`", "3306", ""),
    "database": ("text", "", "mt5", ""),
    "user": ("text", "", "ibflow", "One that may only read."),
    "password_env": (
        "a variable's name",
        "",
        "MT5_DB_PASSWORD",
        "The environment variable that holds the password.",
    ),
    "tls_ca": (
        "a file",
        "none: no TLS",
        "/etc/ibflow/ca.pem",
        "The authority that signed the database's certificate.",
    ),
    "interval_s": ("1 to 3600", "`5`", "5", "Seconds between two questions."),
    "url": ("https address", "", "'https://mt5.example.com:443'", ""),
    "login": ("whole number", "", "1001", "Of the manager account."),
    "groups": ("one or a list: groups", "all", "['real*']", "Only accounts of these."),
    "logins": ("one or a list: numbers", "all", "[5001, 5002]", "Only these accounts."),
    "period_clock": ("`server`, `utc`", "`server`", "utc", "The clock its `from` and `to` count in."),
    "connections": ("whole number", "`3`", "3", "At once."),
    "requests_per_s": ("whole number", "`10`", "10", ""),
    "ca_file": ("a file", "the system's", "/etc/ibflow/ca.pem", "Authorities to trust."),
}
PARTNER: Told = {
    "rank": ("text", "none", "gold", "The rank of every entry of `plan` that has none of its own.")
}
RATES: Told = {
    "as_of": (
        "time",
        "",
        "2026-08-31",
        "They count from then on, until newer ones, 31 days at most: then deals wait for one.",
    ),
    "rates": (
        "pair: number",
        "",
        "{EUR/USD: 1.0842}",
        "One unit of the first is worth so much of the second.",
    ),
    "source": ("text", "none", "ECB", ""),
}

KEYS = {
    "id": "silver",
    "PartnerDefined.id": "ib-north",
    "version": "2",
    "currency": "USD",
    "name": "lots",
    "PlanDefined.name": "Silver (sub-IBs)",
    "PartnerDefined.name": "North Desk",
    "Band.name": "gold",
    "PlanDefined.components": "[{kind: per_lot, name: lots, rates: 5}]",
    "since": "2026-09-01",
    "until": "2026-12-31T22:00:00Z",
    "when": "{min_holding_s: 60, countries_not: [US]}",
    "accept": "[{trap: both_sides, because: 3.5 on each side}]",
    "trap": "overlap",
    "because": "agreed with sales on 1 September",
    "lot_factors": "[{match: 'XAU*', factor: 0.5}]",
    "PlanDefined.budget": "0.6",
    "PlanDefined.clawback": "{window_days: 90, chargeback: all}",
    "kyc_forfeit_days": "90",
    "hold_days": "14",
    "min_payout": "50",
    "rates": "{EURUSD: 7, 'XAU*': 10, '*': 2}",
    "override": "{mode: split, shares: [0.7, 0.3]}",
    "tiers": "{by: lots, bands: [{from: 100, factor: 1.2}]}",
    "Cpa.tiers": "{by: count, bands: [{from: 10, factor: 1.2}]}",
    "caps": "{per_deal: 100, per_period: 5000}",
    "value": "7",
    "match": "'XAU*'",
    "client": "c-001",
    "login": "mt5-live/1001",
    "group": "'real*'",
    "country": "DE",
    "sides": "[buy]",
    "reasons": "[client, mobile]",
    "groups": "['real*']",
    "countries": "[DE, AT]",
    "countries_not": "[US]",
    "channels": "[search]",
    "min_holding_s": "60",
    "min_pips": "2",
    "levels": "[2, 1]",
    "pass_up": "[0.3, 0.1]",
    "shares": "[0.7, 0.3]",
    "ranks": "[{rank: bronze, rates: 5}, {rank: gold, rates: 2}]",
    "rank": "gold",
    "bands": "[{from: 100, factor: 1.2}, {from: 500, rates: {EURUSD: 9}}]",
    "lookback_periods": "2",
    "grace_periods": "1",
    "step": "1",
    "active_min_lots": "0.5",
    "from": "100",
    "factor": "1.2",
    "per_deal": "100",
    "per_day": "500",
    "per_week": "2000",
    "per_period": "5000",
    "average_pips": "{EURUSD: 1.2}",
    "SymbolDefined.average_pips": "1.2",
    "markup_pips": "{EURUSD: 0.6}",
    "cap_pips": "20",
    "plus_pips": "0.2",
    "terms": "[spread, commission, client_result]",
    "quarantine_below": "10000",
    "amounts": "[{amount: 400, country: DE, min_deposit: 500}, {amount: 200, min_deposit: 250}]",
    "amount": "400",
    "ftd_window_hours": "48",
    "min_lots": "3",
    "min_trades": "5",
    "min_spread": "100",
    "min_turnover": "10",
    "qualification_days": "60",
    "clawback_days": "60",
    "min_deposit": "500",
    "net_deposits": "true",
    "cpa_per": "client",
    "Cpa.symbols": '[EURUSD, "XAU*", "class:forex"]',
    "min_ftd_rate": "0.1",
    "share": "0.6",
    "max_amount": "1000",
    "clients": "10",
    "revenue": "[spread, commission, swap]",
    "window_days": "90",
    "parent": "ib-master",
    "plan": "[{plan: silver}, {since: 2026-10-01, plan: gold}]",
    "PlanAssignment.plan": "gold",
    "status": "[{since: 2027-01-01, status: suspended}]",
    "StatusChange.status": "suspended",
    "kyc": "approved",
    "Cpl.kyc": "false",
    "agreement": "accepted",
    "identity": "person-17",
    "own_clients": "[c-900]",
    "canonical": "EURUSD",
    "class": "forex",
    "contract_size": "100000",
    "standard_contract_size": "100000",
    "pip": "0.0001",
    "profit": "USD",
    "base": "EUR",
    "digits": "5",
    "tick_size": "0.25",
    "tick_value": "12.5",
    "rescale": "10",
}
"""By `Class.key`, or by key alone; the rest follow from their type."""
