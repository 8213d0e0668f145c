"""Macros of a postback URL: which exist, and how a template becomes an address."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

SUBS = tuple(f"sub{number}" for number in range(1, 11))
MACROS = frozenset(
    {
        "click_id",
        "event",
        "txid",
        "payout",
        "amount",
        "currency",
        "ib_id",
        "client_ref",
        "event_time_unix",
        "event_time_iso",
        "country",
        "sig",
        *SUBS,
    }
)
_MACRO = re.compile(r"\{([^{}]*)\}")


def check_template(url: str) -> None:
    """Refuse unknown macros and stray braces, and macros anywhere but in the query.

    A click parameter is chosen by whoever clicked: in the host or path it would choose where we call.
    """
    for name in _MACRO.findall(url):
        if name not in MACROS:
            raise ValueError(f"the macro {{{name}}} is unknown; known are {', '.join(sorted(MACROS))}")
    bare = _MACRO.sub("", url)
    if "{" in bare or "}" in bare:
        raise ValueError("a brace in the URL belongs to no macro; write %7B or %7D")
    for pair in urlsplit(url).query.split("&"):
        if "{" in pair.partition("=")[0]:
            raise ValueError("a macro may be a parameter's value, not for its name")
    before_query = url.partition("?")[0]
    if "{" in before_query or "{" in urlsplit(url).fragment:
        raise ValueError("macros may be used in the query only, after `?`")


def fill(url: str, values: Mapping[str, str]) -> str:
    """Put the values in, percent-encoded; a macro without a value becomes empty."""
    return _MACRO.sub(lambda match: quote(values.get(match[1], ""), safe=""), url)


def canonical_query(url: str) -> str:
    """The query's parameters sorted and encoded anew, less the one whose value is the macro `{sig}`.

    This is what the `{sig}` macro signs, so that a receiver can rebuild it whatever order it sees.
    """
    raw = [pair for pair in urlsplit(url).query.split("&") if not pair.endswith("={sig}")]
    pairs = sorted(parse_qsl("&".join(raw), keep_blank_values=True))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
