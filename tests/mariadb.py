"""A real MariaDB for tests: the one on this machine, or Debian's packages unpacked beside it without root."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import NamedTuple

import pymysql

from infra.local_kafka.ports import auto_port

PACKAGE = "mariadb-server-core"
USER, PASSWORD = "ibflow", "secret of the tests"
GRANT = f"GRANT ALL ON *.* TO '{USER}'@'%' IDENTIFIED BY '{PASSWORD}' WITH GRANT OPTION;"
FETCH_S_MAX = 300
START_S_MAX = 60
SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)
MISSING = (
    "the tests of the SQL sources need a MariaDB: name one in IBFLOW_TEST_MARIADB=mysql://user:password@host:3306,"
    f" or run Docker, or `apt-get install {PACKAGE}`"
)


class Installation(NamedTuple):
    """Where a MariaDB's files are: its program, its share folder, and libraries it brought along."""

    program: Path
    share: Path
    libraries: str = ""

    def run(self, *options: str) -> list[str]:
        """The command line of a server in the foreground that reads no settings of the machine."""
        user = ["--user=root"] if os.geteuid() == 0 else []
        return [
            str(self.program), "--no-defaults", *user, f"--lc-messages-dir={self.share}",
            f"--character-sets-dir={self.share / 'charsets'}", *options,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """The environment with the libraries that came with it."""
        return {**os.environ, "LD_LIBRARY_PATH": self.libraries} if self.libraries else dict(os.environ)


def installed() -> Installation:
    """The MariaDB of this machine, else one fetched by apt; raise RuntimeError that says what to install."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if found := shutil.which("mariadbd", path=path):
        program = Path(found).resolve()
        for share in (Path("/usr/share/mysql"), Path("/usr/share/mariadb"), program.parents[1] / "share"):
            if (share / SYSTEM_TABLES[0]).exists():
                return Installation(program, share)
    return _fetched(cache_folder())


def cache_folder() -> Path:
    """Where fetched packages are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ibflow" / "mariadb"


def _fetched(cache: Path) -> Installation:
    """Unpack Debian's packages into `cache`, once; two runs at a time wait for each other."""
    root = cache / "root"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if not root.exists():
                _fetch(cache, root)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        raise RuntimeError(f"{MISSING}. Fetching it failed: {said}") from None
    libraries = ":".join(str(path) for path in sorted((root / "usr" / "lib").glob("*-linux-gnu")))
    return Installation(root / "usr/sbin/mariadbd", root / "usr/share/mysql", libraries)


def _fetch(cache: Path, root: Path) -> None:
    """Let apt find the packages with lists of its own, so that it needs no root and changes nothing."""
    folders = {name: cache / name for name in ("state", "archives")}
    for folder in (folders["state"] / "lists" / "partial", folders["archives"] / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    apt = [
        "apt-get", "-q", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
        "-o", f"Dir::State={folders['state']}", "-o", f"Dir::Cache={folders['archives']}",
    ]  # fmt: skip
    fetch = ("--download-only", "--yes", "--no-install-recommends", "install", PACKAGE)
    for arguments in (("update",), fetch):
        _run([*apt, *arguments])
    unpacked = cache / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in (folders["archives"] / "archives").glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(unpacked)])
    for folder in folders.values():
        shutil.rmtree(folder)
    unpacked.rename(root)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_S_MAX)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Start a server on a fresh folder and a free port; yield its address, and stop it at the end."""
    installation = installed()
    tables = folder / "tables"
    tables.mkdir(parents=True)
    _bootstrap(installation, tables)
    port = auto_port(None, folder)
    command = installation.run(
        f"--datadir={tables}", f"--port={port}", f"--socket={folder / 's'}", "--bind-address=127.0.0.1",
        f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=installation.environment(), stdout=log, stderr=log)
    try:
        await_answer(port, lambda: server.poll() is None, folder / "log")
        yield address("127.0.0.1", port)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def address(host: str, port: int) -> str:
    """A server's address with the user of the tests."""
    return f"mysql://{USER}:{PASSWORD.replace(' ', '%20')}@{host}:{port}"


def await_answer(port: int, is_alive: Callable[[], bool], log: Path, host: str = "127.0.0.1") -> None:
    """Wait until the server takes the tests' user; raise RuntimeError with the end of its log."""
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            pymysql.connect(host=host, port=port, user=USER, password=PASSWORD).close()
        except pymysql.err.OperationalError as error:
            if not is_alive() or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-1_000:] if log.exists() else ""
                raise RuntimeError(f"MariaDB did not start: {error} {said}") from None
            time.sleep(0.05)
        else:
            return


def grants(folder: Path) -> Path:
    """A folder whose script lets the tests' user do everything, for a server in a container."""
    scripts = folder / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "grant.sql").write_text(GRANT)
    return scripts


def _bootstrap(installation: Installation, tables: Path) -> None:
    """Make the system tables and the tests' user, as `mariadb-install-db` does."""
    parts = ["CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"]
    parts += [(installation.share / name).read_text() for name in SYSTEM_TABLES]
    parts.append(f"FLUSH PRIVILEGES;\n{GRANT}\n")
    made = subprocess.run(
        installation.run(f"--datadir={tables}", "--bootstrap", "--innodb-log-file-size=32M"),
        input="".join(parts), env=installation.environment(), capture_output=True, text=True, check=False,
        timeout=START_S_MAX,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(f"MariaDB made no system tables: {made.stderr[-1_000:]}")


if __name__ == "__main__":
    sys.stdout.write(f"{installed()}\n")
