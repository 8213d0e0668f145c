"""Every block of the README and of the rooms' READMEs, in order, as typed.

A block is a fenced one without a language; a line of it is run by bash. A comment may say `exit N`, else it
is 0. What stands for an id (`ID`, `TRANSFER_ID`) is what the commands before it printed.
"""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from api.postbacks.endpoints import load_endpoints
from infra.commands.book import status
from infra.connect.settings import prepared_kafka
from infra.plans.suite import read_cases
from ingest.push.senders import Senders
from ingest.server_time import parse_rule
from ingest.sources import ServerProfile
from schemas.settings import Settings
from tests.eventually import eventually

ROOT = Path(__file__).parent.parent
READMES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules"} & set(path.relative_to(ROOT).parts) and "```" in path.read_text()
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SERVERS = {"ibflow dev": "up: a probe went through", "ibflow receive": "/v1/ingest/deals"}
"""Commands that run until Ctrl-C, and what they print once they work."""
START_S, DRAIN_S = 120.0, 120.0
NOT_TYPED = {
    ("README.md", "Commission by IB"): "the output of `make demo`; test_pipeline.py has its figures",
    ("README.md", "make demo"): "it installs this project again; test_make_knows_them looks the names up",
    ("CONTRIBUTING.md", "make test"): "it runs this test again; test_make_knows_them looks the names up",
    ("ARCHITECTURE.md", "exports"): "a drawing",
    ("examples/bridge/README.md", "python -m bridge"): "it needs Windows and MT5Manager; see test_bridge.py",
    ("tests/simulation/README.md", "python -m tests.simulation"): "minutes each; tests/simulation runs them",
}
"""By file and first words: blocks that are not run, and why."""


def blocks(path: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [(language, textwrap.dedent(text)) for _, language, text in found]


def is_typed(path: Path, text: str) -> bool:
    name = str(path.relative_to(ROOT))
    return not any(file == name and text.startswith(words) for file, words in NOT_TYPED)


@dataclass
class Terminal:
    """A folder with the examples in it, and a person at the keyboard."""

    folder: Path
    server: "subprocess.Popen[bytes] | None" = None
    printed: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """As `source .venv/bin/activate` leaves it; ports that are free."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IBFLOW_")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**kept, "PATH": path, "IBFLOW_API_PORT": "0", "IBFLOW_PUSH_PORT": "0", "COLUMNS": "80"}

    def type(self, line: str) -> None:
        """Run a line; if it is a server, wait until it works."""
        command, _, comment = line.partition("  #")
        command = self._filled(command)
        program = re.sub(r"^([A-Z_]+=\S+ )+", "", command).strip()
        if program in SERVERS:
            self._serve(command, SERVERS[program], keep=program == "ibflow dev")
            return
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        told = re.search(r"\bexit (\d)", comment)
        assert (int(told[1]) if told else 0) == done.returncode, (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        self.printed.append(done.stdout)
        if program == "ibflow book status":
            self.await_nothing_behind()

    def _filled(self, command: str) -> str:
        """With the ids that a person would copy from what was printed, or from the file they wrote."""
        if "TRANSFER_ID" in command:
            lines = (self.folder / "north.jsonl").read_text().splitlines()
            ids = [json.loads(line).get("transfer_id") for line in lines]
            return command.replace("TRANSFER_ID", next(name for name in ids if name))
        if re.search(r"\bID\b", command):
            found = re.findall(r"\bp-[0-9a-f]{16}\b", "".join(self.printed))
            return re.sub(r"\bID\b", found[-1], command)
        return command

    def _serve(self, command: str, works: str, *, keep: bool) -> None:
        if keep:
            self.stop()
        log = self.folder / "server.out"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=out,
            )
        eventually(lambda: works in log.read_text() or process.poll() is not None, START_S, why=log.read_text)
        assert works in log.read_text(), log.read_text()
        if keep:
            self.server = process
        else:
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(30), log.read_text()

    def await_nothing_behind(self) -> None:
        """Until all deals are rated, as the README tells a person to; typed, each look starts a Python."""

        kafka = prepared_kafka(Settings(_env_file=None, data_dir=self.folder / ".ibflow"))

        def is_drained() -> bool:
            return not any(partition.behind for partition in status(kafka))

        eventually(is_drained, within=DRAIN_S, every=0.5, why=lambda: "the books are behind")

    def stop(self) -> None:
        """Ctrl-C in the first terminal."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            assert 0 == self.server.wait(90), (self.folder / "server.out").read_text()
            self.server = None


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    terminal = Terminal(tmp_path)
    try:
        yield terminal
    finally:
        if terminal.server is not None:
            terminal.server.send_signal(signal.SIGINT)
            terminal.server.wait(90)


@pytest.mark.timeout(900)
def test_the_readme_as_typed(terminal: Terminal) -> None:
    """Each command exits as it says it does; then the nightly line of infra, on the same books."""
    for language, text in blocks(ROOT / "README.md"):
        assert "" == language
        if is_typed(ROOT / "README.md", text):
            for line in text.splitlines():
                terminal.type(line)
    assert "earned" in "".join(terminal.printed)
    terminal.await_nothing_behind()
    nightly = [text for _, text in blocks(ROOT / "infra" / "README.md")]
    assert 1 == len(nightly)
    (line,) = nightly[0].splitlines()
    # cron's five fields, its folder and its mail are the machine's; the rest is ours.
    command = re.sub(r"^(\S+ +){5}cd \S+ && ", "", line)
    done = subprocess.run(
        ["bash", "-c", f"mail() {{ cat; exit 9; }}; {command}"],
        cwd=terminal.folder,
        env={**terminal.environment, "IBFLOW_OPERATOR_TOKEN": "anna-secret"},
        check=False,
    )
    assert 0 == done.returncode
    assert json.loads((terminal.folder / "verify.json").read_text())["holds"] is True
    terminal.stop()


def test_make_knows_them() -> None:
    """Each `make` of the READMEs is a target of the Makefile."""
    typed = {
        word
        for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
        for _, text in blocks(path)
        for word in re.findall(r"^make (\w+)", text, re.MULTILINE)
    }
    assert {"demo", "test", "check", "client", "coverage", "bench", "browser", "soak"} == typed
    done = subprocess.run(["make", "--dry-run", *sorted(typed)], cwd=ROOT, capture_output=True, check=False)
    assert 0 == done.returncode, done.stderr


def test_the_core_by_hand() -> None:
    """The program of commission's README prints what it says it prints."""
    ((language, program),) = blocks(ROOT / "commission" / "README.md")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "commission/README.md", "exec"), {})  # noqa: S102 # our own document
    assert "python" == language
    assert program.splitlines()[-1] == f"# {printed.getvalue().strip()}"


def test_the_postbacks_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoints of the postbacks' README are read as they stand."""
    ((language, text),) = blocks(ROOT / "api" / "postbacks" / "README.md")
    monkeypatch.setenv("TRACKER_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    (tmp_path / "postbacks.yaml").write_text(text)
    (endpoint,) = load_endpoints(tmp_path / "postbacks.yaml")
    assert ("yaml", "keitaro") == (language, endpoint.form.id)


def test_the_token_of_a_bridge(tmp_path: Path) -> None:
    """Its token and digest are made as typed; the file that names it is read."""
    path = ROOT / "examples" / "bridge" / "README.md"
    (_, typed), (_, text), (_, started), (_, credits_started) = blocks(path)
    terminal = Terminal(tmp_path)
    for line in typed.splitlines():
        terminal.type(line)
    token, digest = terminal.printed
    assert (43, sha256(b"TOKEN").hexdigest()) == (len(token.strip()), digest.split()[0])
    (tmp_path / "bridges.yaml").write_text(text)
    profile = ServerProfile("Broker-Live01", "mt5", parse_rule("UTC"))
    bridges = Senders.read(tmp_path / "bridges.yaml", {"Broker-Live01": profile})
    found = bridges.of_token("test")
    assert found is not None
    assert "live01" == found.name
    assert not is_typed(path, started)
    assert not is_typed(path, credits_started)


def test_the_golden_case_of_the_plans(tmp_path: Path) -> None:
    """The `expect:` of the plans' README is read, beside a plan."""
    ((language, text),) = blocks(ROOT / "examples" / "plans" / "README.md")
    plan = (ROOT / "examples" / "plans" / "12-track360-difference-override.yaml").read_text()
    (tmp_path / "plan.yaml").write_text(plan.partition("expect:")[0] + text)
    ((file),) = read_cases([tmp_path / "plan.yaml"])
    assert ("yaml", 1) == (language, len(file.cases))


def test_the_local_kafka_by_hand() -> None:
    """The two lines of kafka's README are Python of this project; test_local_kafka.py runs what they call."""
    ((language, text),) = blocks(ROOT / "infra" / "local_kafka" / "README.md")
    assert "python" == language
    compile(text, "infra/local_kafka/README.md", "exec")
    exec(text.partition("\n")[0], {})  # noqa: S102 # the import


def test_no_block_is_forgotten() -> None:
    """Each document with a block is run above, or named with its reason."""
    run = {"README.md", "infra/README.md", "commission/README.md", "api/postbacks/README.md"}
    run |= {"examples/plans/README.md", "examples/bridge/README.md", "infra/local_kafka/README.md"}
    named = {file for file, _ in NOT_TYPED}
    # by tests/ingest/terms/test_reference.py and tests/api/test_example_client.py
    checked_elsewhere = {"docs/terms-reference.md", "examples/client/README.md"}
    found = {str(path.relative_to(ROOT)) for path in READMES}
    assert set() == found - run - named - checked_elsewhere
    unused = [
        (file, words)
        for file, words in NOT_TYPED
        if not any(text.startswith(words) for _, text in blocks(ROOT / file))
    ]
    assert [] == unused
