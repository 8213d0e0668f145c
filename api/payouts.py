"""What the API asks of whoever makes payouts: `infra` does, for it reads and writes the log."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from api.operators import Operator
from commission.payouts.batch import Batch
from commission.payouts.changes import Change
from commission.payouts.records import LineResult, Warned
from schemas.errors import Unusable
from schemas.payouts import BatchRequest, ChangeRequest, HoldRequest


class PayoutRefused(Unusable):
    """It may not be done now, or not by this person; the message says why."""


class UnknownBatch(Unusable):
    """No batch, or change, has that id."""


class Tick(NamedTuple):
    """A warning that a person looked at; `ib_id` "" is one of the whole batch."""

    code: str
    ib_id: str


class GivenFile(Protocol):
    """A file that is paid by, and what its format had no room for: (line id, which text) each."""

    @property
    def body(self) -> bytes:
        """As the bank takes it."""

    @property
    def sha256(self) -> str:
        """Of the body, in hex."""

    @property
    def shortened(self) -> tuple[tuple[str, str], ...]:
        """Texts of which it has the beginning alone."""


class NotRecorded(NamedTuple):
    """A result that changes nothing, and why: nothing is guessed."""

    line_id: str
    why: str
    is_danger: bool = False
    """The line may be paid twice: a person looks at the bank's account."""


class Imported(NamedTuple):
    """What came of results."""

    recorded: int
    repeated: int
    """Known before, and equal."""
    refused: tuple[NotRecorded, ...]


class Unmatched(NamedTuple):
    """What a bank says that no line of ours answers to, or not as it says; where in its file."""

    place: str
    reference: str
    why: str


class ImportedFile(NamedTuple):
    """What came of a bank's file."""

    kind: str
    message_id: str
    done: Imported
    pending: int
    """Lines of which the bank says that it is at work: nothing is recorded."""
    unmatched: tuple[Unmatched, ...]
    notices: tuple[str, ...]


class BankFiles(Protocol):
    """Files that banks give back; whoever imports is named by the token."""

    def import_file(self, body: bytes, source: str, by: Operator) -> ImportedFile:
        """Record what is said of lines; raise `Unusable` for a file that cannot be read whole."""


class Credited(NamedTuple):
    """What became of lines that the bridge was asked for, or about."""

    settled: int
    rejected: int
    unknown: tuple[tuple[str, str], ...]
    """(line, what the bridge said) each: it may have been done."""
    left: int
    """Lines that one request had no room for: ask again."""
    last: str
    """The last line that was asked about."""


class Crediting(Protocol):
    """Lines paid to trading accounts; whoever asks is named by the token."""

    def credit(self, batch_id: str, by: Operator) -> Credited:
        """Ask the bridge for lines that nobody asked for, once each."""

    def sweep(self, batch_id: str, after: str, by: Operator) -> Credited:
        """Look up what became of lines of which nothing is known."""


class Payouts(Protocol):
    """Batches of payouts; whoever asks is named by the token."""

    def create(self, wanted: BatchRequest, by: Operator, key: str) -> Batch:
        """Put the period's lines that no batch has into one; with the same key again, the same batch."""

    def newest(self, period: str) -> list[Batch]:
        """Those of a period, or all, newest first."""

    def get(self, batch_id: str) -> Batch:
        """One, or `UnknownBatch`."""

    def exclude(self, batch_id: str, ib_ids: Sequence[str], reason: str, by: Operator) -> Batch:
        """Leave IBs out, before it is submitted."""

    def warnings(self, batch_id: str) -> list[tuple[Warned, bool]]:
        """What people must look at before it is paid, and whether somebody has."""

    def submit(self, batch_id: str, by: Operator, ticks: Sequence[Tick] = ()) -> Batch:
        """Ask for approval, once each warning is ticked."""

    def approve(self, batch_id: str, by: Operator, ticks: Sequence[Tick] = ()) -> Batch:
        """Let the books lock its lines, if other people made it and its payees' details; see `submit`."""

    def export(self, batch_id: str, form: str, reason: str, by: Operator) -> tuple[Batch, GivenFile]:
        """Give the file out once every line is locked; the same bytes again, with a reason."""

    def cancel(self, batch_id: str, reason: str, by: Operator) -> Batch:
        """Give everything back, before a file was given out."""

    def import_results(self, results: Sequence[LineResult], source: str, by: Operator) -> Imported:
        """Record what became of lines, each matched by its id alone."""

    def resume(self, batch_id: str, by: Operator) -> int:
        """Write what the books have not answered once more; how many commands that was."""


class Changed(NamedTuple):
    """A change of a balance, or a hold, and what the books made of it."""

    change: Change
    answer: str | None
    """None while they have not answered; "" if it was done; else why they refused it."""


class Changes(Protocol):
    """What is moved by hand, and held; whoever asks is named by the token."""

    def ask(self, wanted: ChangeRequest, by: Operator, key: str) -> Changed:
        """Ask to change a balance; with the same key again, the same change."""

    def decide(self, change_id: str, by: Operator, reason: str, *, is_approved: bool) -> Changed:
        """Approve what another person asked for, which commands the books; or reject it."""

    def hold(self, wanted: HoldRequest, by: Operator, key: str, *, is_released: bool) -> Changed:
        """Hold payouts, or release what another person held."""

    def newest(self, start: int, limit: int) -> tuple[list[Changed], int]:
        """Some of them, newest first, and how many there are."""

    def get(self, change_id: str) -> Changed:
        """One, or `UnknownBatch`."""
