"""Masks of account groups, as MT5's managers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commission.terms.checks.check import check_terms
from commission.terms.rate_matching import is_in_group
from commission.terms.rates import When
from tests.build import ANNA, SYMBOLS, deal, partner, per_lot, plan, rates, run
from tests.commission.terms.checks.plan_parts import lot, rate

NORTH = "ib:ib-north:pending"


@pytest.mark.parametrize(
    ("mask", "groups"),
    [
        ("real\\std", ["real\\std", "Real\\STD"]),
        ("real\\*", ["real\\std", "Real\\STD", "real\\test-usd", "real\\ecn1"]),
        ("real\\*,!real\\test*", ["real\\std", "Real\\STD", "real\\ecn1"]),
        ("!real\\test*, real\\*", ["real\\std", "Real\\STD", "real\\ecn1"]),
        ("*\\std, demo", ["real\\std", "Real\\STD", "demo", "cent\\std"]),
        ("real\\ecn?", ["real\\ecn1"]),
        ("*", ["real\\std", "Real\\STD", "real\\test-usd", "real\\ecn1", "demo", "cent\\std", "a.c"]),
        ("a?c", ["a.c"]),
        ("a.c*", ["a.c"]),
        ("!demo", []),
        ("", []),
    ],
)
def test_a_mask_takes_in_groups(mask: str, groups: list[str]) -> None:
    """A list, `!` in any place of it, `*` and `?`; letters of any case; every other sign is itself."""
    known = ["real\\std", "Real\\STD", "real\\test-usd", "real\\ecn1", "demo", "cent\\std", "a.c"]
    assert groups == [group for group in known if is_in_group(mask, group)]


@given(prefix=st.text("ab\\-", max_size=4), group=st.text("ab\\-", max_size=6))
def test_a_prefix_means_what_it_meant(prefix: str, group: str) -> None:
    """Masks written before there were lists: exactly, or up to a `*` at the end."""
    assert group.startswith(prefix) == is_in_group(f"{prefix}*", group)
    assert (group == prefix) == is_in_group(prefix, group) or not prefix


def test_a_condition_leaves_out_what_a_mask_excludes() -> None:
    """`real` without `real-test`: 2 lots of the first at 5, nothing of the second, in any letters."""
    north = (*SYMBOLS, partner("ib-north USD own"))
    own = plan("own USD", per_lot("*=5", when=When(groups=("real*", "!real-test*"))))
    deals = (
        deal("1 sell 2 EURUSD out", group="Real-std"),
        deal("2 sell 1 EURUSD out", group="REAL-TEST-1"),
    )
    said = run(*ANNA, *deals, terms=(*north, own))
    assert ({NORTH: "10.00 USD"}, {"2": "rejected group_not_paid"}) == (said.owed, said.reasons)


def test_the_closest_part_of_a_mask_counts() -> None:
    """In full before masks, more letters before fewer, `?` before `*`: a lot each at 9, 7, 5 and 2."""
    table = (
        rate("2", group="*"),
        rate("5", group="cent*, real-ec*"),
        rate("7", group="real-ec?"),
        rate("9", group="demo, real-ecn"),
    )
    own = plan("own USD", per_lot("*=1", rates=table))
    for number, (group, owed) in enumerate(
        (("real-ecn", "9.00"), ("real-ecx", "7.00"), ("real-ec22", "5.00"), ("real-std", "2.00"))
    ):
        record = deal(f"{number} sell 1 EURUSD out", group=group)
        said = run(*ANNA, record, terms=(*SYMBOLS, own, partner("ib-north USD own")))
        assert {NORTH: f"{owed} USD"} == said.owed


def test_masks_that_name_no_group_alike_are_no_ambiguity() -> None:
    """Equal in letters and yet apart, or told apart by an exclusion: nothing to say."""
    for masks in (("real*", "demo*"), ("ec?", "ecnn"), ("real*", "!real*,*-ec")):
        own = plan("own USD", lot(rates=(*rates("*=1"), *(rate("2", group=mask) for mask in masks[:1]))))
        both = plan("own USD", lot(rates=tuple(rate(str(n), group=mask) for n, mask in enumerate(masks, 1))))
        for one in (own, both):
            found = check_terms([*SYMBOLS, one])
            assert [] == [problem for problem in found if problem.code == "ambiguous_rate"]
