"""The short forms a person may write, opened into the long ones: `rates: 7`, `plan: silver`."""

from collections.abc import Callable
from typing import Any

from commission.terms.components import Cpa, CpaAmount, Cpl
from commission.terms.partners import ParentLink, PlanAssignment, StatusChange
from commission.terms.plans import Budget
from commission.terms.rates import Override, Rate
from ingest.terms.keys import keys_of
from ingest.terms.yaml_page import Fields, Items, Page, Text


def as_is(_: Page, value: Any, __: str) -> Any:
    """A form that is long already."""
    return value


def _open_rates(_: Page, value: Any, __: str) -> Any:
    """`7`, `{EURUSD: 7}` and lists of these and of whole rates → a list of rates."""
    if not isinstance(value, Items):
        return value if value is None else Items(value.line, _open_rate(value))
    return Items(value.line, [rate for item in value for rate in _open_rate(item)])


def _open_rate(item: Any) -> list[Any]:
    if isinstance(item, Text):
        return [_rate("*", item, item.line, item.line)]
    if isinstance(item, Fields) and not any(key in keys_of(Rate) for key in item):
        return [_rate(match, item[match], item.line_at(match), item.key_lines[match]) for match in item]
    return [item]


def _rate(match: str, value: Any, line: int, key_line: int) -> Fields:
    rate = Fields(line)
    rate.put("value", value, line)
    rate.put("match", Text.at(key_line, match), key_line)
    return rate


def _single(key: str) -> Callable[[Page, Any, str], Any]:
    """A value alone is a mapping with one `key`."""

    def opened(_: Page, value: Any, __: str) -> Any:
        if not isinstance(value, Text):
            return value
        made = Fields(value.line)
        made.put(key, value, value.line)
        return made

    return opened


def _schedule(key: str) -> Callable[[Page, Any, str], Any]:
    """A value alone holds from the beginning."""
    single = _single(key)

    def opened(page: Page, value: Any, label: str) -> Any:
        if isinstance(value, Items) and any(isinstance(item, Text) for item in value):
            names = ", ".join(str(item) for item in value if isinstance(item, Text))
            told = f"one {key} holds at a time; name one, or when each begins: {{since: …, {key}: …}}"
            page.fail(value.line, f"{label} lists {names}; {told}")
            return Items(value.line, [single(page, value[0], label)])
        return Items(value.line, [single(page, value, label)]) if isinstance(value, Text) else value

    return opened


def _open_amounts(page: Page, value: Any, label: str) -> Any:
    """`amount: 400, min_deposit: 500` → one entry of `amounts`."""
    short = [key for key in ("amount", "min_deposit") if isinstance(value, Fields) and key in value]
    if not short:
        return value
    line = value.line_at(short[0])
    if "amounts" in value:
        page.fail(line, f"{label} has both {short[0]} and amounts; move it into an entry of amounts")
    amount = Fields(line)
    for key in short:
        amount.put(key, value[key], value.key_lines[key])
        del value[key]
    if "amounts" not in value:
        value.put("amounts", Items(line, [amount]), line)
    return value


OPENED: dict[Any, Callable[[Page, Any, str], Any]] = {
    tuple[Rate, ...]: _open_rates,
    tuple[ParentLink, ...]: _schedule("parent"),
    tuple[PlanAssignment, ...]: _schedule("plan"),
    tuple[StatusChange, ...]: _schedule("status"),
    tuple[CpaAmount, ...]: _schedule("amount"),
    Override: _single("mode"),
    Budget: _single("share"),
    Cpa: _open_amounts,
    Cpl: _open_amounts,
}
"""By the type of a field: what opens its short forms."""
