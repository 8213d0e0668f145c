"""The log of proposals: which records count, whoever writes them, in any order."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commission.proposals.log import Proposals
from commission.proposals.records import (
    AnyProposalRecord,
    ProposalApproved,
    ProposalCreated,
    ProposalPosted,
    ProposalRejected,
    RowsWritten,
)
from commission.two_people import are_two_people

AT = datetime(2026, 11, 20, tzinfo=UTC)


class Log:
    """A log, written where its end is."""

    def __init__(self) -> None:
        self.known, self.end = Proposals(), 0

    def write(self, record: AnyProposalRecord) -> bool:
        """Whether it counts."""
        self.end += 1
        return self.known.add(record, self.end - 1)

    def rows(self, part: int, rows_id: str = "r") -> None:
        """Write a part of somebody's rows."""
        record = RowsWritten(rows_id=rows_id, part=part, rows="[]")
        assert self.known.why_not(record) == ""
        assert self.write(record)

    def created(self, name: str = "p", by: str = "ola", parts: int = 0, **more: Any) -> str:
        """Why it does not count, or ""."""
        fields = {"reason": "why", "wanted": "{}", "preview": "{}", "rows_id": "r", **more}
        record = ProposalCreated(place=self.end, by=by, at=AT, proposal_id=name, parts=parts, **fields)
        return self.tried(record)

    def decided(self, kind: type[Any], by: str, name: str = "p") -> str:
        """Why it does not count, or ""."""
        return self.tried(kind(place=self.end, by=by, at=AT, proposal_id=name))

    def tried(self, record: AnyProposalRecord) -> str:
        """Write it all the same: it counts if nothing is said against it."""
        why = self.known.why_not(record)
        assert self.write(record) is (why == "")
        return why


def test_two_people_decide_once() -> None:
    """Ola asks; neither she nor OLA approves; bea does, once; then it is posted, once, by anybody."""
    log = Log()
    assert log.created() == ""
    assert log.created() == "p is known"
    for ola in ("ola", "OLA", ""):
        assert log.decided(ProposalApproved, ola) == "p was created by ola; a second person approves it"
    assert log.decided(ProposalPosted, "bea") == "p is created, and not approved"
    assert log.decided(ProposalApproved, "bea") == ""
    for late in (ProposalApproved, ProposalRejected):
        assert log.decided(late, "cat") == "p was approved by bea already"
    found = log.known.known["p"]
    assert (found.state, found.last_by, found.approved and found.approved.by) == ("approved", "bea", "bea")
    assert log.decided(ProposalPosted, "ola") == ""
    assert log.decided(ProposalPosted, "ola") == "p is posted, and not approved"
    assert log.decided(ProposalRejected, "ola", "q") == "no proposal q"


def test_whoever_asked_may_take_it_back() -> None:
    """And nobody approves it after that."""
    log = Log()
    assert log.created() == ""
    assert (log.known.known["p"].last_by, log.known.known["p"].approved) == ("ola", None)
    assert log.decided(ProposalRejected, "ola") == ""
    assert log.decided(ProposalApproved, "bea") == "p was rejected by ola already"


def test_a_record_counts_where_its_maker_expected_it() -> None:
    """Written one place later it does nothing."""
    log = Log()
    assert log.created() == ""
    late = ProposalApproved(place=log.end, by="bea", at=AT, proposal_id="p")
    log.rows(0, "another's")
    assert log.known.why_not(late) == ""
    assert not log.write(late)
    assert log.known.known["p"].state == "created"


def test_all_rows_stand_before_their_proposal() -> None:
    """Parts 0 and 1 in their order, as often as a crash repeats them; and nothing without a reason."""
    log = Log()
    assert log.created(parts=2) == "rows of p are missing"
    for part in (0, 0, 2, 1, 1):
        log.rows(part)
    assert log.created(parts=2, reason=" ") == "say why"
    assert log.created(parts=2) == ""
    assert log.known.known["p"].rows_at == (2, 4)
    log.rows(0)
    assert log.known.known["p"].rows_at == (2, 4), "what is written later changes nothing"
    assert log.created("q", parts=2) == "rows of q are missing"


def test_an_end_is_taken_back_by_one_proposal_at_a_time() -> None:
    """The other waits until the first is posted; another period's does not."""
    log = Log()
    for name, period in (("p", "2026-09"), ("q", "2026-09"), ("r", "2026-10"), ("s", ""), ("t", "")):
        assert log.created(name, reopens=period) == ""
    assert log.decided(ProposalApproved, "bea") == ""
    assert log.decided(ProposalApproved, "bea", "q") == (
        "p takes back the end of 2026-09, and is not posted yet"
    )
    for name in ("r", "s", "t"):
        assert log.decided(ProposalApproved, "bea", name) == ""
    assert log.decided(ProposalPosted, "bea") == ""
    assert log.decided(ProposalApproved, "bea", "q") == ""


PEOPLE, NAMES = ("ola", "Ola ", "bea", "cat"), ("p", "q", "r")
KINDS = (ProposalCreated, ProposalApproved, ProposalRejected, ProposalPosted)
ACTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.integers(0, 9)),
    max_size=40,
)


@given(acts=ACTS)
def test_whatever_people_write_two_of_them_decide_once(acts: list[Any]) -> None:
    """Any records, a tenth of them late: each proposal is created once, decided once, posted after that."""
    written: list[AnyProposalRecord] = []
    for kind, by, name, is_late in acts:
        more = {"wanted": "{}", "preview": "{}", "rows_id": "r", "parts": 0, "reopens": name[:1]}
        fields = more if kind is ProposalCreated else {}
        place = len(written) - (is_late == 0)
        written.append(kind(place=place, by=by, at=AT, proposal_id=name, reason="why", **fields))
    log, counted = Proposals(), []
    for offset, record in enumerate(written):
        if log.add(record, offset):
            assert not isinstance(record, RowsWritten)
            assert record.place == offset
            counted.append((record.proposal_id, type(record)))
    times = Counter(counted)
    for name, found in log.known.items():
        assert times[name, ProposalCreated] == 1
        assert times[name, ProposalApproved] + times[name, ProposalRejected] <= 1
        assert times[name, ProposalPosted] <= times[name, ProposalApproved]
        assert found.approved is None or are_two_people(found.created.by, found.approved.by)
        assert [type(one) for one in found.decisions] == [k for n, k in counted if n == name][1:]
