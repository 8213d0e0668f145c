"""The YAML form of plans: its keys, and a JSON Schema by which editors complete and check it."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any, get_args

from commission.events import KycStatus
from commission.terms import calendar, components, market, partners, plans, rates
from commission.terms.market import SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import Band
from commission.value import Value
from schemas.models import model_of

MODULES = (rates, components, plans, partners, market, calendar)
CLASSES = {
    name: cls
    for module in MODULES
    for name, cls in vars(module).items()
    if isinstance(cls, type) and issubclass(cls, Value)
}
"""What the YAML of terms is made of, by name."""

RENAMED: dict[type, dict[str, str]] = {
    PlanDefined: {"plan_id": "id"},
    PartnerDefined: {
        "ib_id": "id",
        "parents": "parent",
        "schedule": "plan",
        "statuses": "status",
        "kyc_approved": "kyc",
        "agreement_accepted": "agreement",
    },
    ParentLink: {"ib_id": "parent"},
    PlanAssignment: {"plan_id": "plan"},
    SymbolDefined: {"asset_class": "class", "profit_currency": "profit", "base_currency": "base"},
    Band: {"start": "from"},
}
"""Fields that have another key in YAML."""
ALSO_REQUIRED: dict[type, tuple[str, ...]] = {ParentLink: ("ib_id",), PlanAssignment: ("plan_id",)}
"""Fields with a default that must be written all the same: `null` is a decision."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"}]
}
MOMENT: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?$",
}
BY_MATCH: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": NUMBER,
    "propertyNames": {"not": {"enum": ["value", "match"]}},
}
RATES: dict[str, Any] = {
    "description": "A rate for all; rates by symbol, prefix, class or *; or a list of both and whole rates.",
    "anyOf": [
        NUMBER,
        BY_MATCH,
        {"type": "array", "items": {"anyOf": [NUMBER, {"$ref": "#/$defs/Rate"}, BY_MATCH]}},
    ],
}
ALONE = {"Override": "mode", "Budget": "share"}
"""Mappings that one value alone stands for: that of this key."""
Schema = dict[str, Any]


def plan_file_schema() -> Schema:
    """Describe a file of plans as JSON Schema (2020-12), with the short forms and every docstring."""
    defs: dict[str, Schema] = {}
    for cls in (PlanDefined, PartnerDefined, SymbolDefined):
        schema = model_of(cls).model_json_schema()
        defs |= schema.pop("$defs", {})
        defs[cls.__name__] = schema
    defs = {name: _mapping(CLASSES[name], schema) for name, schema in defs.items()}
    _open_partner(defs)
    _open_symbol(defs)
    for name in ("Cpa", "Cpl"):
        _open_amounts(defs[name], defs["CpaAmount"])
    for name, key in ALONE.items():
        alone = defs[name]["properties"][key]
        defs[name] = {"description": defs[name].pop("description", ""), "anyOf": [alone, defs[name]]}
    return {
        "$schema": DIALECT,
        "title": "ibflow plans",
        "type": "object",
        "properties": _file_properties(defs),
        "additionalProperties": False,
        "oneOf": [{"required": ["plan"]}, {"required": ["plans"]}],
        "$defs": defs | {"Rates": RATES},
    }


def _file_properties(defs: dict[str, Schema]) -> Schema:
    plan, partner, symbol = ({"$ref": f"#/$defs/{name}Defined"} for name in ("Plan", "Partner", "Symbol"))
    by_pair = {"type": "object", "additionalProperties": NUMBER}
    rates = {
        "type": "object",
        "properties": {"as_of": MOMENT, "source": {"type": "string"}, "rates": by_pair},
        "required": ["as_of", "rates"],
        "additionalProperties": False,
    }
    return {
        "title": {"type": "string"},
        "source": {"type": "string"},
        "plan": plan,
        "plans": {"type": "array", "items": plan},
        "symbols": {"type": "object", "additionalProperties": {"anyOf": [symbol, _symbol_versions(defs)]}},
        "partners": {"type": "array", "items": partner},
        "rates": {"type": "array", "items": rates},
        "expect": {"type": "array"},
    }


# From pydantic's schema of a value to that of its YAML form


def _mapping(cls: type, schema: Schema) -> Schema:
    names, told = RENAMED.get(cls, {}), docstrings().get(cls.__name__, {})
    properties = {}
    for name, part in schema["properties"].items():
        if name != "type":
            properties[names.get(name, name)] = _part(part) | (
                {"description": told[name]} if name in told else {}
            )
    required = [*schema.get("required", ()), *ALSO_REQUIRED.get(cls, ())]
    required += ["kind"] if "kind" in properties else []
    return {
        "type": "object",
        "description": schema.get("description", ""),
        "properties": properties,
        "required": [names.get(name, name) for name in required],
        "additionalProperties": False,
    }


def _part(part: Schema) -> Schema:
    kept = {key: value for key, value in part.items() if key not in ("title", "default", "maxLength")}
    if isinstance(default := part.get("default"), str | int | bool) and default != "":
        kept["default"] = default
    if "anyOf" in kept:
        types = {option.get("type") for option in kept["anyOf"]}
        if {"number", "string"} <= types:
            kept["anyOf"] = [*NUMBER["anyOf"], *([{"type": "null"}] if "null" in types else [])]
        else:
            kept["anyOf"] = [_part(option) for option in kept["anyOf"]]
    if kept.get("format") == "date-time":
        return MOMENT
    return _list(kept) if kept.get("type") == "array" else kept


def _list(part: Schema) -> Schema:
    """Rates have forms of their own; of other values one alone is a list of one."""
    if part["items"].get("$ref") == "#/$defs/Rate":
        return {"$ref": "#/$defs/Rates"}
    items = _part(part["items"])
    listed = {"type": "array", "items": items}
    is_scalar = items.get("type") in ("string", "number", "integer") or items.get("anyOf") == NUMBER["anyOf"]
    return {"anyOf": [items, listed]} if is_scalar else listed


def _open_partner(defs: dict[str, Schema]) -> None:
    partner = defs["PartnerDefined"]["properties"]
    for key, alone in (("parent", ["string", "null"]), ("plan", ["string", "null"]), ("status", ["string"])):
        partner[key] = {"anyOf": [{"type": alone}, partner[key]]}
    partner["kyc"] = {"enum": list(get_args(KycStatus))}
    partner["agreement"] = {"enum": ["pending", "accepted"]}
    partner["rank"] = {"type": "string", "description": "The rank of every entry of `plan` without one."}


def _open_symbol(defs: dict[str, Schema]) -> None:
    symbol = defs["SymbolDefined"]
    for key in ("server", "symbol"):
        del symbol["properties"][key]
    symbol["required"] = ["class", "contract_size", "pip", "profit"]


def _symbol_versions(defs: dict[str, Schema]) -> Schema:
    """A list of versions, of which each but the first says only what it changes."""
    symbol = {"$ref": "#/$defs/SymbolDefined"}
    changed = {**defs["SymbolDefined"], "required": ["since"]}
    return {"type": "array", "minItems": 1, "prefixItems": [symbol], "items": changed}


def _open_amounts(component: Schema, amount: Schema) -> None:
    """`amount` and `min_deposit` stand for the one entry of `amounts`."""
    for key in ("amount", "min_deposit"):
        component["properties"][key] = amount["properties"][key]
    listed = component["properties"]["amounts"]
    component["properties"]["amounts"] = {"anyOf": [NUMBER, listed]}
    component["required"].remove("amounts")
    component["oneOf"] = [{"required": ["amount"]}, {"required": ["amounts"]}]


def docstrings() -> dict[str, dict[str, str]]:
    """The docstrings under the fields of each class, its bases' included."""
    trees = [ast.parse(inspect.getsource(module)) for module in MODULES]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    own = {node.name: dict(_told_in(node)) for node in nodes}
    return {
        title: {
            name: own[base.__name__][name]
            for base in reversed(cls.__mro__)
            if base.__name__ in own
            for name in cls.__struct_fields__
            if name in own[base.__name__]
        }
        for title, cls in CLASSES.items()
        if title in own
    }


def _told_in(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, doc in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(doc, ast.Expr)
            and isinstance(doc.value, ast.Constant)
            and isinstance(doc.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(doc.value.value)
