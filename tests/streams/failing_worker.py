"""A worker of the account book alone whose fold fails on the deals that a file names."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import faust

from commission.books import account as account_book
from commission.draft import Draft
from commission.events import Deal
from commission.terms.catalog import Terms
from infra.connect.topics import partition_counts
from streams.app import build_app
from streams.stages import ACCOUNTS, Stage


def failing(faults: Path) -> Stage:
    """The accounts stage; `faults` is the file with the ids of deals that cannot be applied."""

    def fold(draft: Draft, record: Any, terms: Terms) -> None:
        account_book.apply(draft, record, terms)
        if isinstance(record, Deal) and record.deal_id in faults.read_text().split():
            raise ArithmeticError(f"deal {record.deal_id} breaks an invariant")

    return replace(ACCOUNTS, fold=fold)


if __name__ == "__main__":
    kafka, path = sys.argv[1:]
    worker = build_app(kafka, partition_counts(kafka), instance="failing-1", stages=(failing(Path(path)),))
    faust.Worker(worker, loglevel="WARNING").execute_from_commandline()
