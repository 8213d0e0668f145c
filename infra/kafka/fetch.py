"""Fetching the locked jars from a Maven repository, and nothing that is not in the lock file."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockFile
from jgo.maven import Artifact, MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.kafka.errors import KafkaUnavailable
from infra.kafka.jars import KAFKA_VERSION, LOCK_FILE, sha256_of

FETCH_WORKERS = 8
FETCH_ATTEMPTS_MAX = 3
FETCH_PAUSE_S = 1.0
FETCH_TIMEOUT_S = 15

NETWORK_ADVICE = (
    "The first start needs the network once, about 54 MB; later starts are offline. Behind a proxy set "
    "HTTPS_PROXY (and REQUESTS_CA_BUNDLE for its certificate). A mirror is taken from ~/.m2/settings.xml, or "
    "from the [repositories] section of ~/.config/jgo.conf as `central = URL`"
)


def fetch_all(repository: Path) -> tuple[Path, ...]:
    """Return every locked jar below `repository`, fetching those that are missing or not as locked."""
    artifacts = _locked_artifacts(repository)
    with (
        _fetch_errors_named(),
        ThreadPoolExecutor(FETCH_WORKERS) as pool,
        _progress(len(artifacts)) as progress,
    ):
        futures = [pool.submit(_fetch, artifact, sha256) for artifact, sha256 in artifacts]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance(progress.task_ids[0])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(future.result() for future in futures)


def _locked_artifacts(repository: Path) -> list[tuple[Artifact, str]]:
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=repository,
        remote_repos=remote_repositories(Path.home() / ".m2" / "settings.xml"),
        timeout=FETCH_TIMEOUT_S,
    )
    artifacts = []
    for locked in LockFile.load(LOCK_FILE).dependencies:
        component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
        artifact = component.artifact(locked.classifier or "", locked.packaging)
        # A jar locked without a hash would match no file: it is refused, not trusted.
        artifacts.append((artifact, locked.sha256 or ""))
    return artifacts


def _fetch(artifact: Artifact, sha256: str) -> Path:
    """Fetch one jar unless it is there and right; a wrong file is never left behind."""
    jar = artifact.context.repo_cache / artifact.component.path_prefix / artifact.cached_filename
    for attempt in range(FETCH_ATTEMPTS_MAX + 1):
        if jar.exists() and sha256_of(jar) == sha256:
            return jar
        jar.unlink(missing_ok=True)
        if attempt < FETCH_ATTEMPTS_MAX:
            _download(artifact, is_last=attempt + 1 == FETCH_ATTEMPTS_MAX)
    raise KafkaUnavailable(
        f"{jar.name} is not the file of the lock: wrong SHA-256 in {FETCH_ATTEMPTS_MAX} downloads, so "
        "the Maven repository or a proxy in between serves another file. It was not kept. Try another "
        "network, or check the mirror in ~/.m2/settings.xml or ~/.config/jgo.conf"
    )


def _download(artifact: Artifact, *, is_last: bool) -> None:
    try:
        artifact.resolve()
    except (OSError, RuntimeError) as error:
        # What arrived before the connection broke fails its checksum, and is fetched again.
        is_transient = getattr(error, "errno", None) is None
        if is_last or not is_transient:
            raise
        time.sleep(FETCH_PAUSE_S)


@contextmanager
def _fetch_errors_named() -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        # requests' errors are OSErrors without an errno; those with one come from the disk.
        if getattr(error, "errno", None) is not None:
            raise
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
