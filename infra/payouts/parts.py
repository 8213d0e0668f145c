"""Everything about payouts that a server runs: who is paid where, batches, files, results, other changes."""

from collections.abc import Iterable

from api.ledger import Ledger
from commission.payouts.commands import AnyCommand, ClientCommand
from infra.payees.desk import PayeeDesk, PayeeLog
from infra.payees.sealing import keys_of
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


class PayoutParts:
    """Opened with the server; what cannot be used of the settings is said then."""

    def __init__(self, ledger: Ledger, settings: Settings, kafka: str) -> None:
        self.log = log = PayoutLog(kafka)
        facts, approvers = LedgerFacts(ledger), Approvers.read(settings.approvers_file)
        self.withholding = Withholding(log, facts)
        self.payees = PayeeDesk(PayeeLog(kafka), keys_of(settings))
        self.files = Files(Payers.read(settings.payers_file), self.payees.opened)

        def publish(commands: Iterable[AnyCommand | ClientCommand]) -> None:
            publish_payout_commands(commands, kafka)

        SanctionList.read(settings.sanctions_file)
        warnings = Warnings(
            ledger, self.payees.listed, self.payees.opened, settings.sanctions_file, settings.reward_percent
        )
        self.desk = PayoutDesk(
            log,
            facts,
            publish,
            files=self.files,
            payees=self.payees.listed,
            warnings=warnings.of,
            approvers=approvers,
        )
        self.bank_files = BankResults(log, self.desk, self.files)
        self.changes = ChangeDesk(log, facts, publish, approvers=approvers)
        self.crediting = Crediting(self.desk, self.files, HttpBridge.of(settings))
