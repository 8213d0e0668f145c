"""Orders to be written as files, small enough to be added up by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from infra.payees.details import BankAccount, PayeeDetails, TradingAccount, UsBankAccount, Wallet
from infra.payout_files.order import Debtor, OrderLine, PayoutOrder, reference

MADE = datetime(2026, 10, 5, 9, 30, 15, tzinfo=UTC)
EXECUTED = date(2026, 10, 6)
BROKER = BankAccount(holder="Example Broker Ltd", iban="DE89370400440532013000", bic="COBADEFFXXX")
US_BROKER = UsBankAccount(holder="Example Broker Inc", routing="021000021", account="000123456789")

MULLER = BankAccount(holder="Jürgen Müller & Söhne", iban="NL91ABNA0417164300")
SMITH = BankAccount(holder="Zoë O'Smith", iban="GB29NWBK60161331926819", bic="NWBKGB2L")
IVANOV = BankAccount(holder="Иванов Пётр", iban="FR1420041010050500013M02606")
FARES = BankAccount(holder="فارس للتجارة", iban="AE070331234567890123456", bic="BOMLAEAD")
BAKER = UsBankAccount(
    holder="Baker Introducing LLC of Greater New York", routing="011401533", account="55001234"
)
CLARK = UsBankAccount(
    holder="Ann Clark", routing="091000019", account="7700-12", account_type="savings", holder_type="person"
)
DAVIS = UsBankAccount(holder="Davis Partners", routing="121042882", account="987654321")
LIVE = TradingAccount(server="Example-Live", login="700123")
TETHER = Wallet(network="tron", address="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")


def line(ib_id: str, amount: str, account: PayeeDetails, remittance: str = "", name: str = "") -> OrderLine:
    """A payment of batch B-7 to an IB."""
    return OrderLine(
        end_to_end_id=reference("B-7", ib_id),
        amount=Decimal(amount),
        payee_name=name or ib_id,
        account=account,
        remittance=remittance or f"Commission 2026-09 {ib_id}",
    )


def order(*lines: OrderLine, currency: str = "EUR", debtor: Debtor | None = None) -> PayoutOrder:
    """Batch B-7."""
    return PayoutOrder(
        batch_id="B-7",
        created_at=MADE,
        execution_date=EXECUTED,
        debtor=debtor or Debtor(name="Example Broker Ltd", account=BROKER),
        currency=currency,
        lines=lines,
    )


EUROS = order(
    line("IB-1", "1234.56", MULLER),
    line("IB-2", "0.01", SMITH, "Sept. \u2013 100% «net» //A/B//"),
    line("IB-3", "765.43", IVANOV, "Комиссия за сентябрь"),
    line("IB-4", "100", FARES),
)
"""1,234.56 + 0.01 + 765.43 = 2,000.00 in SEPA, and 100.00 beyond: 2,100.00 of 4 payments."""

DOLLARS = order(
    line("IB-5", "1000.10", BAKER),
    line("IB-6", "20.05", CLARK),
    line("IB-7", "0.85", DAVIS),
    currency="USD",
    debtor=Debtor(name="Example Broker Inc", account=US_BROKER, company_id="1234567890", bank_name="Chase"),
)
"""CCD: 1,000.10 + 0.85 = 1,000.95 to 01140153 + 12104288 = 13244441; PPD: 20.05 to 09100001.
Of the file: 1,021.00, hash 22344442. Records: 1 + (1 + 4 + 1) + (1 + 2 + 1) + 1 = 12, so 2 blocks."""

MIXED = order(
    line("IB-8", "10.5", LIVE, name="=HYPERLINK(1)"),
    line("IB-9", "4.75", TETHER, remittance="+1 @all"),
    line("IB-10", "1234567", CLARK, name="Ordinary, with a comma"),
    currency="USD",
)
"""10.50 + 4.75 + 1,234,567.00 = 1,234,582.25."""

YEN = order(line("IB-11", "1200", FARES), line("IB-12", "34", SMITH), currency="JPY")
"""1,234 yen, which have no digits after the point."""

CREDITS = order(
    line("IB-8", "10.5", LIVE), line("IB-13", "3", TradingAccount(server="Demo", login="42")), currency="USD"
)
"""10.50 and 3.00 dollars to accounts of two servers."""

OF = {"nacha": DOLLARS, "bridge": CREDITS}
"""What formats pay that pay no euros."""


def many(count: int) -> PayoutOrder:
    """A batch of as many lines, each of 0.01 and one cent more than the one before."""
    lines = (line(f"IB-{n}", f"{n + 1}e-2", replace_iban(n)) for n in range(count))
    return replace(order(line("IB-0", "1", MULLER)), lines=tuple(lines))


def replace_iban(number: int) -> BankAccount:
    """One of three accounts."""
    return (MULLER, SMITH, IVANOV)[number % 3]
