"""`ibflow statements`: closed periods of IBs, listed, shown and written as files."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.console import DAILY, Json, Yes, confirm_overwrite, mendable_errors, out, print_json, say
from schemas.errors import Unusable

app = typer.Typer(
    name="statements",
    help="Closed periods of IBs: what was earned, what is payable, what is carried on.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

DOCUMENTS = (".pdf", ".html", ".csv", ".xlsx")
"""Endings of files for people; all others hold what proves the statement."""

Ib = Annotated[str, typer.Argument(metavar="IB")]
Period = Annotated[str, typer.Argument(help="Such as 2026-09.")]
Currency = Annotated[str, typer.Option(help="Needed where the IB has several.")]


@app.command("list")
def list_statements(
    *,
    ib: Annotated[str, typer.Option(help="Only of this IB.")] = "",
    period: Annotated[str, typer.Option(help="Only of this period.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1_000,
    as_json: Json = False,
) -> None:
    """Statements, oldest period first; one that was withdrawn is not among them."""
    from infra.connect.api import ask_all
    from infra.statement_documents.report import list_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        found = ask_all(Settings(), "/v1/statements", limit, ib=ib, period=period)
    if as_json:
        print_json(found)
        return
    print_tables(list_table(found))
    if len(found) == limit:
        say(f"the first {limit:,}; there may be more: --limit")


@app.command("show")
def show(ib_id: Ib, period: Period, *, currency: Currency = "", as_json: Json = False) -> None:
    """One statement: its figures in the order in which they add up, and what proves it."""
    from infra.statement_documents.report import statement_lines
    from infra.verify.statement_file import find_statement
    from schemas.settings import Settings

    with mendable_errors():
        found = find_statement(Settings(), ib_id, period, currency)
    if as_json:
        print_json(found)
        return
    for line in statement_lines(found):
        out.print(line)


@app.command("ageing")
def ageing(*, as_json: Json = False) -> None:
    """What IBs owe from closed statements, by how long ago it arose: 30, 60, 90 days, older."""
    from infra.connect.api import ask_all
    from infra.statement_documents.report import ageing_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        found = ask_all(Settings(), "/v1/ageing")
    if as_json:
        print_json(found)
    else:
        print_tables(ageing_table(found))


@app.command("invoices")
def invoices(
    *,
    year: Annotated[int, typer.Option(min=0, max=9999, help="Only of this year.")] = 0,
    as_json: Json = False,
) -> None:
    """Self-billing invoices by number: each paid line of an IB whose payee details have a rule of tax."""
    from infra.connect.api import ask_all
    from infra.statement_documents.report import invoices_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        found = ask_all(Settings(), "/v1/invoices", year=str(year or ""))
    if as_json:
        print_json(found)
    else:
        print_tables(invoices_table(found))


@app.command("invoice")
def invoice(
    number: Annotated[str, typer.Argument(help="Such as SB-2026-000017.")],
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="File to write.")],
    parties: Annotated[Path, typer.Option(dir_okay=False, help="YAML of broker and IBs.")],
    issuer: Annotated[str, typer.Option(help="Needed where several have that number.")] = "",
    locale: Annotated[str, typer.Option(help="How its reader writes numbers and dates: de, fr, ….")] = "en",
    *,
    yes: Yes = False,
) -> None:
    """Write the invoice of a payment of advances alone; one that bills a statement is the statement's."""
    from infra.statement_documents.write import write_invoice
    from schemas.settings import Settings

    confirm_overwrite(output, yes=yes)
    with mendable_errors():
        if output.suffix.lower() not in DOCUMENTS:
            raise Unusable(f"{output} ends in none of {', '.join(DOCUMENTS)}")
        say(write_invoice(Settings(), number, issuer, output, parties, locale))


@app.command("export")
def export(
    ib_id: Ib,
    period: Period,
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="File to write.")],
    currency: Currency = "",
    parties: Annotated[
        Path | None, typer.Option(dir_okay=False, help="YAML of broker and IBs as the law names them.")
    ] = None,
    locale: Annotated[str, typer.Option(help="How its reader writes numbers and dates: de, fr, ….")] = "en",
    *,
    yes: Yes = False,
) -> None:
    """Write an IB's statement with all of its transfers, for the IB to check by itself.

    A FILE that ends in .pdf, .html, .csv or .xlsx is a document for people instead; it needs --parties.
    """
    from infra.verify.statement_file import write_statement
    from schemas.settings import Settings

    is_document = output.suffix.lower() in DOCUMENTS
    confirm_overwrite(output, yes=yes)
    with mendable_errors():
        if is_document:
            say(_document(ib_id, period, currency, output, parties, locale))
        else:
            out.print(write_statement(Settings(), ib_id, period, currency, output))


def _document(ib_id: str, period: str, currency: str, output: Path, parties: Path | None, locale: str) -> str:
    from infra.statement_documents.write import write_document
    from schemas.settings import Settings

    if parties is None:
        raise Unusable(f"{output} is for people: say with --parties FILE who the broker and {ib_id} are")
    return write_document(Settings(), ib_id, period, currency, output, parties, locale)
