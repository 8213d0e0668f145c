"""Fetching the locked jars from a Maven repository, and nothing that is not in the lock file.

A download that breaks off goes on where it stopped, in this start or the next.
"""

import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import httpx
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.lockfile import KAFKA_VERSION, LOCK_FILE, sha256_of

FETCH_WORKERS = 8
FETCH_ATTEMPTS_MAX = 3
FETCH_PAUSE_S = 1.0
FETCH_TIMEOUT_S = 15
JAR_BYTES_MAX = 64 * 1024 * 1024
AS_STORED = {"Accept-Encoding": "identity"}
"""Where a download broke off is a place in the stored file, not in a compressed copy of it."""

NETWORK_ADVICE = (
    "The first start needs the network once, about 54 MB; later starts are offline, and what has arrived is "
    "kept. Behind a proxy set HTTPS_PROXY (and SSL_CERT_FILE for its certificate). A mirror is taken from "
    "~/.m2/settings.xml, or from the [repositories] section of ~/.config/jgo.conf as `central = URL`"
)


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One jar of the lock file: its path in any Maven repository, and what it must hash to."""

    path: str
    sha256: str


def fetch_all(repository: Path) -> tuple[Path, ...]:
    """Return every locked jar below `repository`, fetching those that are missing or not as locked."""
    jars = locked_jars()
    sources = tuple(remote_repositories(Path.home() / ".m2" / "settings.xml").values())
    with (
        _fetch_errors_named(),
        httpx.Client(timeout=FETCH_TIMEOUT_S, follow_redirects=True, headers=AS_STORED) as http,
        ThreadPoolExecutor(FETCH_WORKERS) as pool,
        _progress(len(jars)) as progress,
    ):
        futures = [pool.submit(_fetch, http, sources, jar, repository / jar.path) for jar in jars]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance(progress.task_ids[0])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(future.result() for future in futures)


def locked_jars() -> tuple[LockedJar, ...]:
    """Read the lock file; a jar locked without a hash matches no file: it is refused, not trusted."""
    jars = []
    for locked in tomllib.loads(LOCK_FILE.read_text())["dependencies"]:
        group, artifact, version = locked["groupId"], locked["artifactId"], locked["version"]
        classifier = f"-{locked['classifier']}" if locked.get("classifier") else ""
        name = f"{artifact}-{version}{classifier}.{locked['packaging']}"
        path = f"{group.replace('.', '/')}/{artifact}/{version}/{name}"
        jars.append(LockedJar(path, locked.get("sha256", "")))
    return tuple(jars)


def _fetch(http: httpx.Client, sources: tuple[str, ...], locked: LockedJar, jar: Path) -> Path:
    """Fetch one jar unless it is there and right; a wrong file is never left behind."""
    for attempt in range(FETCH_ATTEMPTS_MAX + 1):
        if jar.exists() and sha256_of(jar) == locked.sha256:
            return jar
        jar.unlink(missing_ok=True)
        if attempt < FETCH_ATTEMPTS_MAX:
            _download(http, sources, locked, jar, is_last=attempt + 1 == FETCH_ATTEMPTS_MAX)
    raise KafkaUnavailable(
        f"{jar.name} is not the file of the lock: wrong SHA-256 in {FETCH_ATTEMPTS_MAX} downloads, so "
        "the Maven repository or a proxy in between serves another file. It was not kept. Try another "
        "network, or check the mirror in ~/.m2/settings.xml or ~/.config/jgo.conf"
    )


def _download(
    http: httpx.Client, sources: tuple[str, ...], locked: LockedJar, jar: Path, *, is_last: bool
) -> None:
    """Put the jar in place once it has arrived whole; ask the repositories one after another."""
    jar.parent.mkdir(parents=True, exist_ok=True)
    part = jar.with_name(jar.name + ".part")
    for source in sources:
        try:
            _resume(http, f"{source.rstrip('/')}/{locked.path}", part)
        except httpx.HTTPError:
            if is_last and source == sources[-1]:
                raise
        else:
            part.replace(jar)
            return
    time.sleep(FETCH_PAUSE_S)


def _resume(http: httpx.Client, url: str, part: Path) -> None:
    """Ask for the bytes that are missing; a server that sends all of them again is taken at its word."""
    have = part.stat().st_size if part.exists() else 0
    with http.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is here; its hash decides
        answer.raise_for_status()
        is_rest = answer.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if is_rest else "wb") as file:
            for block in answer.iter_bytes():
                if file.tell() > JAR_BYTES_MAX:
                    raise httpx.DecodingError(f"{url} sends more than {JAR_BYTES_MAX:,} bytes for a jar")
                file.write(block)


@contextmanager
def _fetch_errors_named() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise KafkaUnavailable(f"cannot fetch Kafka's jars: {reason}. {NETWORK_ADVICE}") from error


def remote_repositories(maven_settings: Path) -> dict[str, str]:
    """Name the Maven repositories to ask: Maven's mirror of Central, else jgo's settings, else Central."""
    mirror = _mirror_of_central(maven_settings)
    return mirror or {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories


def _mirror_of_central(maven_settings: Path) -> dict[str, str]:
    try:
        root = ElementTree.parse(maven_settings).getroot()  # noqa: S314  # the user's own file
    except (OSError, ElementTree.ParseError):
        return {}
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        mirrored = {name.strip() for name in mirror.findtext("{*}mirrorOf", "").split(",")}
        url = mirror.findtext("{*}url", "").strip().rstrip("/")
        if url and mirrored & {"*", "external:*", "central"} and "!central" not in mirrored:
            return {"mirror": url}
    return {}


@contextmanager
def _progress(jars: int) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # On stderr, so that a command's JSON on stdout stays JSON.
    with Progress(*columns, console=Console(stderr=True)) as progress:
        progress.add_task(f"Fetching Apache Kafka {KAFKA_VERSION} (once)", total=jars)
        yield progress
