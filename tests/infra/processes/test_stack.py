"""`ibflow dev`: it says "up" when a message went through, says why when none can, and is alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.processes.child_process import MAX_QUICK_DEATHS, TAIL_LINES, Process
from infra.processes.owner import Owner
from infra.processes.stack import Stack
from schemas.errors import Unavailable
from schemas.settings import Settings

SHADOWS = "raise SystemExit('the project of this folder was imported')"


def keep_for_ever(process: Process) -> None:
    while True:
        process.keep()
        time.sleep(0.05)


def test_a_process_that_keeps_ending_is_given_up(tmp_path: Path) -> None:
    """Three quick deaths: a sentence with the log's name, the code and its last lines; a kill is no death."""
    process = Process("w-1", ["worker"], tmp_path / "w-1.log", module="no_such_module")
    process.start()
    with pytest.raises(Unavailable) as told:
        keep_for_ever(process)
    assert (2, 3) == (process.restarts, process.quick_deaths)
    assert "w-1 ended 3 times in a row soon after its start, the last time with 1" in str(told.value)
    assert f"{tmp_path}/w-1.log ends with:" in str(told.value)
    assert str(told.value).endswith("No module named no_such_module")
    assert TAIL_LINES >= len(str(told.value).splitlines()) - 1


def test_a_kill_of_ours_is_no_quick_death(tmp_path: Path) -> None:
    """As often as it is killed it is started again."""
    process = Process("w-1", ["hello", "5"], tmp_path / "w-1.log", module="timeit")
    process.start()
    for _ in range(MAX_QUICK_DEATHS + 1):
        process.kill()
        process.started_at -= 2
        process.keep()
    assert (MAX_QUICK_DEATHS + 1, 0) == (process.restarts, process.quick_deaths)
    process.kill()


def test_a_project_in_the_current_folder_shadows_nothing(tmp_path: Path) -> None:
    """With `api/`, `schemas/`, `infra/` of its own beside it, a process of ours is ours."""
    for name in ("api", "schemas", "infra", "commission"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(SHADOWS)
    start = "from infra.processes.child_process import Process; from pathlib import Path; import sys; "
    start += "p = Process('s', ['schema'], Path('s.log')); p.start(); sys.exit(p.running.wait())"
    done = subprocess.run([sys.executable, "-P", "-c", start], cwd=tmp_path, check=False)
    assert (0, True) == (done.returncode, (tmp_path / "s.log").read_text().startswith("{"))


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second `dev` says who runs there, before it starts anything; an owner that left is forgotten."""
    settings = Settings(data_dir=tmp_path, api_port=0)
    owner = Owner.take(tmp_path)
    with pytest.raises(Unavailable, match=rf"another ibflow \(process {os.getpid()}\) runs in {tmp_path}"):
        Stack(settings).start()
    assert ["owner.lock"] == [path.name for path in tmp_path.iterdir()]
    owner.leave()
    Owner.take(tmp_path).leave()
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written: Not a directory; name another in IBFLOW_DATA"):
        Owner.take(tmp_path / "file" / "below")


@pytest.mark.timeout(300)
def test_up_means_that_a_message_went_through(tmp_path: Path) -> None:
    """With no worker that applies it the probe never ends; with one it does, and the books stand."""
    with Stack(Settings(data_dir=tmp_path, partitions=2, api_port=0)) as stack:
        stack.probe()
        stored = stack.server.client.query("SELECT _topic, message FROM books").result_rows
        assert [("account-book", "")] == [tuple(row) for row in stored]
        process = stack.processes[0]
        stack.pause()
        process.module = "no_such_module"
        stack.unpause()
        with pytest.raises(Unavailable, match="worker-1 ended 3 times in a row"):
            stack.probe()
        with pytest.raises(Unavailable, match="No module named no_such_module"):
            stack.drain()
