"""Kafka's jars: exactly those of the lock file, fetched once from a Maven repository, verified by SHA-256."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local_kafka.errors import disk_errors_named
from infra.local_kafka.lockfile import LOCK_FILE, sha256_of
from infra.local_kafka.locks import exclusive

FETCH_WAIT_S_MAX = 600.0

CACHE_ADVICE = "Free space there, or point XDG_CACHE_HOME to a folder you can write"


@dataclass(frozen=True, slots=True)
class VerifiedJar:
    """A jar whose SHA-256 was right when it had this size and this time of change."""

    path: str
    size_bytes: int
    changed_ns: int

    def is_unchanged(self, repository: Path) -> bool:
        """Tell whether the file is still as it was when it was hashed."""
        try:
            return self == verified_jar(repository, repository / self.path)
        except OSError:
            return False


def verified_jar(repository: Path, jar: Path) -> VerifiedJar:
    """Describe a jar that has just been hashed and found right."""
    seen = jar.stat()
    return VerifiedJar(str(jar.relative_to(repository)), seen.st_size, seen.st_mtime_ns)


def default_cache_dir() -> Path:
    """Name the user's cache folder for Kafka's jars."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser() / "ibflow" / "kafka"


def classpath(cache_dir: Path) -> tuple[Path, ...]:
    """Return the locked jars, fetching what is missing or damaged.

    Jars that were hashed once are afterwards known by name, size and time of change: no network, no hashing.
    """
    jars = _verified_before(cache_dir)
    if jars is not None:
        return jars
    with disk_errors_named(cache_dir, CACHE_ADVICE):
        cache_dir.mkdir(parents=True, exist_ok=True)
        with exclusive(cache_dir / "lock", FETCH_WAIT_S_MAX):
            # Another process may have fetched while this one waited for the lock.
            return _verified_before(cache_dir) or _fetch_and_record(cache_dir)


def _verified_before(cache_dir: Path) -> tuple[Path, ...] | None:
    repository = cache_dir / "repository"
    try:
        record = json.loads(_record_file(cache_dir).read_text())
        jars = tuple(VerifiedJar(**jar) for jar in record["jars"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if record.get("lock_sha256") != sha256_of(LOCK_FILE) or not all(
        jar.is_unchanged(repository) for jar in jars
    ):
        return None
    return tuple(repository / jar.path for jar in jars)


def _fetch_and_record(cache_dir: Path) -> tuple[Path, ...]:
    from infra.local_kafka.fetch import fetch_all  # noqa: PLC0415  # slow to import, rarely needed

    repository = cache_dir / "repository"
    jars = fetch_all(repository)
    record = {
        "lock_sha256": sha256_of(LOCK_FILE),
        "jars": [asdict(verified_jar(repository, jar)) for jar in jars],
    }
    write_whole(_record_file(cache_dir), json.dumps(record, indent=1))
    return jars


def _record_file(cache_dir: Path) -> Path:
    return cache_dir / "verified.json"


def write_whole(path: Path, content: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(content)
    draft.replace(path)
