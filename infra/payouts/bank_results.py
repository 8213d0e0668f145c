"""Files of a bank: each thing said is laid beside the batch it speaks of, and what came of it is recorded."""

from collections import defaultdict
from dataclasses import dataclass

from api.operators import Operator, check_writer
from api.payouts import Imported, ImportedFile, Payouts, Unmatched
from commission.payouts.batch import Batch
from commission.payouts.log import Payouts as Known
from commission.payouts.records import LineResult
from infra.payout_files.order import message_id_of
from infra.payout_files.pain_001 import payment_ids_of
from infra.payout_results.read import read_results
from infra.payout_results.results import ResultFile, Said, Sent, SentLine, match
from infra.payout_results.sent import sent_of
from infra.payouts.files import Files
from infra.payouts.log import PayoutLog

MAX_REASON = 500
MAX_SOURCE = 500


@dataclass(frozen=True, slots=True)
class BankResults:
    """Reads what a bank says of any batch; a file may speak of several."""

    log: PayoutLog
    desk: Payouts
    files: Files

    def import_file(self, body: bytes, source: str, by: Operator) -> ImportedFile:
        """Record what is said of lines; raise `Unusable` for a file that cannot be read whole."""
        check_writer(by)
        file, known = read_results(body), self.log.known()
        by_batch: dict[str, list[Said]] = defaultdict(list)
        unmatched: list[Unmatched] = []
        for said in file.said:
            batch_id = _batch_of(known, said)
            if batch_id:
                by_batch[batch_id].append(said)
            else:
                why = f"no batch has this {_ID[said.scope]}: {said.words}"
                unmatched.append(Unmatched(said.place, said.reference, why))
        results: list[LineResult] = []
        pending = 0
        for batch_id, own in by_batch.items():
            matched = match(
                ResultFile(file.kind, file.message_id, tuple(own)), self._sent(known.batches[batch_id], own)
            )
            unmatched += (Unmatched(one.place, one.reference, one.why) for one in matched.unmatched)
            for one in matched.results:
                if one.outcome == "pending":
                    pending += 1
                else:
                    reason = one.reason[:MAX_REASON]
                    results.append(LineResult(line_id=one.end_to_end_id, outcome=one.outcome, reason=reason))
        named = f"{source} ({file.kind} {file.message_id})".replace(" )", ")")[:MAX_SOURCE]
        done = self.desk.import_results(results, named, by) if results else Imported(0, 0, ())
        return ImportedFile(file.kind, file.message_id, done, pending, tuple(unmatched), file.notices)

    def _sent(self, batch: Batch, said: list[Said]) -> Sent:
        """The lines of a batch; details are opened only if a part of a file is spoken of as a whole."""
        if any(one.scope == "payment" for one in said):
            return sent_of(self.files.order(batch, "pain.001.001.09"))
        lines = {one.line_id: SentLine(batch.paid(one), batch.pays) for one in batch.paid_lines}
        return Sent(message_id_of(batch.batch_id), lines)


_ID = {"line": "EndToEndId", "payment": "PmtInfId", "message": "MsgId"}


def _batch_of(known: Known, said: Said) -> str:
    """The batch of which something is said; "" if it is none of ours."""
    if said.scope == "line":
        return known.batch_of.get(said.reference, "")
    for batch_id, batch in known.batches.items():
        ids = (message_id_of(batch_id),) if said.scope == "message" else payment_ids_of(batch_id)
        if batch.exports and said.reference in ids:
            return batch_id
    return ""
