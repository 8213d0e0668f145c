"""The example broker: its terms, its files, and the server each file came from."""

from dataclasses import dataclass
from pathlib import Path

from infra.sources.files import Input
from ingest.terms.folder import Broker, load_terms

INSTALLED = Path(__file__).parent / "example_broker"
"""Where the wheel puts it; a checkout has it among its examples."""
BROKER = INSTALLED if INSTALLED.exists() else Path(__file__).parents[2] / "examples" / "broker"
ENDED_PERIODS = ["2026-09", "2026-10"]
"""The months the example trades in."""


@dataclass(frozen=True, slots=True)
class Example:
    """The files of an example broker and the server each came from."""

    broker: Broker
    inputs: tuple[Input, ...]
    late: tuple[Input, ...]
    """What arrives when the rest has long been paid for: corrections, a registration, a chargeback."""

    @classmethod
    def load(cls, folder: Path = BROKER) -> "Example":
        """Read the terms and find the exports beside them, in the order they are fed."""
        broker = load_terms(folder / "terms")
        deals = [
            Input(path, broker.servers[path.name.split(".")[0]])
            for path in sorted(folder.glob("*.deals.csv"))
        ]
        corrections = [
            Input(path, broker.servers[path.name.split(".")[0]])
            for path in sorted(folder.glob("*.corrections.csv"))
        ]
        statements = [
            Input(path, broker.servers[path.parent.name]) for path in sorted(folder.glob("*/*.htm"))
        ]
        crm, late = Input(folder / "crm.csv"), Input(folder / "crm-late.csv")
        return cls(broker, (crm, *deals, *statements), (*corrections, late))
