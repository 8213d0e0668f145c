"""ISO 20022 pain.001: credit transfers from IBAN to IBAN, in the versions that banks take today.

Built with the standard library: the generated bindings on the index are 57 MB, spell the classes of each
version differently and check no length. `tests/infra/payout_files` holds every file against the XSDs instead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from infra.payees.details import BankAccount, in_sepa
from infra.payout_files.bank_text import MAX_NAME, MAX_REMITTANCE, is_shortened, sepa_text
from infra.payout_files.order import (
    OrderLine,
    PayoutOrder,
    WrittenFile,
    amount_text,
    check,
    kind_of,
    reference,
    refuse,
    total,
)


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between the versions."""

    name: str
    bic_tag: str
    has_date_choice: bool


VERSIONS = {
    "pain.001.001.03": Version("pain.001.001.03", "BIC", has_date_choice=False),
    "pain.001.001.09": Version("pain.001.001.09", "BICFI", has_date_choice=True),
}


def write_pain_001(order: PayoutOrder, version: str = "pain.001.001.09") -> WrittenFile:
    """Write a batch; raise `Unusable` for what no bank could pay, or a payee that is not paid by IBAN."""
    check(order)
    refuse(_faults(order))
    form = VERSIONS[version]
    root = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:{form.name}")
    initiation = SubElement(root, "CstmrCdtTrfInitn")
    header = SubElement(initiation, "GrpHdr")
    _text(header, "MsgId", order.message_id)
    _text(header, "CreDtTm", f"{order.created_utc:%Y-%m-%dT%H:%M:%SZ}")
    _sums(header, order, order.lines)
    _text(SubElement(header, "InitgPty"), "Nm", sepa_text(order.payer.name, MAX_NAME))
    for is_sepa, lines in _parts(order):
        _payment(initiation, order, form, lines, is_sepa=is_sepa)
    indent(root, " ")
    text = tostring(root, encoding="unicode")  # as bytes it takes twice as long
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
    return WrittenFile(f"{order.message_id}.{form.name}.xml", body.encode(), tuple(_shortened(order.lines)))


def payment_id_of(order: PayoutOrder, line: OrderLine) -> str:
    """The PmtInfId of the part of the file that a line stands in: a bank may answer for it as a whole."""
    return _payment_id(order.batch_id, is_sepa=_is_sepa(order, line))


def payment_ids_of(batch_id: str) -> tuple[str, str]:
    """The PmtInfIds that its parts may have."""
    return _payment_id(batch_id, is_sepa=True), _payment_id(batch_id, is_sepa=False)


def _faults(order: PayoutOrder) -> Iterator[str]:
    if not isinstance(order.payer.account, BankAccount):
        yield "pain.001 pays from an account with an IBAN; the debtor has another"
        return
    for line in order.lines:
        if not isinstance(line.account, BankAccount):
            yield f"{line.end_to_end_id}: is paid by {kind_of(line)}, not by IBAN"
        elif not line.account.bic and not _is_sepa(order, line):
            yield f"{line.end_to_end_id}: a payment that is not SEPA needs the BIC of the payee's bank"


def _is_sepa(order: PayoutOrder, line: OrderLine) -> bool:
    ends = (order.payer.account, line.account)
    return order.currency == "EUR" and all(isinstance(one, BankAccount) and in_sepa(one.iban) for one in ends)


def _parts(order: PayoutOrder) -> list[tuple[bool, tuple[OrderLine, ...]]]:
    """SEPA payments and others, each a part of the file with totals of its own; none is empty."""
    parts: dict[bool, list[OrderLine]] = {True: [], False: []}
    for line in order.lines:
        parts[_is_sepa(order, line)].append(line)
    return [(is_sepa, tuple(lines)) for is_sepa, lines in parts.items() if lines]


def _payment_id(batch_id: str, *, is_sepa: bool) -> str:
    return reference("payment", batch_id, "sepa" if is_sepa else "other")


def _payment(
    parent: Element, order: PayoutOrder, form: Version, lines: tuple[OrderLine, ...], *, is_sepa: bool
) -> None:
    account = order.payer.account
    assert isinstance(account, BankAccount), "checked before anything is written"
    payment = SubElement(parent, "PmtInf")
    _text(payment, "PmtInfId", _payment_id(order.batch_id, is_sepa=is_sepa))
    _text(payment, "PmtMtd", "TRF")
    _sums(payment, order, lines)
    if is_sepa:
        _text(payment, "PmtTpInf/SvcLvl/Cd", "SEPA")
    _text(payment, "ReqdExctnDt/Dt" if form.has_date_choice else "ReqdExctnDt", f"{order.execution_date}")
    _text(payment, "Dbtr/Nm", sepa_text(order.payer.name, MAX_NAME))
    _text(payment, "DbtrAcct/Id/IBAN", account.iban)
    if account.bic:
        _text(payment, f"DbtrAgt/FinInstnId/{form.bic_tag}", account.bic)
    else:
        _text(payment, "DbtrAgt/FinInstnId/Othr/Id", "NOTPROVIDED")
    _text(payment, "ChrgBr", "SLEV" if is_sepa else "SHAR")
    for line in lines:
        _transfer(payment, order.currency, form, line)


def _transfer(payment: Element, currency: str, form: Version, line: OrderLine) -> None:
    assert isinstance(line.account, BankAccount), "checked before anything is written"
    transfer = SubElement(payment, "CdtTrfTxInf")
    _text(transfer, "PmtId/EndToEndId", line.end_to_end_id)
    _text(transfer, "Amt/InstdAmt", amount_text(line.amount, currency), Ccy=currency)
    if line.account.bic:
        _text(transfer, f"CdtrAgt/FinInstnId/{form.bic_tag}", line.account.bic)
    _text(transfer, "Cdtr/Nm", sepa_text(line.account.holder, MAX_NAME))
    _text(transfer, "CdtrAcct/Id/IBAN", line.account.iban)
    _text(transfer, "RmtInf/Ustrd", sepa_text(line.remittance, MAX_REMITTANCE))


def _sums(parent: Element, order: PayoutOrder, lines: tuple[OrderLine, ...]) -> None:
    _text(parent, "NbOfTxs", str(len(lines)))
    _text(parent, "CtrlSum", amount_text(total(lines), order.currency))


def _text(parent: Element, path: str, text: str, **attributes: Any) -> None:
    """Add elements one inside the other, and text to the innermost."""
    *outer, last = path.split("/")
    for tag in outer:
        parent = SubElement(parent, tag)
    SubElement(parent, last, attributes).text = text


def _shortened(lines: Iterable[OrderLine]) -> Iterator[tuple[str, str]]:
    for line in lines:
        assert isinstance(line.account, BankAccount), "checked before anything is written"
        if is_shortened(line.account.holder, MAX_NAME):
            yield line.end_to_end_id, "name"
        if is_shortened(line.remittance, MAX_REMITTANCE):
            yield line.end_to_end_id, "remittance"
