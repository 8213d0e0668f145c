"""The fast lane's second reading: the wire lines of plain rows of a Deals export, a column at a time.

A row is plain if its cells are spelled as the wire and the revision spell them, or become so by what is
written here. Which fields a line has, in which order, is `schemas.wire.DEAL_FIELDS` for both lanes;
`DealReader` with `schemas.wire.encode` says what a line must be, and a test holds the two equal.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping

import polars as pl
from pydantic import TypeAdapter

from commission.events import SERVICE_MARK
from commission.revision import digest
from ingest.formats.cells import MAX_COMMENT_CHARS, to_currency, to_entry, to_kind, to_reason, to_symbol
from ingest.formats.csv_rows import Header
from ingest.mt5.deals_csv import KIND
from ingest.mt5.deals_csv_fast_scan import NUMBER, to_text
from ingest.sources import RowRejected, ServerProfile
from schemas.wire import DEAL_FIELDS

MONEY = ("profit", "commission", "fee", "swap")
MARKET = {"contract_size": ("contractsize",), "bid": ("marketbid", "bid"), "ask": ("marketask", "ask")}
"""Columns of an extended export, by the names they may have."""
UNTOLD = ("volume_closed_e8", "agent_commission", "rate_profit", "balance", "equity", "credit")
"""Fields of a deal that a plain row has nothing for."""
Text = pl.Expr | tuple[str | pl.Expr, ...]
"""A field's text: parts that every row has, none of them if it is never written; or a column that leaves
the field out of a row where it is ""."""

_CELLS = (
    *("deal", "position", "login", "time", "type", "entry", "symbol", "volume", "price", "reason"),
    *("commission", "swap", "profit"),
)

_AMOUNT = r"^-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,8})?$"
"""12 digits, so that a slice's sum stays within 38; longer ones go row by row."""
_TINY = r"^-?0\.0{6}"
"""Python writes a Decimal below 1e-6 with an exponent."""
_VOLUME = r"^[0-9]{1,6}(?:\.[0-9]{1,8})?$"
"""6 digits, so that a slice's sum stays within 64 bits."""
_POSITION = r"^(?:0|[1-9][0-9]{0,18})?$"
_ESCAPED = r'[\x00-\x1f\x7f"\\]'
"""What JSON would escape, and what `str.strip` takes for space but polars does not."""
_is_escaped = re.compile(_ESCAPED).search
_STRING: TypeAdapter[str] = TypeAdapter(str)


def lit(text: str) -> pl.Expr:
    """A constant piece of a line."""
    return pl.lit(text, dtype=pl.String)


class LineWriter:
    """Writes the plain rows of one file."""

    def __init__(self, header: Header, profile: ServerProfile, file_name: str) -> None:
        self._profile = profile
        self._split = pl.col("raw").str.split_exact(header.delimiter, header.width - 1)
        market = {
            name: index for name, names in MARKET.items() if (index := header.index(*names)) is not None
        }
        self._cells = _cells(header, profile.currency, market)
        self._amounts = _amounts()
        self._short = [short(name) for name in ("price", *MONEY, *market)]
        self._checks = _checks(market)
        self._values = _values()
        self._matter = _matter()
        self._line = _line(_texts(profile, f"{KIND} {file_name}:", market))

    def write(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give plain rows their `wire` line and `account_key`, and keep what is counted of them.

        `rows` have `place`, `at_us`, `line` and `raw`; a row that is not plain after all is left out.
        """
        cells = (
            rows.with_columns(to_text(rows["raw"]))
            .with_columns(cells=self._split)
            .select("place", "at_us", "line", *self._cells)
        )
        cells = cells.with_columns(self._words(cells)).with_columns(self._amounts)
        cells = cells.with_columns(self._short)
        cells = cells.filter(pl.all_horizontal(self._checks).fill_null(value=False))
        cells = cells.with_columns(self._values)
        matter = cells.select(self._matter).to_series()
        revisions = pl.Series("revision", [digest(text) for text in matter.to_list()], dtype=pl.String)
        return cells.with_columns(revisions).with_columns(
            wire=self._line, account_key=pl.concat_str(lit(f"{self._profile.server}/"), pl.col("login"))
        )

    def _words(self, cells: pl.DataFrame) -> list[pl.Series]:
        """Columns of few different cells, translated as the row lane does; null where it would not."""
        service = self._profile.service_reasons
        return [
            _translated(cells["type"], lambda text: to_kind(text)[0], "kind"),
            _translated(cells["type"], lambda text: to_kind(text)[1] or "", "side"),
            _translated(cells["entry"], _one_way, "entry"),
            _translated(cells["symbol"], to_symbol, "symbol"),
            _translated(cells["currency"], to_currency, "currency"),
            _translated(cells["reason"], to_reason, "reason"),
            _translated(
                cells["reason"], lambda text: "true" if to_reason(text) in service else "", "is_service"
            ),
        ]


def _cells(header: Header, currency: str, market: Mapping[str, int]) -> list[pl.Expr]:
    """The cells that are used, by purpose; of a missing column what the row lane takes instead."""

    def cell(name: str, index: int | None, instead: str = "") -> pl.Expr:
        found = lit(instead) if index is None else pl.col("cells").struct.field(f"field_{index}")
        return found.alias(name)

    return [
        *(cell(name, header.columns[name]) for name in _CELLS),
        cell("fee", header.index("fee"), "0"),
        cell("currency", header.index("currency"), currency),
        cell("comment", header.index("comment")),
        cell("order", header.index("order")),
        *(cell(name, index) for name, index in market.items()),
    ]


def _translated(column: pl.Series, translate: Callable[[str], str], name: str) -> pl.Series:
    known: dict[str, str] = {}
    for text in column.unique().to_list():
        try:
            word = translate(text)
        except RowRejected:
            continue
        if not _is_escaped(word):
            known[text] = word
    return column.replace_strict(
        list(known), list(known.values()), default=None, return_dtype=pl.String
    ).alias(name)


def _one_way(text: str) -> str:
    entry = to_entry(text)
    if entry == "inout":
        raise RowRejected("reversal", "an in/out is split or refused by the row lane")
    return entry


_is_trade = pl.col("side") != ""
_is_leg = _is_trade & (pl.col("entry") == "out_by")


def _checks(market: Iterable[str]) -> list[pl.Expr]:
    """What makes a row plain; anything null is not."""
    comment = pl.col("comment").str
    return [
        pl.col("kind").is_not_null(),
        pl.col("currency").is_not_null(),
        pl.col("reason").is_not_null(),
        pl.col("login").str.contains(NUMBER),
        ~comment.contains(_ESCAPED) & (comment.len_chars() <= MAX_COMMENT_CHARS),
        *(_is_amount(name) & (_is_zero(name) | _is_written_plainly(name)) for name in MONEY),
        *(_is_market(name) for name in market),
        ~_is_trade
        | (
            pl.col("entry").is_not_null()
            & pl.col("symbol").is_not_null()
            & pl.col("volume").str.contains(_VOLUME)
            & pl.col("position").str.contains(_POSITION)
            & (~_is_leg | pl.col("order").str.contains(_POSITION))
            & _is_amount("price")
            & ~_is_zero("price")
            & _is_written_plainly("price")
        ),
    ]


def _amounts() -> list[pl.Expr]:
    """Amounts a row must have; of a cash operation only the profit must be there."""
    other = [name for name in MONEY if name != "profit"]
    return [
        _if_trade(pl.col("price")).alias("price"),
        *(
            pl.when(~_is_trade & (pl.col(name) == "")).then(lit("0")).otherwise(pl.col(name)).alias(name)
            for name in other
        ),
    ]


def short(name: str) -> pl.Expr:
    """An amount as `commission.money.plain` writes it, which is also how the revision sees it."""
    text = pl.col(name)
    cut = text.str.strip_chars_end("0").str.strip_chars_end(".")
    cut = pl.when(text.str.contains(".", literal=True)).then(cut).otherwise(text)
    return pl.when(cut == "-0").then(lit("0")).otherwise(cut).alias(f"{name}_short")


def _is_amount(name: str) -> pl.Expr:
    return pl.col(name).str.contains(_AMOUNT)


def _is_zero(name: str) -> pl.Expr:
    return pl.col(f"{name}_short") == "0"


def _is_written_plainly(name: str) -> pl.Expr:
    """Whether Python writes the Decimal just so: no exponent, no negative zero."""
    text = pl.col(name)
    return ~text.str.contains(_TINY) & ~(_is_zero(name) & text.str.starts_with("-"))


def _is_market(name: str) -> pl.Expr:
    """Blank, zero or a positive amount."""
    text = pl.col(name)
    positive = _is_amount(name) & ~text.str.starts_with("-")
    return (text == "") | (positive & (_is_zero(name) | _is_written_plainly(name)))


def _values() -> list[pl.Expr]:
    """Cells as numbers and texts of the wire; "" is what is left out."""
    at = pl.from_epoch(pl.col("at_us"), time_unit="us").dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
    return [
        *(_if_trade(pl.col(name)).alias(name) for name in ("entry", "symbol")),
        pl.when(_is_trade).then(_volume_e8()).otherwise(0).alias("volume_e8"),
        _if_trade(pl.when(pl.col("position") != "0").then(pl.col("position")).otherwise(lit(""))).alias(
            "position"
        ),
        pl.when(_is_leg & (pl.col("order") != "0")).then(pl.col("order")).otherwise(lit("")).alias("order"),
        pl.col("comment").str.strip_chars(),
        at.str.strip_suffix(".000000").alias("occurred_at"),
    ]


def _if_trade(text: pl.Expr) -> pl.Expr:
    return pl.when(_is_trade).then(text).otherwise(lit(""))


def _volume_e8() -> pl.Expr:
    lots = pl.col("volume").str.splitn(".", 2)
    whole = lots.struct.field("field_0").cast(pl.Int64, strict=False)
    part = lots.struct.field("field_1").fill_null("").str.pad_end(8, "0").cast(pl.Int64, strict=False)
    return whole * 100_000_000 + part


def _matter() -> pl.Expr:
    """What `commission.revision` digests, in its order."""
    return pl.concat_str(
        pl.col("kind"),
        _or_none("side"),
        _or_none("entry"),
        pl.col("symbol"),
        pl.col("volume_e8"),
        lit("None"),
        "price_short",
        *(f"{name}_short" for name in MONEY),
        pl.col("currency"),
        pl.concat_str(pl.col("occurred_at").str.slice(0, 19), lit("+00:00")),
        pl.col("position"),
        separator="\x1f",
    )


def _or_none(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name)).otherwise(lit("None"))


def _line(texts: Mapping[str, Text]) -> pl.Expr:
    """The line of a deal whose fields have these texts, in the wire's own order."""
    pieces: list[str | pl.Expr] = ['{"type":"deal"']
    for field in DEAL_FIELDS:
        text, quote = texts[field.name], '"' if field.is_quoted else ""
        start = f',"{field.name}":{quote}'
        if isinstance(text, pl.Expr):
            written = pl.concat_str(lit(start), text, lit(quote))
            pieces.append(pl.when(text != "").then(written).otherwise(lit("")))
        elif text:
            pieces += [start, *text, quote]
    pieces.append("}")
    return pl.concat_str(*(lit(each) if isinstance(each, str) else each for each in _joined(pieces)))


def _joined(pieces: Iterable[str | pl.Expr]) -> Iterator[str | pl.Expr]:
    """The pieces with constants that follow each other as one: polars writes each piece of each row."""
    constant = ""
    for piece in pieces:
        if isinstance(piece, str):
            constant += piece
            continue
        if constant:
            yield constant
        yield piece
        constant = ""
    yield constant


def _texts(profile: ServerProfile, source: str, market: Container[str]) -> dict[str, Text]:
    """What each field of a plain row's deal is written as."""
    volume = pl.when(pl.col("volume_e8") != 0).then(pl.col("volume_e8").cast(pl.String)).otherwise(lit(""))
    mark = pl.when(pl.col("is_service") != "").then(lit(SERVICE_MARK)).otherwise(lit(""))
    return {
        "platform": ("mt5",),
        "server": (_escaped(profile.server),),
        "login": (pl.col("login"),),
        "deal_id": (pl.col("deal"),),
        "revision": (pl.col("revision"), mark),
        "kind": (pl.col("kind"),),
        "occurred_at": (pl.col("occurred_at"), "Z"),
        "server_time": (pl.col("time"),),
        **{name: pl.col(name) for name in ("side", "entry", "symbol", "price")},
        "volume_e8": volume,
        "position_id": pl.col("position"),
        "close_by": pl.col("order"),
        **{name: _or_nothing(name) if name in market else () for name in MARKET},
        **{name: _or_nothing(name) for name in MONEY},
        **{name: pl.col(name) for name in ("currency", "reason", "is_service", "comment")},
        "group": (_escaped(profile.group),) if profile.group else (),
        "source": (_escaped(source), pl.col("line")),
        **dict.fromkeys(UNTOLD, ()),
    }


def _or_nothing(name: str) -> pl.Expr:
    return pl.when(_is_zero(name)).then(lit("")).otherwise(pl.col(name))


def _escaped(text: str) -> str:
    """A text as it stands between the quotes of a JSON string."""
    return _STRING.dump_json(text).decode()[1:-1]
