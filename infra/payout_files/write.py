"""The formats by name."""

from collections.abc import Callable
from functools import partial

from infra.payout_files.bridge import write_bridge
from infra.payout_files.nacha import write_nacha
from infra.payout_files.order import PayoutOrder, WrittenFile
from infra.payout_files.pain_001 import VERSIONS, write_pain_001
from infra.payout_files.tables import write_csv, write_xlsx

FORMATS: dict[str, Callable[[PayoutOrder], WrittenFile]] = {
    **{name: partial(write_pain_001, version=name) for name in VERSIONS},
    "nacha": write_nacha,
    "bridge": write_bridge,
    "csv": write_csv,
    "xlsx": write_xlsx,
}
"""Each raises `Unusable` for an order that it cannot write whole: no file leaves a line out."""
