"""MT4 statements in the shapes that terminals and servers write."""

from tests.ingest.ingest_exports import TITLES, tr

JAPANESE = (
    "チケット番号", "成立日時", "取引種別", "取引額", "通貨ペア", "約定レート", "S/L:逆指値", "T/P:指値",
    "決済日時", "仕切りレート", "手数料", "税分", "スワップ", "損益",
)  # fmt: skip


def trades(swap: str = "-12", profit: str = "6 000", sums: str = "-4 000") -> str:
    """A closed buy and sell, a deposit, an order that died, and their sums."""
    return (
        "".join((
            tr("2", "2025.06.02 10:00:00", "sell", "0.30", "usdjpy-x", "150.100", "0.000", "0.000",
               "2025.06.03 09:00:00", "149.900", "-180", "0", swap, profit, title="EA[tp]"),
            tr("3", "2025.06.02 11:00:00", "buy", "0.50", "eurjpy", "163.200", "0.000", "0.000",
               "2025.06.02 12:00:00", "163.000", "-300", "-5", "0", "-10 000"),
            tr("5", "2025.06.02 10:00:00", "buy limit", "1.00", "eurjpy", "163.200", "0.000", "0.000",
               "2025.06.02 12:00:00", "163.000", "cancelled"),
        ))
        + "<tr><td>1</td><td>2025.06.01 08:00:00</td><td>balance</td><td colspan=10>Deposit</td>"
          "<td>1 000 000</td></tr>"
        + f"<tr><td colspan=10>&nbsp;</td><td>-480</td><td>-5</td><td>{swap}</td><td>{sums}</td></tr>"
    )  # fmt: skip


def page(titles: tuple[str, ...], rows: str, first: str = "ログインID: 5002", currency: str = "JPY") -> str:
    """A statement in a language of its own: no banner, label or heading that is known."""
    head = "".join(f"<td>{title}</td>" for title in titles)
    opened = tr("4", "2025.06.03 10:00:00", "buy", "0.10", "usdjpy-x", "149.800", "0.000", "0.000",
                "&nbsp;", "149.950", "-60", "0", "0", "1 500")  # fmt: skip
    return f"""<html><body><table><tr><td colspan=14>ブローカー</td></tr>
<tr><td colspan=2><b>{first}</b></td><td colspan=6><b>氏名: Account: 7 Currency: EUR</b></td>
<td colspan=2><b>基準通貨: {currency}</b></td><td>1:100</td><td colspan=3>2025.06.03 12:00</td></tr>
<tr><td colspan=14><b>決済情報:</b></td></tr><tr>{head}</tr>
{rows}<tr><td colspan=12><b>決済損益:</b></td><td colspan=2><b>-4 497</b></td></tr>
<tr><td colspan=14><b>建玉:</b></td></tr><tr>{head.replace("決済日時", "&nbsp;")}</tr>{opened}
<tr><td colspan=14><b>注文:</b></td></tr>
<tr><td colspan=13>ありません</td></tr><tr><td colspan=14><b>概要:</b></td></tr>
<tr><td colspan=2>残高:</td><td colspan=2>995 503</td><td colspan=4>有効証拠金:</td><td>996 943</td></tr>
</table></body></html>"""


def grid_of(*trades: list[str]) -> list[list[str]]:
    return [
        ["Account: 5002", "Name: Ada Example", "Currency: USD"],
        ["Closed Transactions:"],
        list(TITLES),
        *trades,
        ["Open Trades:"],
        ["No transactions"],
        ["Summary:"],
        ["Balance:", "", "94174.94"],
    ]
