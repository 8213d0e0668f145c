"""ISO 20022 camt.054: what was booked on our account, payments and their returns, in any version."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from infra.payout_results.reason_codes import ISO, in_words
from infra.payout_results.results import Outcome, ResultFile, Said
from infra.payout_results.safe_xml import amount_at, text_at

TAGS = ("BkToCstmrDbtCdtNtfctn", "BkToCstmrDbtCdtNtfctnV01")
RETURNED = "RRTN"
"""The bank transaction code of a return that gives no reason."""
_AMOUNTS = ("AmtDtls/InstdAmt/Amt", "Amt", "AmtDtls/TxAmt/Amt")


def from_camt_054(report: Element, version: str) -> ResultFile:
    """What a notification says; entries that name no payment are notices. Raise `Unusable` if broken."""
    notices: list[str] = []
    said = tuple(_said(report, notices))
    return ResultFile(version or "camt.054", text_at(report, "GrpHdr/MsgId"), said, tuple(notices))


def _said(report: Element, notices: list[str]) -> Iterator[Said]:
    for part, notification in enumerate(report.findall("Ntfctn"), 1):
        for number, entry in enumerate(notification.findall("Ntry"), 1):
            place = f"notification {part}, entry {number}"
            lines = entry.findall("NtryDtls/TxDtls")
            batches = entry.findall("NtryDtls/Btch")
            if not lines and len(batches) == 1 and text_at(batches[0], "PmtInfId"):
                yield _batch(entry, batches[0], place)
            elif not lines:
                amount, currency = amount_at(entry, "Amt")
                notices.append(f"{place}: {amount} {currency} without details of what it is for")
            for line_number, line in enumerate(lines, 1):
                yield _line(entry, line, f"{place}, transaction {line_number}", is_only=len(lines) == 1)


def _batch(entry: Element, batch: Element, place: str) -> Said:
    """A part of our file booked as one sum, without its payments."""
    outcome, reason, is_return = _meaning(entry, entry)
    amount, currency = amount_at(entry, "Amt")
    return Said(
        scope="payment",
        reference=text_at(batch, "PmtInfId"),
        outcome=outcome,
        reason=reason,
        amount=amount,
        currency=currency,
        is_return=is_return,
        place=place,
    )


def _line(entry: Element, line: Element, place: str, *, is_only: bool) -> Said:
    outcome, reason, is_return = _meaning(entry, line)
    amount, currency = amount_at(line, *_AMOUNTS)
    if amount is None and is_only:
        amount, currency = amount_at(entry, "Amt")
    return Said(
        reference=text_at(line, "Refs/EndToEndId"),
        outcome=outcome,
        reason=reason,
        amount=amount,
        currency=currency,
        is_return=is_return,
        place=place,
    )


def _meaning(entry: Element, line: Element) -> tuple[Outcome, str, bool]:
    """A booked debit paid the payee; a credit with a reason of return, or a reversal, brought it back."""
    side = text_at(line, "CdtDbtInd") or text_at(entry, "CdtDbtInd")
    returned = line.find("RtrInf")
    is_reversal = text_at(entry, "RvslInd") in {"true", "1"}
    codes = {text_at(one, "BkTxCd/Domn/Fmly/SubFmlyCd") for one in (entry, line)}
    is_return = side == "CRDT" and (returned is not None or is_reversal or RETURNED in codes)
    status = text_at(entry, "Sts/Cd", "Sts")
    if status != "BOOK":
        return "pending", f"not booked yet ({status or 'no status'})", is_return
    if is_return:
        code = text_at(line, "RtrInf/Rsn/Cd", "RtrInf/RtrRsn/Cd", "RtrInf/Rsn/Prtry")
        return "rejected", f"returned: {in_words(code, ISO, text_at(line, 'RtrInf/AddtlInf'))}", True
    if side == "DBIT" and returned is None and not is_reversal:
        return "settled", "debited from our account", False
    return "unknown", f"a {side or 'booking of no side'} that is neither a payment nor a return", False
