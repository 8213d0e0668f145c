"""ISO 20022 pain.002: what the bank made of our order, in whole or payment by payment, in any version."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from infra.payout_results.reason_codes import ISO, in_words
from infra.payout_results.results import Outcome, ResultFile, Said, Scope
from infra.payout_results.safe_xml import amount_at, text_at

TAGS = ("CstmrPmtStsRpt", "pain.002.001.02")
PARTLY = "PART"
STATUSES: dict[str, tuple[Outcome, str]] = {
    "RCVD": ("pending", "received"),
    "ACTC": ("pending", "its form was accepted"),
    "ACCP": ("pending", "accepted"),
    "ACFC": ("pending", "accepted, there is money for it"),
    "ACWC": ("pending", "accepted with a change"),
    "ACWP": ("pending", "accepted, not yet credited"),
    "ACSP": ("pending", "being settled"),
    "PATC": ("pending", "further approvals are needed"),
    "PDNG": ("pending", "pending"),
    "ACSC": ("settled", "settled"),
    "ACCC": ("settled", "credited to the payee"),
    "RJCT": ("rejected", "rejected"),
    "CANC": ("rejected", "cancelled"),
}
"""Any other status is unknown."""


def from_pain_002(report: Element, version: str) -> ResultFile:
    """What a status report says; raise `Unusable` for a wrong amount."""
    return ResultFile(version or "pain.002", text_at(report, "GrpHdr/MsgId"), tuple(_said(report)))


def _said(report: Element) -> Iterator[Said]:
    group_status = ""
    for number, group in enumerate(report.findall("OrgnlGrpInfAndSts"), 1):
        group_status = text_at(group, "GrpSts")
        yield from _whole(group, group_status, "message", "OrgnlMsgId", f"group {number}")
    for number, line in enumerate(report.findall("TxInfAndSts"), 1):  # version 02
        yield _line(line, group_status, f"transaction {number}")
    for part, payment in enumerate(report.findall("OrgnlPmtInfAndSts"), 1):
        status = text_at(payment, "PmtInfSts")
        yield from _whole(payment, status, "payment", "OrgnlPmtInfId", f"payment {part}")
        for number, line in enumerate(payment.findall("TxInfAndSts"), 1):
            yield _line(line, status or group_status, f"payment {part}, transaction {number}")


def _whole(element: Element, status: str, scope: Scope, tag: str, place: str) -> Iterator[Said]:
    """What is said of all lines; that some were rejected says nothing of any one."""
    if status and status != PARTLY:
        outcome, reason = _meaning(status, element)
        yield Said(scope=scope, reference=text_at(element, tag), outcome=outcome, reason=reason, place=place)


def _line(line: Element, status_above: str, place: str) -> Said:
    """A line without a status of its own has that of its payment or group; of a part, none."""
    outcome, reason = _meaning(text_at(line, "TxSts") or status_above, line)
    amount, currency = amount_at(line, "OrgnlTxRef/Amt/InstdAmt", "OrgnlTxRef/InstdAmt")
    return Said(
        reference=text_at(line, "OrgnlEndToEndId"),
        outcome=outcome,
        reason=reason,
        amount=amount,
        currency=currency,
        place=place,
    )


def _meaning(status: str, element: Element) -> tuple[Outcome, str]:
    outcome, word = STATUSES.get(status, ("unknown", f"status {status}" if status else "no status"))
    reasons = [_reason(one) for one in element.findall("StsRsnInf")]
    if outcome == "rejected" and not reasons:
        reasons = [in_words("", ISO)]
    return outcome, f"{word}: {', '.join(reasons)}" if reasons else word


def _reason(element: Element) -> str:
    code = text_at(element, "Rsn/Cd", "StsRsn/Cd", "Rsn/Prtry", "StsRsn/Prtry")
    return in_words(code, ISO, text_at(element, "AddtlInf", "AddtlStsRsnInf"))
