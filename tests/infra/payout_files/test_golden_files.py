"""Each format once, byte for byte: what a bank gets is looked at when it changes, never by accident.

The totals of the files are added up by hand in `orders`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.payout_files.tables import manifest
from infra.payout_files.write import FORMATS
from tests.infra.payout_files import orders

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "euros.pain.001.001.09.xml": (orders.EUROS, "pain.001.001.09"),
    "euros.pain.001.001.03.xml": (orders.EUROS, "pain.001.001.03"),
    "yen.pain.001.001.09.xml": (orders.YEN, "pain.001.001.09"),
    "dollars.ach": (orders.DOLLARS, "nacha"),
    "mixed.csv": (orders.MIXED, "csv"),
    "credits.jsonl": (orders.CREDITS, "bridge"),
}
OTHER_PROCESS = """
from infra.payout_files.write import FORMATS
from tests.infra.payout_files import orders
for name in sorted(FORMATS):
    order = orders.OF.get(name, orders.EUROS)
    print(name, FORMATS[name](order).sha256)
"""


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_it_was(name: str) -> None:
    """The bytes of a batch that was sent are the bytes of its re-export, in every version of ibflow."""
    order, kind = FILES[name]
    assert (GOLDEN / name).read_bytes() == FORMATS[kind](order).body


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}, {"PYTHONHASHSEED": "2"}]
)
def test_another_process_writes_the_same_bytes(environment: dict[str, str]) -> None:
    """Workbooks too, whatever the machine's time zone and the hashes of the process."""
    ours = {name: FORMATS[name](orders.OF.get(name, orders.EUROS)).sha256 for name in FORMATS}
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ours == dict(line.split(" ") for line in done.stdout.splitlines())


def test_the_manifest_is_what_sha256sum_checks(tmp_path: Path) -> None:
    """A receiver needs no tool of ours to see that nothing was changed on the way."""
    files = [FORMATS["csv"](orders.MIXED), FORMATS["xlsx"](orders.MIXED)]
    for file in [*files, manifest(files, "B-7")]:
        (tmp_path / file.name).write_bytes(file.body)
    checked = subprocess.run(
        ["sha256sum", "--check", "B-7.sha256"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [f"{file.name}: OK" for file in files] == checked.stdout.splitlines()
