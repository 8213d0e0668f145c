"""`ibflow payouts`: batches made, approved by another person, exported, and what became of their lines."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.console import (
    DAILY,
    ExitCode,
    Json,
    Yes,
    confirm_overwrite,
    mendable_errors,
    out,
    print_json,
    say,
    warn,
)

if TYPE_CHECKING:
    from ibflow_client import Client, models

app = typer.Typer(
    name="payouts",
    help="Pay what closed statements owe: batches that another person approves, their files and results.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

FORMATS = "csv, xlsx, pain.001.001.09, pain.001.001.03, nacha or bridge."
BatchId = Annotated[str, typer.Argument(help="Such as b-1a2b3c4d5e6f7a8b.")]
Ticks = Annotated[list[str] | None, typer.Option(help="A warning you looked at, as CODE:IB; again for each.")]
TicksFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="File of such, one a line, as `warnings` prints them."),
]
Why = Annotated[str, typer.Option(help="Why.")]


@app.command("create")
def create(
    period: Annotated[str, typer.Argument(help="Such as 2026-09.")],
    currency: Annotated[str, typer.Argument(help="Such as USD.")],
    *,
    minimum: Annotated[str, typer.Option(help="Leave out lines below this.")] = "0",
    pay_in: Annotated[
        str, typer.Option(help="Pay the IBs that are paid in this currency, at the newest published rate.")
    ] = "",
    method: Annotated[
        str, typer.Option(help="Pay the IBs that are paid by bank, us_bank, trading_account or wallet.")
    ] = "",
    key: Annotated[str, typer.Option(help="Any text: with the same again, the same batch.")] = "",
    as_json: Json = False,
) -> None:
    """Put the lines of a period in a currency that no batch has into one; nothing is locked or paid yet."""
    from ibflow_client import models

    from infra.payouts.client import ask_payouts

    with mendable_errors():
        fields: dict[str, Any] = {
            "period": period,
            "currency": currency.upper(),
            "minimum": minimum,
            "pay_in": pay_in.upper(),
            "method": method,
        }
        wanted = models.BatchRequest(**fields)
        made = ask_payouts(lambda api: api.post_payouts(wanted, idempotency_key=key or None))
    _print(made, as_json=as_json)


@app.command("list")
def list_batches(
    period: Annotated[str, typer.Option(help="Only of this period.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """Batches, newest first."""
    from infra.payouts.client import items_of
    from infra.payouts.report import list_table
    from infra.terminal import show as print_tables

    with mendable_errors():
        found = items_of(
            lambda api, size, after: api.get_payouts(period=period or None, limit=size, cursor=after), limit
        )
    if as_json:
        print_json(found)
    else:
        print_tables(list_table(found))


@app.command("show")
def show(
    batch_id: BatchId,
    *,
    lines: Annotated[bool, typer.Option("--lines", help="Each line as well.")] = False,
    as_json: Json = False,
) -> None:
    """One batch: who did what, and what became of its lines."""
    from infra.payouts.client import ask_payouts, items_of
    from infra.payouts.report import lines_table
    from infra.terminal import show as print_tables

    with mendable_errors():
        found = ask_payouts(lambda api: api.get_payout(batch_id))
        each = (
            items_of(lambda api, size, after: api.get_payout_lines(batch_id, limit=size, cursor=after))
            if lines
            else []
        )
    if as_json:
        print_json({**found, "each": each} if lines else found)
        return
    _print(found, as_json=False)
    if lines:
        print_tables(lines_table(each, found))


@app.command("exclude")
def exclude(
    batch_id: BatchId,
    ibs: Annotated[list[str], typer.Argument(help="The IBs to leave out.")],
    *,
    reason: Why,
    as_json: Json = False,
) -> None:
    """Leave IBs out, before the batch is submitted; another one may pay them."""
    from ibflow_client import models

    wanted = models.Excluded(ibs=ibs, reason=reason)
    _step(lambda api: api.post_payout_exclude(batch_id, wanted), as_json=as_json)


@app.command("submit")
def submit(batch_id: BatchId, *, tick: Ticks = None, ticks: TicksFile = None, as_json: Json = False) -> None:
    """Ask another person for approval, once each warning is ticked; the lines change no more."""
    ticked = _ticked(tick, ticks)
    _step(lambda api: api.post_payout_submit(batch_id, ticked), as_json=as_json)


@app.command("approve")
def approve(batch_id: BatchId, *, tick: Ticks = None, ticks: TicksFile = None, as_json: Json = False) -> None:
    """Let the books lock its lines: by somebody who had no hand in it, or in where its IBs are paid."""
    ticked = _ticked(tick, ticks)
    _step(lambda api: api.post_payout_approve(batch_id, ticked), as_json=as_json)


@app.command("warnings")
def warnings(batch_id: BatchId, *, as_json: Json = False) -> None:
    """What to look at before a batch is paid, as CODE:IB for `--tick`; exit 1 while one is unticked."""
    from infra.payouts.client import items_of

    with mendable_errors():
        found = items_of(lambda api, size, after: api.get_payout_warnings(batch_id, limit=size, cursor=after))
    if as_json:
        print_json(found)
    else:
        for one in found:
            mark = "✓" if one["is_ticked"] else " "
            say(f"{mark} {one['code']}:{one['ib_id']}  {one['words']}")
    if not all(one["is_ticked"] for one in found):
        raise typer.Exit(ExitCode.BROKEN)


@app.command("cancel")
def cancel(batch_id: BatchId, *, reason: Why, as_json: Json = False) -> None:
    """Give everything back; not once the file was given out."""
    from ibflow_client import models

    why = models.Cancelled(reason=reason)
    _step(lambda api: api.post_payout_cancel(batch_id, why), as_json=as_json)


@app.command("export")
def export(
    batch_id: BatchId,
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="File to write.")],
    *,
    form: Annotated[str, typer.Option("--format", help=FORMATS)] = "csv",
    reason: Annotated[str, typer.Option(help="Why once more, if it was given out before.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write the file to pay by, once every line is locked, and its SHA-256 beside it.

    Each line is paid to the details that were valid at the approval. Once more it has the same bytes, and
    asks why. pain.001 and nacha need an account to pay from (IBFLOW_PAYERS_FILE).
    """
    from infra.payouts.client import export as export_file
    from infra.payouts.report import shortened_lines

    confirm_overwrite(output, yes=yes)
    with mendable_errors():
        made = export_file(batch_id, form, reason, output)
    _print(made, as_json=as_json)
    if not as_json:
        say(f"{output}: sha256 {made['sha256']}")
        for line in shortened_lines(made["shortened"]):
            warn(line)


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="pain.002, camt.054, NACHA returns, or a CSV: end_to_end_id, status, reason.",
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Record what became of lines, each found by its end-to-end id; what does not match is listed: exit 1."""
    from infra.payouts.client import import_file as import_results
    from infra.payouts.report import import_lines

    with mendable_errors():
        found = import_results(file)
    if as_json:
        print_json(found)
    else:
        told, not_matched = import_lines(found)
        say(told)
        for line in not_matched:
            warn(line)
    if found["refused_count"] or found["unmatched_count"]:
        raise typer.Exit(ExitCode.BROKEN)


@app.command("resume")
def resume(batch_id: BatchId, *, as_json: Json = False) -> None:
    """After a crash, command the books once more what they have not answered; each command counts once."""
    from infra.payouts.client import ask_payouts

    with mendable_errors():
        found = ask_payouts(lambda api: api.post_payout_resume(batch_id))
    print_json(found) if as_json else say(f"{found['commands']} commands written")


@app.command("credit")
def credit(batch_id: BatchId, *, as_json: Json = False) -> None:
    """Let the bridge credit the trading accounts of an exported batch; exit 1 while a line is unknown.

    Each line is asked for once. Without a ticket back it is unknown: `sweep` looks it up.
    """
    from infra.payouts.client import credited

    with mendable_errors():
        found = credited(lambda api, _: api.post_payout_credit(batch_id))
    _credited(found, as_json=as_json)


@app.command("sweep")
def sweep(batch_id: BatchId, *, as_json: Json = False) -> None:
    """Ask the bridge what became of lines of which nothing is known; exit 1 while one is left."""
    from infra.payouts.client import credited

    with mendable_errors():
        found = credited(lambda api, after: api.post_payout_sweep(batch_id, after=after), is_paged=True)
    _credited(found, as_json=as_json)


@app.command("reconcile")
def reconcile(*, as_json: Json = False) -> None:
    """Compare ledger, statements, batches, files and results, and what platforms pay IBs by themselves.

    Differences line by line, and exit 1.
    """
    from infra.payouts.reconcile import fetch_reconciliation
    from schemas.settings import Settings

    with mendable_errors():
        found = fetch_reconciliation(Settings())
    native = found["native"]
    if as_json:
        print_json(found)
    else:
        for one in (*found["differences"], *native["differences"]):
            warn(one)
        say(f"{found['batches']} batches, {found['lines']} lines, {len(found['differences'])} differences")
        if native["days"]:
            differ = f"{len(native['differences'])} differ, {native['unlike']} are of two currencies"
            say(f"{native['days']} days of IBs that platforms pay as well, {differ}")
    if found["differences"] or native["differences"]:
        raise typer.Exit(ExitCode.BROKEN)


def _credited(found: list[dict[str, Any]], *, as_json: bool) -> None:
    count = {name: sum(one[name] for one in found) for name in ("settled", "rejected")}
    unknown = [one for part in found for one in part["unknown"]]
    if as_json:
        print_json({**count, "unknown": unknown})
    else:
        say(f"{count['settled']} settled, {count['rejected']} rejected, {len(unknown)} unknown")
        for one in unknown:
            warn(f"{one['line_id']}: {one['why']}")
    if unknown:
        raise typer.Exit(ExitCode.BROKEN)


def _ticked(given: list[str] | None, file: Path | None) -> "models.Ticked":
    """What is ticked, as the API takes it."""
    from ibflow_client import models

    lines = file.read_text(encoding="utf-8").splitlines() if file is not None else []
    codes = [one.strip().removeprefix("✓").lstrip().partition("  ")[0] for one in lines]
    pairs = [one.strip().partition(":") for one in [*(given or []), *codes] if one.strip()]
    return models.Ticked(ticks=[models.OneTick(code=code, ib_id=ib_id) for code, _, ib_id in pairs])


def _step(question: "Callable[[Client], models.PayoutBatch]", *, as_json: bool) -> None:
    from infra.payouts.client import ask_payouts

    with mendable_errors():
        found = ask_payouts(question)
    _print(found, as_json=as_json)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    from infra.payouts.report import batch_lines

    if as_json:
        print_json(found)
        return
    for line in batch_lines(found):
        out.print(line)
