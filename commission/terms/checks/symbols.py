"""Checks of symbols and of rates of exchange."""

from collections.abc import Iterator

from commission.terms.catalog import BEGINNING
from commission.terms.checks.published import Published, Subject, TermsProblem, check_currency, is_positive
from commission.terms.market import SymbolDefined

MAX_DIGITS = 12


def check_symbols(terms: Published) -> Iterator[TermsProblem]:
    """Find symbols that pay nothing, or that mean different things in different places."""
    for subject, symbol in terms.symbols:
        yield from check_currency((*subject, "profit"), symbol.profit_currency)
        sizes = {"contract_size": symbol.contract_size, "pip": symbol.pip}
        if symbol.standard_contract_size != symbol.contract_size:
            sizes["standard_contract_size"] = symbol.standard_contract_size
        for key, size in sizes.items():
            if not is_positive(size):
                text = f"{key} of {symbol.symbol} is {size}; it must be above 0, or its deals pay nothing"
                yield TermsProblem((*subject, key), "bad_size", text)
        yield from _check_optional(subject, symbol)
        yield from _check_rescale(subject, symbol, terms)
        if "*" in symbol.canonical or symbol.canonical.startswith("class:"):
            text = f"the canonical symbol {symbol.canonical} reads as a pattern; choose a plain name"
            yield TermsProblem((*subject, "canonical"), "bad_canonical", text)
    yield from _check_classes(terms)
    yield from _check_letter_case(terms)


def _check_optional(subject: Subject, symbol: SymbolDefined) -> Iterator[TermsProblem]:
    if symbol.base_currency:
        yield from check_currency((*subject, "base"), symbol.base_currency)
    for key in ("tick_size", "tick_value", "average_pips"):
        size = getattr(symbol, key)
        if size is not None and not is_positive(size):
            text = f"{key} of {symbol.symbol} is {size}; it must be above 0, or leave it out"
            yield TermsProblem((*subject, key), "bad_size", text)
    if symbol.digits is not None and not 0 <= symbol.digits <= MAX_DIGITS:
        text = f"digits of {symbol.symbol} is {symbol.digits}; it must be 0 to {MAX_DIGITS}"
        yield TermsProblem((*subject, "digits"), "bad_size", text)
    if (symbol.tick_size is None) != (symbol.tick_value is None):
        has, lacks = ("tick_size", "tick_value") if symbol.tick_value is None else ("tick_value", "tick_size")
        text = f"{symbol.symbol} has a {has} but no {lacks}; a price is worth money by both, so add {lacks}"
        yield TermsProblem((*subject, has), "incomplete_tick", text)


def _check_rescale(subject: Subject, symbol: SymbolDefined, terms: Published) -> Iterator[TermsProblem]:
    if symbol.rescale is None:
        return
    if not is_positive(symbol.rescale):
        text = f"rescale of {symbol.symbol} is {symbol.rescale}; write 10 where 1 open lot became 10"
        yield TermsProblem((*subject, "rescale"), "bad_size", text)
    others = (
        known for _, known in terms.symbols if (known.server, known.symbol) == (symbol.server, symbol.symbol)
    )
    if symbol.since is None or all((known.since or BEGINNING) >= symbol.since for known in others):
        text = f"{symbol.symbol} has a rescale and no version before it; add that, and a since to this"
        yield TermsProblem((*subject, "rescale"), "bad_rescale", text)


def _check_classes(terms: Published) -> Iterator[TermsProblem]:
    first: dict[str, SymbolDefined] = {}
    for subject, symbol in terms.symbols:
        known = first.setdefault(symbol.canonical, symbol)
        if known.asset_class != symbol.asset_class:
            text = (
                f"{symbol.canonical} has class {symbol.asset_class} here, but class {known.asset_class} as "
                f"{known.symbol} on {known.server}; a rate by class would pay one and not the other"
            )
            yield TermsProblem((*subject, "class"), "class_differs", text)


def _check_letter_case(terms: Published) -> Iterator[TermsProblem]:
    first: dict[tuple[object, ...], SymbolDefined] = {}
    for subject, symbol in terms.symbols:
        known = first.setdefault((symbol.server, symbol.symbol.casefold(), symbol.since), symbol)
        if known.symbol == symbol.symbol:
            continue
        names = f"{known.symbol} and {symbol.symbol} of {symbol.server} differ only by letter case"
        if _meaning(known) == _meaning(symbol):
            text = f"{names}; an MT4 statement, which lower-cases symbols, cannot be read"
            yield TermsProblem(subject, "symbol_case", text, "warning")
        else:
            text = f"{names} but not in meaning; MT4 statements lower-case symbols, so give both one meaning"
            yield TermsProblem(subject, "symbol_case", text)


def _meaning(symbol: SymbolDefined) -> tuple[object, ...]:
    return tuple(getattr(symbol, name) for name in symbol.__struct_fields__ if name != "symbol")


def check_exchange(terms: Published) -> Iterator[TermsProblem]:
    """Find rates of exchange that are none."""
    for subject, rate in terms.rates:
        for currency in (rate.base, rate.quote):
            yield from check_currency(subject, currency)
        if not is_positive(rate.rate) or rate.base == rate.quote:
            text = f"{rate.base}/{rate.quote} at {rate.rate}: a rate is above 0 and between two currencies"
            yield TermsProblem(subject, "bad_rate", text)
