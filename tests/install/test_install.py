"""The install gives what the locks name, whatever an index offers since; the wheel is whole by itself."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "locks"
UV = Path(sys.executable).with_name("uv")
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[.*\])?==(\S+)", re.MULTILINE)
NEWER = "9999.0"


def pins(*names: str) -> dict[str, set[str]]:
    """What locks name: a package and its versions (several, where they differ by Python)."""
    found: dict[str, set[str]] = {}
    for name in names:
        for package, version in PIN.findall((LOCKS / name).read_text()):
            found.setdefault(package, set()).add(version)
    return found


def run(*command: object, cwd: Path, env: dict[str, str], timeout_s: int = 240) -> str:
    """Run a command as a newcomer would; its words, or a failure that shows them."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def write_wheel(folder: Path, package: str, version: str) -> None:
    """A wheel as an index would offer it: whoever installs it has not read the lock."""
    name = package.replace("-", "_").replace(".", "_")
    metadata = Message()
    metadata["Metadata-Version"], metadata["Name"], metadata["Version"] = "2.1", package, version
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata.as_string())
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def installed(venv: Path) -> dict[str, str]:
    """The packages of a virtual environment."""
    (packages,) = venv.glob("lib/python3*/site-packages")
    return {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version
        for found in distributions(path=[str(packages)])
    }


def clean_env(home: Path) -> dict[str, str]:
    """An environment without this user's caches, settings and virtual environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("IBFLOW_", "XDG_", "UV_CACHE", "PYTEST", "VIRTUAL_ENV", "MAKE", "PYTHON"))
    }
    return kept | {"HOME": str(home)}


def copy_of_what_is_committed(target: Path) -> Path:
    """The project's files as a clone would have them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    return target


def test_newer_versions_change_nothing(tmp_path: Path) -> None:
    """In an empty home, beside newer versions of every second package, `make` installs exactly the lock.

    From the wheels that uv fetched for this very environment: to fetch them again takes minutes.
    """
    offered = tmp_path / "offered"
    offered.mkdir()
    wanted = pins("run.txt", "dev.txt")
    for package in sorted(wanted)[::2]:
        write_wheel(offered, package, NEWER)
    clone = copy_of_what_is_committed(tmp_path / "clone")
    fetched = run(UV, "cache", "dir", cwd=clone, env=dict(os.environ)).strip()
    env = clean_env(tmp_path / "home") | {
        "UV_CACHE_DIR": fetched,
        "UV_FIND_LINKS": str(offered),
        "PIP_FIND_LINKS": str(offered),
        "PIP_NO_CACHE_DIR": "1",
    }
    run("make", ".venv/.dev", f"PYTHON={sys.executable}", cwd=clone, env=env)
    got = installed(clone / ".venv")
    assert got.pop("uv") in pins("uv.txt")["uv"]
    ours = {"ibflow", "pip", "setuptools", "wheel"}
    strangers = {name for name, version in got.items() if version not in wanted.get(name, ())}
    assert strangers <= ours
    # What is missing is for another system or another Python, and says so in the lock.
    locks = "".join((LOCKS / name).read_text() for name in ("run.txt", "dev.txt"))
    for package in wanted.keys() - got.keys():
        assert re.search(rf"^{re.escape(package)}==\S+ ; ", locks, re.MULTILINE), package


def test_a_machine_without_wheels_is_told_so_at_once(tmp_path: Path) -> None:
    """Before anything is fetched, in a sentence, with what to do."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "locks").mkdir()
    for name in ("pyproject.toml", "locks/uv.txt", "locks/run.txt"):
        (tmp_path / name).touch()
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\ncase "$2" in *platform*) echo "Linux aarch64" ;; esac\n')
    other.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", f"PYTHON={other}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (
        2, "ibflow installs on Linux x86-64 and macOS on Apple silicon; elsewhere: docker compose up\n",
    )  # fmt: skip


def test_the_demo_installs_no_tool_of_ours() -> None:
    """What `make demo` installs is what runs: no test runner, no type checker, no linter."""
    assert not {"pytest", "mypy", "ruff", "hypothesis", "testcontainers"} & pins("run.txt").keys()
    assert not pins("run.txt").keys() & pins("dev.txt").keys()


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "uv.txt"])
def test_every_pin_has_a_hash_and_no_host(lock: str) -> None:
    """Each package of a lock is named by its version and its bytes, and by no place on the network."""
    text = (LOCKS / lock).read_text()
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in entry.partition("\n")[0]
        assert "--hash=sha256:" in entry
    assert "://" not in text


def test_the_wheel_alone_runs_the_demo(tmp_path: Path) -> None:
    """`pip install ibflow && ibflow demo` needs nothing of the repository, and pays what a checkout pays."""
    env = clean_env(Path.home())
    dist, venv, elsewhere = tmp_path / "dist", tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    clone = copy_of_what_is_committed(tmp_path / "clone")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist, cwd=clone, env=env)
    (wheel,) = dist.glob("*.whl")
    run(UV, "venv", "--quiet", "--python", sys.executable, venv, cwd=elsewhere, env=env)
    python = venv / "bin" / "python"
    lock = LOCKS / "run.txt"
    run(UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock, cwd=elsewhere, env=env)
    run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel, cwd=elsewhere, env=env)
    shutil.rmtree(clone)
    shown = run(venv / "bin" / "ibflow", "demo", cwd=elsewhere, env=env)
    # The README shows the demo as a checkout prints it.
    (promised,) = re.findall(r"ledger hash ([0-9a-f]{64})", (ROOT / "README.md").read_text())
    assert f"ledger hash {promised}" in shown
    run(python, "-c", "import infra.connect.api_client", cwd=elsewhere, env=env)  # examples/client is in it
    assert [path.name for path in elsewhere.iterdir()] == [".ibflow"]
