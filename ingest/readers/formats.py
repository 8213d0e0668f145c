"""Every format of file that is read, one entry each: what it is called and its reader."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ingest.crm import csv_file as crm_csv
from ingest.crm import xml_file as crm_xml
from ingest.mt4 import json_file as mt4_json
from ingest.mt4 import sql_dump as mt4_sql_csv
from ingest.mt4 import statement as mt4_statement
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.mt5 import json_file as mt5_json
from ingest.mt5 import report as mt5_report
from ingest.mt5 import sql_dump as mt5_sql_csv
from ingest.mt5 import terminal_csv as mt5_terminal_csv
from ingest.sources import Read

Kind = Literal[
    "mt5-deals-csv",
    "mt5-sql-csv",
    "mt5-report",
    "mt5-terminal-json",
    "mt5-terminal-csv",
    "mt5-web-api-json",
    "mt4-statement",
    "mt4-json",
    "mt4-sql-csv",
    "crm-csv",
    "crm-xml",
]


class Format(NamedTuple):
    """A format of file: how a message calls one such file, what a person may export as it, its reader."""

    called: str
    exported: str
    read: Read


FORMATS: Mapping[Kind, Format] = {
    "mt5-deals-csv": Format(
        "the Deals export of MT5 Manager", "MT5 Manager, Deals tab, exported as CSV", mt5_deals_csv.read
    ),
    "mt5-sql-csv": Format(
        "a dump of MT5's table mt5_deals",
        "the table mt5_deals of a server's database, dumped as CSV",
        mt5_sql_csv.read,
    ),
    "mt5-report": Format(
        "an MT5 Trade History Report",
        "MT5 terminal, Trade History Report as HTML or XLSX, or saved as CSV",
        mt5_report.read,
    ),
    "mt5-terminal-json": Format(
        "JSON of an MT5 terminal's deals",
        "history_deals_get() of the MetaTrader5 package, as JSON",
        mt5_json.read,
    ),
    "mt5-terminal-csv": Format("CSV of an MT5 terminal's deals", "the same as CSV", mt5_terminal_csv.read),
    "mt5-web-api-json": Format("an answer of MT5's Web API", "answers of /api/deal", mt5_json.read),
    "mt4-statement": Format(
        "an MT4 statement",
        "MT4 terminal or server, Statement or DetailedStatement as HTML, or saved again as XLSX",
        mt4_statement.read,
    ),
    "mt4-json": Format("JSON of MT4 trades", "trades of mt4manager or the CPlugin Web API", mt4_json.read),
    "mt4-sql-csv": Format(
        "a dump of MT4's table mt4_trades",
        "the table mt4_trades of a report server, dumped as CSV",
        mt4_sql_csv.read,
    ),
    "crm-csv": Format("a CRM's CSV", "our own: event,event_id,occurred_at,client_id,…", crm_csv.read),
    "crm-xml": Format("a CRM's XML", "the same fields: <crm><record><event>…", crm_xml.read),
}
CRM_KINDS: frozenset[Kind] = frozenset({"crm-csv", "crm-xml"})
"""What names its servers itself."""
KNOWN = ", ".join(f"{kind} ({each.exported})" for kind, each in FORMATS.items())
"""The formats in a message."""
