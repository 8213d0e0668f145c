"""Macros of a postback URL: which exist, and how a template becomes an address."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from urllib.parse import parse_qsl, quote, urlsplit

SUBS = tuple(f"sub{number}" for number in range(1, 11))
PERSONAL = frozenset({"client_id"})
"""Facts that say who somebody is: only where an endpoint allows them by name."""
FACTS = (
    *("event_id", "event", "goal", "sequence", "txid", "original_txid", "status"),
    *("click_id", *SUBS, "campaign"),
    *("payout", "amount", "currency", "amount_usd"),
    *("ib_id", "client_ref", "client_id", "country"),
    *("symbol", "lots", "trades"),
    *("event_time_unix", "event_time_iso"),
)
"""What is known of an event, in the order of a POST's body."""
MACROS = frozenset({*FACTS, "rand", "sig"})
MACRO = re.compile(r"\{([^{}]*)\}")


def check_template(url: str, known: Collection[str] = MACROS) -> None:
    """Refuse unknown macros and stray braces, and macros anywhere but in the query.

    A click parameter is chosen by whoever clicked: in the host or path it would choose where we call.
    """
    for name in MACRO.findall(url):
        if name not in known:
            raise ValueError(f"the macro {{{name}}} is unknown{_meant(name, known)}")
    bare = MACRO.sub("", url)
    if "{" in bare or "}" in bare:
        raise ValueError("a brace in the URL belongs to no macro; write %7B or %7D")
    for pair in urlsplit(url).query.split("&"):
        if "{" in pair.partition("=")[0]:
            raise ValueError("a macro may be a parameter's value, not for its name")
    before_query = url.partition("?")[0]
    if "{" in before_query or "{" in urlsplit(url).fragment:
        raise ValueError("macros may be used in the query only, after `?`")


def macros_of(url: str) -> frozenset[str]:
    """The macros that a template has."""
    return frozenset(MACRO.findall(url))


def fill(url: str, values: Mapping[str, str]) -> str:
    """Put the values in, percent-encoded; a macro without a value becomes empty."""
    return MACRO.sub(lambda match: quote(values.get(match[1], ""), safe=""), url)


def canonical_query(url: str) -> str:
    """The query's parameters sorted and encoded anew, less the one whose value is the macro `{sig}`.

    This is what the `{sig}` macro signs, so that a receiver can rebuild it whatever order it sees.
    """
    raw = [pair for pair in urlsplit(url).query.split("&") if not pair.endswith("={sig}")]
    pairs = sorted(parse_qsl("&".join(raw), keep_blank_values=True))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def masked(url: str) -> str:
    """The template for everybody: constants of the query may be tokens, so only their names are shown."""
    address, mark, query = url.partition("?")
    shown = (
        pair if "{" in pair or "=" not in pair else f"{pair.partition('=')[0]}=•••"
        for pair in query.split("&")
    )
    return f"{address}{mark}{'&'.join(shown)}"


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {{{close[0]}}}?" if close else f"; known are {', '.join(sorted(known))}"
