"""Examples of every request and answer for the OpenAPI document, made from their shapes.

A field of a name that the house uses everywhere has the same value in every example, so that an IB or a batch
can be followed from one route to the next; any other has a value of its type.
"""

from collections.abc import Mapping
from typing import Any

NAMES: dict[str, Any] = {
    "ib": "IB-17", "ib_id": "IB-17", "parent": "IB-2", "client": "C-1041", "client_id": "C-1041",
    "ibs": ["IB-17"], "subtrees": ["IB-2"], "path": ["IB-17", "IB-2"], "account_key": "live/70012",
    "account": "ib:IB-17:payable", "debit": "broker:expense:per_lot", "credit": "ib:IB-17:pending",
    "server": "live", "login": 70012, "deal": "live|5512", "deal_key": "live|5512", "deal_id": "5512",
    "symbol": "EURUSD", "currency": "USD", "country": "DE", "countries": ["DE"], "component": "per_lot",
    "period": "2026-09", "plan": "gold", "plan_id": "gold", "name": "anna", "by": "anna", "role": "finance",
    "created_by": "anna", "decided_by": "bert", "transfer_id": "t-9b1f04c2", "statement_id": "st-71ce20aa",
    "batch_id": "po-2026-09-usd-1", "line_id": "po-2026-09-usd-1-17", "proposal_id": "p-8cc1",
    "change_id": "ch-51d2", "milestone_id": "m-20f7", "dead_letter_id": "dl-03ab", "key_id": "key-4e1a",
    "code": "unknown_symbol", "reason": "agreed with the IB on 3 October", "title": "Rate of gold corrected",
    "lots": "1.50", "amount": "12.50", "minimum": "50", "rate": "7.00", "price": "1.08412",
    "url": "https://tracker.example/postback?cid={click_id}",
    "id": "tracker-1", "endpoint": "tracker-1", "endpoint_id": "tracker-1", "events": ["cpa.qualified"],
    "event": "cpa.qualified", "preset": "", "format": "json", "source": "bank-2026-10-05.xml",
    "group_by": ["ib"],    "rights": ["read"], "next_cursor": None, "min_payout": None,
    "details": {"type": "bank", "holder": "Atlas Partners Ltd", "iban": "DE89370400440532013000"},
    "secret": "", "statuses": {}, "pay_in": "", "attachment_sha256": "", "reopen": "",
}  # fmt: skip
MONEY = frozenset(
    {
        "accrued", "reversed", "net", "held", "pending", "payable", "earned", "total", "opening", "closing",
        "rounding", "balance", "delta", "difference", "given", "taken_back", "due", "pays_total", "profit",
        "commission", "swap", "fee", "native_amount",
    }
)  # fmt: skip
FILES = {
    "text/csv": "ib_id,net,currency\r\nIB-17,12.50,USD\r\n",
    "text/plain": "IB-17 earns 12.50 USD on deal live|5512: 1.50 lots at 7.00 a lot, its part 0.5.",
    "text/html": "<!doctype html><title>IB-17 earns 12.50 USD</title>",
    "text/event-stream": 'id: 41\nevent: transfer\ndata: {"transfer_id": "t-9b1f04c2"}\n\n',
    "application/x-ndjson": '{"type":"statement","ib_id":"IB-17","period":"2026-09"}\n',
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"/>',
}
"""The beginning of what is text and no JSON."""
AT, DAY = "2026-09-14T08:30:00Z", "2026-09-14"
MAX_DEPTH = 8
"""Of shapes within shapes; a tree of IBs has no children there."""


class Examples:
    """Makes examples of the shapes of one document."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def of(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """A value that the schema allows."""
        if "$ref" in schema:
            return self.of(self._schemas[schema["$ref"].rpartition("/")[2]], name, depth)
        for known in ("example", "const", "default"):
            if known in schema and (known != "default" or name not in NAMES):
                return schema[known]
        if "enum" in schema:
            return NAMES[name] if NAMES.get(name) in schema["enum"] else _first(schema["enum"])
        if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            return self._of_options(options, name, depth)
        return self._of_type(schema, name, depth)

    def _of_options(self, options: list[Mapping[str, Any]], name: str, depth: int) -> Any:
        is_optional = any(one.get("type") == "null" for one in options)
        if is_optional and (depth >= MAX_DEPTH or NAMES.get(name, "") is None):
            return None
        return self.of(next(one for one in options if one.get("type") != "null"), name, depth)

    def _of_type(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._of_object(schema, name, depth)
        if kind == "array":
            known = NAMES.get(name)
            of_texts = schema.get("items", {}).get("type") == "string"
            if isinstance(known, list) and of_texts:
                return known
            return [] if depth >= MAX_DEPTH else [self.of(schema.get("items", {}), "", depth + 1)]
        if kind in ("integer", "number"):
            return _number(schema, name)
        if kind == "boolean":
            return False
        return _text(schema, name) if kind == "string" else {}

    def _of_object(self, schema: Mapping[str, Any], name: str, depth: int) -> dict[str, Any]:
        if isinstance(NAMES.get(name), dict):
            return dict(NAMES[name])
        found = {}
        for part, inner in schema.get("properties", {}).items():
            is_again = part == "children" or (depth >= MAX_DEPTH and inner.get("type") == "array")
            found[part] = [] if is_again else self.of(inner, part, depth + 1)
        return found


def _first(values: list[Any]) -> Any:
    return next((one for one in values if one), values[0])


def _number(schema: Mapping[str, Any], name: str) -> float:
    least, most = schema.get("minimum", 0), schema.get("maximum")
    value = NAMES[name] if isinstance(NAMES.get(name), int) else max(least, 1)
    return min(value, most) if most is not None else int(value) if schema["type"] == "integer" else value


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "date-time":
        return AT
    if schema.get("format") == "date":
        return DAY
    known = NAMES.get(name)
    if isinstance(known, str):
        return known[: schema.get("maxLength", len(known))]
    if name in MONEY:
        return "12.50"
    return "x" if "pattern" not in schema else "1"


def add_examples(document: dict[str, Any]) -> None:
    """Give each parameter, body and answer of a document an example, where its route gives none."""
    examples = Examples(document["components"]["schemas"])
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter.setdefault("example", examples.of(parameter["schema"], parameter["name"]))
            answers = [one for code, one in operation["responses"].items() if code < "300"]
            for part in (operation.get("requestBody", {}), *answers):
                for kind, content in part.get("content", {}).items():
                    if text := FILES.get(kind.partition(";")[0]):
                        content.setdefault("example", text)
                    if kind == "application/json" and content.get("schema"):
                        content.setdefault("example", examples.of(content["schema"]))
