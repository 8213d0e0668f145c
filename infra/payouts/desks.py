"""Everything that a server makes payouts with, put together once."""

from collections.abc import Iterable
from dataclasses import dataclass

from api.ledger import Ledger
from commission.payouts.commands import AnyCommand
from infra.payees.desk import PayeeDesk
from infra.payouts.approvers import Approvers
from infra.payouts.bank_results import BankResults
from infra.payouts.bridge import HttpBridge
from infra.payouts.changes import ChangeDesk
from infra.payouts.crediting import Crediting
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import LedgerFacts
from infra.payouts.files import Files
from infra.payouts.log import PayoutLog
from infra.payouts.payers import Payers
from infra.payouts.sanctions import SanctionList
from infra.payouts.warnings import Warnings
from infra.payouts.withholding import Withholding
from ingest.publish.publisher import publish_payout_commands
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class PayoutDesks:
    """Over one log: batches, balances, files of banks, the bridge; and what proposals ask of it."""

    log: PayoutLog
    batches: PayoutDesk
    changes: ChangeDesk
    bank_files: BankResults
    crediting: Crediting
    withholding: Withholding
    files: Files


def payout_desks(settings: Settings, kafka: str, ledger: Ledger, payees: PayeeDesk) -> PayoutDesks:
    """By the settings; raise `Unusable` for a file of theirs that cannot be used."""

    def publish(commands: Iterable[AnyCommand]) -> None:
        publish_payout_commands(commands, kafka)

    log, facts = PayoutLog(kafka), LedgerFacts(ledger)
    files = Files(Payers.read(settings.payers_file), payees.opened)
    approvers = Approvers.read(settings.approvers_file)
    SanctionList.read(settings.sanctions_file)  # one that cannot be used is said at the start
    warnings = Warnings(ledger, payees.listed, payees.opened, settings.sanctions_file)
    batches = PayoutDesk(
        log,
        facts,
        publish,
        files=files,
        payees=payees.listed,
        warnings=warnings.of,
        approvers=approvers,
    )
    return PayoutDesks(
        log=log,
        batches=batches,
        changes=ChangeDesk(log, facts, publish, approvers=approvers),
        bank_files=BankResults(log, batches, files),
        crediting=Crediting(batches, files, HttpBridge.of(settings)),
        withholding=Withholding(log, facts),
        files=files,
    )
