"""Slips that pay nothing are warnings: what may be meant is told and not refused."""

from commission.terms.rates import When
from tests.commission.terms.checks.plan_parts import check, lot, plan, rate


def test_a_cell_left_out_of_a_table_by_group_is_told() -> None:
    """Gold is paid to one group and not to the other; a rate of 0 or one for all groups fills the cell."""
    table = (
        rate("5", "EURUSD", group="std*"),
        rate("8", "XAUUSD", group="std*"),
        rate("3", "EURUSD", group="vip*"),
    )
    (found,) = check(plan(lot(rates=table)))
    assert ("rate_hole", "warning") == (found.code, found.severity)
    assert "x pays nothing for XAUUSD in accounts of vip*, and other groups are paid there" in found.text
    assert check(plan(lot(rates=(*table, rate("0", "XAUUSD", group="vip*"))))) == ()
    assert check(plan(lot(rates=(*table, rate("1"))))) == ()


def test_a_group_by_itself_leaves_no_cell_out() -> None:
    """A component for one group alone is a plan for that group."""
    one = (rate("5", "EURUSD", group="std*"), rate("8", "XAUUSD", group="std*"))
    assert check(plan(lot(rates=one))) == ()


def test_a_misspelt_reason_is_told() -> None:
    """`clinet` is close to `client`; what a bridge writes may be anything else."""
    for bad in (plan(when=When(reasons=("clinet",))), plan(lot(when=When(reasons=("clinet",))))):
        (found,) = check(bad)
        assert ("unknown_reason", "warning") == (found.code, found.severity)
        assert "did you mean client?" in found.text
    assert check(plan(lot(when=When(reasons=("client", "bridge_7"))))) == ()
