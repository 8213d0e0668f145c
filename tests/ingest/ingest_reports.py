"""Builders of MT5 Trade History Reports as HTML, XLSX and CSV, in two layouts and languages, all made up."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

Row = Sequence[str]

ENGLISH = {
    "title": "Trade History Report", "name": "Name:", "account": "Account:", "date": "Date:",
    "Positions": "Positions", "Orders": "Orders", "Deals": "Deals", "Open Positions": "Open Positions",
}  # fmt: skip
RUSSIAN = {
    "title": "Отчет торговой истории", "name": "Имя:", "account": "Торговый счет:", "date": "Дата:",
    "Positions": "Позиции", "Orders": "Ордера", "Deals": "Сделки", "Open Positions": "Открытые позиции",
    "Time": "Время", "Open Time": "Время открытия", "Position": "Позиция", "Symbol": "Символ", "Type": "Тип",
    "Volume": "Объем", "Price": "Цена", "S / L": "S / L", "T / P": "T / P", "Commission": "Комиссия",
    "Swap": "Своп", "Profit": "Прибыль", "Order": "Ордер", "State": "Состояние", "Comment": "Комментарий",
    "Deal": "Сделка", "Direction": "Направление", "Fee": "Плата", "Balance": "Баланс",
    "Market Price": "Рыночная цена",
}  # fmt: skip
COLUMNS = {
    "Positions": "Time,Position,Symbol,Type,Volume,Price,S / L,T / P,Time,Price,Commission,Swap,Profit",
    "Orders": "Open Time,Order,Symbol,Type,Volume,Price,S / L,T / P,Time,State,Comment",
    "Deals": "Time,Deal,Symbol,Type,Direction,Volume,Price,Order,Commission,Fee,Swap,Profit,Balance,Comment",
    "Open Positions": "Time,Position,Symbol,Type,Volume,Price,S / L,T / P,Market Price,Swap,Profit,Comment",
}
HEDGE = "80000001 (USD, Broker-Demo, demo, Hedge)"
NETTING = "80000002 (USD, Broker-Demo, demo, Netting)"
OLD = "80000002 (USD, 1:100, Broker-Demo, demo)"
"""As builds of 2016 wrote it: without the margin mode."""


def deal(text: str, *, amounts: str = "0.00 0.00 0.00 0.00", balance: str, comment: str = "") -> Row:
    """`deal("10:00:00 501 EURUSD buy in 1.00 1.10000 9001", balance=…)`; amounts as the columns stand."""
    time, number, symbol, kind, direction, volume, price, order = text.split()
    cells = ("" if cell == "-" else cell for cell in (symbol, kind, direction, volume, price, order))
    return (
        f"2026.09.03 {time}",
        number,
        *cells,
        *(amount.replace("_", " ") for amount in amounts.split()),
        balance,
        comment,
    )


def cash(time: str, number: int, amount: str, *, balance: str, kind: str = "balance") -> Row:
    """A deposit, a credit or another operation without a symbol."""
    row = deal(f"{time} {number} - {kind} - - - -", amounts=f"0.00 0.00 0.00 {amount}", balance=balance)
    return [cell.replace("_", " ") for cell in row]


def position(text: str, *, amounts: str = "0.00 0.00 0.00") -> Row:
    """`position("10:00:00 9001 EURUSD buy 1.00 1.10000 11:00:00 1.10100")` of one day."""
    time, number, symbol, kind, volume, price, closed, close_price = text.split()
    opened = (f"2026.09.03 {time}", number, symbol, kind, volume, price, "", "")
    return (*opened, f"2026.09.03 {closed}", close_price, *amounts.split())


def open_position(text: str) -> Row:
    """`open_position("10:00:00 9001 EURUSD buy 1.00 1.10000")`."""
    time, *cells = text.split()
    return (f"2026.09.03 {time}", *cells, "", "", "1.10500", "0.00", "5.00", "")


def order(text: str) -> Row:
    """`order("10:00:00 9001 EURUSD buy 1.00")`, filled."""
    time, number, symbol, kind, volume = text.split()
    at = f"2026.09.03 {time}"
    return (at, number, symbol, kind, f"{volume} / {volume}", "market", "", "", at, "filled", "")


def grid(
    sections: dict[str, Sequence[Row]],
    account: str = HEDGE,
    words: dict[str, str] = ENGLISH,
    *,
    has_fee: bool = True,
) -> list[list[str]]:
    """The cells of a whole report, with its furniture: banners, sums, the summary below."""
    rows = [[words["title"]], [words["name"], "", "", "Ada Example"], [words["account"], "", "", account]]
    rows.append([words["date"], "", "", "2026.09.04 09:00"])
    for name, lines in sections.items():
        columns = COLUMNS[name].split(",")
        rows += [[words[name]], [words.get(column, column) for column in columns]]
        rows += [list(line) for line in lines]
        if name == "Deals":
            rows.append(["", "", "", "", "", "", "", "", "0.00", "0.00", "0.00", "46.25", "10 046.25", ""])
            if not has_fee:
                at = len(rows) - len(lines) - 2
                rows[at:] = [[cell for n, cell in enumerate(row) if n != 9] for row in rows[at:]]
    rows += [[], ["Balance:", "", "", "10 046.25"], ["Equity:", "", "", "10 046.25"], ["Results"]]
    return [*rows, ["Total Net Profit:", "", "", "46.25", "Gross Profit:", "", "", "46.25"]]


def html_file(path: Path, rows: list[list[str]], encoding: str = "utf-16-le") -> Path:
    """Write as the terminal does: UTF-16LE with its mark, CRLF, a hidden cell behind a position's type."""
    head = '<title>80000001: Ada Example</title><meta name="generator" content="MetaTrader 5">'
    lines = [f"<!DOCTYPE html><html><head>{head}</head><body><div><table>", *map(_html_row, rows)]
    text = "\r\n".join((*lines, "</table></div></body></html>"))
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    path.write_bytes(mark + text.encode(encoding) + "\r\n".encode(encoding))
    return path


def _html_row(row: list[str]) -> str:
    cells = [f"<td nowrap>{escape(cell).replace(' ', '&nbsp;')}</td>" for cell in row]
    if len(row) == 1:
        return f'<tr><th colspan="14"><div><b>{escape(row[0])}</b></div></th></tr>'
    if len(row) in (4, 8):
        pairs = zip(row[::4], row[3::4], strict=True)
        return "<tr>" + "".join(f'<th colspan="3">{a}</th><th>{escape(b)}</th>' for a, b in pairs) + "</tr>"
    if len(row) == 13 and row[8].startswith("2026"):
        cells.insert(4, '<td class="hidden" colspan="8">an EA</td>')
    if len(row) == 11:  # orders: the volume and the closing time are two columns wide
        cells[4], cells[8] = (cell.replace("<td", '<td colspan="2"') for cell in (cells[4], cells[8]))
    return f'<tr align="right">{"".join(cells)}</tr>'


def csv_file(path: Path, rows: list[list[str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """Write as a spreadsheet saves it: every row as wide as the widest, signs apart, amounts with a space."""
    lines = []
    for row in rows:
        cells = [_spread(cell) if cell[:1] in "-0123456789" else cell for cell in row]
        cells = [f'"{cell}"' if delimiter in cell else cell for cell in cells]
        lines.append(delimiter.join(cells + [""] * (14 - len(cells))))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return path


def _spread(cell: str) -> str:
    if cell.startswith("-"):
        return f"- {cell[1:]}"
    return f" {cell}" if "." in cell and len(cell) < 8 else cell


CONTENT_TYPES = """<?xml version="1.0"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="xml" ContentType="application/xml"/></Types>"""
WORKBOOK = """<?xml version="1.0"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"""
RELATIONS = """<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="worksheet" Target="worksheets/sheet1.xml"/></Relationships>"""


def xlsx_parts(rows: list[list[str]]) -> dict[str, bytes]:
    """The parts of a workbook as the terminal writes them: UTF-16, texts shared, numbers as numbers."""
    strings: dict[str, int] = {}
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = [_xlsx_cell(f"{chr(65 + n)}{number}", cell, strings) for n, cell in enumerate(row)]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    namespace = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    parts = {
        "[Content_Types].xml": CONTENT_TYPES,
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": RELATIONS,
        "xl/sharedStrings.xml": f'<?xml version="1.0"?><sst {namespace}>{shared}</sst>',
        "xl/worksheets/sheet1.xml": f'<?xml version="1.0"?><worksheet {namespace}>'
        f"<sheetData>{''.join(lines)}</sheetData></worksheet>",
    }
    return {name: b"\xff\xfe" + text.encode("utf-16-le") for name, text in parts.items()}


def _xlsx_cell(place: str, cell: str, strings: dict[str, int]) -> str:
    """Times, volumes and words are texts; tickets, prices and money numbers, without thousands' spaces."""
    if not cell:
        return f'<c r="{place}" s="1"/>'
    plain = cell.replace(" ", "")
    if place[0] not in "AEF" and plain.lstrip("-").replace(".", "", 1).isdecimal() and "." in plain[-6:]:
        return f'<c r="{place}" s="2"><v>{plain}</v></c>'
    if plain.isdecimal() and len(plain) > 2:
        return f'<c r="{place}" s="3"><v>{plain}</v></c>'
    return f'<c r="{place}" s="1" t="s"><v>{strings.setdefault(cell, len(strings))}</v></c>'


def zip_file(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def xlsx_file(path: Path, rows: list[list[str]]) -> Path:
    return zip_file(path, xlsx_parts(rows))
