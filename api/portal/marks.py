"""How a page writes single values: amounts, lots, times, states. Each is escaped here, and only here."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from markupsafe import Markup, escape

from commission.events import LOT_E8
from commission.money import plain, shown


def rounded(amount: Decimal, currency: str) -> str:
    """An amount to look at, in the currency's digits: `1,234.50`. The ledger keeps the exact one."""
    return shown(amount, currency).replace("-", "\u2212")


def lots(volume: Decimal) -> str:
    """Lots without needless zeros, two digits at least."""
    return f"{volume:,.2f}" if volume == round(volume, 2) else plain(volume)


def lots_e8(volume_e8: int) -> str:
    """Lots of a volume in 1e-8 lots."""
    return lots(Decimal(volume_e8) / LOT_E8)


def count(number: int) -> str:
    """A count with thousands separators."""
    return f"{number:,}"


def at(time: datetime) -> str:
    """A time to the minute, UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)(:\d\d)? UTC")


def prose(text: str) -> Markup:
    """Text whose `backticked` words are code, and its times."""
    return timed(Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))))  # noqa: S704  - escaped


def timed(html: Markup) -> Markup:
    """HTML without attributes of times: those in its text become what the script writes in another zone."""
    return Markup(_TIME.sub(_timed, html))  # noqa: S704  - escaped before


def _timed(found: re.Match[str]) -> str:
    day, minute, second = found.groups()
    kind = "s" if second else "m"
    return f'<time datetime="{day}T{minute}{second or ":00"}Z" data-to="{kind}">{found[0]}</time>'


def money(amount: Decimal, currency: str, *, named: bool = False, signed: bool = False) -> Markup:
    """An amount that never wraps, the exact one on hover; with its currency, with a plus, if asked."""
    text = rounded(amount, currency)
    kind = " neg" if text[0] == "\u2212" else " nil" if amount == 0 else ""
    shown = ("+" if signed and amount > 0 else "") + text
    after = Markup(' <span class="cur">{}</span>').format(currency) if named else ""
    return Markup('<span class="num{}" title="{} {}">{}{}</span>').format(
        kind, plain(amount), currency, shown, after
    )


def volume(value: Decimal) -> Markup:
    """Lots to two digits, so that a column lines up; the exact volume on hover."""
    return Markup('<span class="num{}" title="{} lots">{:,.2f}</span>').format(
        "" if value else " nil", plain(value), value
    )


def when(time: datetime | None, *, seconds: bool = False) -> Markup:
    """A time, in UTC until the script writes it in the reader's own zone."""
    if time is None:
        return Markup('<span class="dim">never</span>')
    utc = time.astimezone(UTC)
    text = f"{utc:%Y-%m-%d %H:%M:%S}" if seconds else f"{utc:%Y-%m-%d %H:%M}"
    kind = "s" if seconds else "m"
    return Markup('<time class="num" datetime="{}" data-to="{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", kind, text
    )


_CELL = re.compile(r"(?=<td[ >])")


def of_columns(rows: Markup, columns: Sequence[str], shown: Sequence[str]) -> Markup:
    """The rows of a list without the cells of columns that are not shown; a row of other cells stays whole.

    Rows are those of our own templates: no cell holds a table.
    """
    if len(shown) == len(columns):
        return rows
    kept = [column in shown for column in columns]
    return Markup("</tr>".join(_without(row, kept) for row in str(rows).split("</tr>")))  # noqa: S704  - a part of it


def _without(row: str, kept: Sequence[bool]) -> str:
    head, *cells = _CELL.split(row)
    if len(cells) != len(kept):
        return row
    last = cells[-1].rpartition("</td>")
    cells[-1] = last[0] + last[1]
    return head + "".join(cell for cell, is_kept in zip(cells, kept, strict=True) if is_kept) + last[2]
