"""Many writes of a store at once, and a crash at any step of them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams import store as stores
from streams.store import RocksStore
from tests.streams.bulk_changes import CHANGES, STEPS, after, change, contents

WRITES = """
import sys
from pathlib import Path
from streams.store import RocksStore

store = RocksStore(Path(sys.argv[1]), "one/0")
def write(numbers):
    for number in numbers:
        store.write({b"%06d" % number: bytes(10_000)}, number + 1)
with store.bulk():
    write(range(4_000))
    if sys.argv[2] == "inside":
        print("here", flush=True), sys.stdin.read()
write(range(4_000, 4_010))
print("here", flush=True), sys.stdin.read()
"""


@pytest.mark.parametrize(("where", "least"), [("inside", 1), ("after", 4_010)])
def test_a_crash_leaves_a_beginning_of_many_writes(tmp_path: Path, where: str, least: int) -> None:
    """40 MB without RocksDB's log, then SIGKILL: what is there is all up to its position. Once they ended
    well, nothing of them is lost, nor of what is written afterwards."""
    command = [sys.executable, "-c", WRITES, str(tmp_path / "state"), where]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
    store = RocksStore(tmp_path / "state", "one/0")
    assert least <= store.position <= 4_010
    assert list(store.keys(b"0")) == [b"%06d" % number for number in range(store.position)]
    store.close()


def test_a_folder_is_opened_with_the_options_of_today(tmp_path: Path) -> None:
    """Killed while it kept all unsorted, it is sorted again once opened; its cache is the worker's."""
    command = [sys.executable, "-c", WRITES, str(tmp_path / "state"), "inside"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
    store = RocksStore(tmp_path / "state", "one/0")
    newest = max((tmp_path / "state").glob("OPTIONS-*"), key=lambda found: found.name)
    assert "disable_auto_compactions=false" in newest.read_text()
    assert store._db.property_int_value("rocksdb.block-cache-capacity") == stores.CACHE_BYTES
    store.close()


DIES = """
import os, signal, sys
from pathlib import Path
from streams import store as stores
from tests.streams.bulk_changes import CHANGES, STEPS, change

class Dying:
    # RocksDB up to the step of the bulk's end at which the process is killed.
    def __init__(self, db, last):
        self.db, self.left = db, last
    def __getattr__(self, name):
        if name in STEPS:
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return getattr(self.db, name)

stores.MOST_UNSORTED = 1
store = stores.RocksStore(Path(sys.argv[1]), "one/0")
with store.bulk():
    for number in range(CHANGES):
        store.write(dict([change(number)]), number + 1)
    store._db = Dying(store._db, int(sys.argv[2]))
"""


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_bulk_killed_at_any_step_of_its_end_is_a_beginning(tmp_path: Path, step: int) -> None:
    """Keys written and deleted again over several files: what is found is what its position says, all of it
    from the flush on; and the same bulk goes on from there, to the same state at every later opening."""
    command = [sys.executable, "-c", DIES, str(tmp_path / "state"), str(step)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    store = RocksStore(tmp_path / "state", "one/0")
    begun = store.position
    assert begun == CHANGES if step else 0 < begun < CHANGES
    assert contents(store) == after(begun)
    with store.bulk():
        for number in range(begun, CHANGES + 500):
            store.write(dict([change(number)]), number + 1)
    store.write({b"later": b"1"}, CHANGES + 501)
    store.close()
    again = RocksStore(tmp_path / "state", "one/0")
    assert again.position == CHANGES + 501
    assert contents(again) == after(CHANGES + 500) | {b"later": b"1"}
    again.close()
