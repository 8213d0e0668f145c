"""For maintainers: `python -m infra.local_kafka.relock` writes the lock file after `COORDINATES` changed."""

import sys
import tempfile
from pathlib import Path

from jgo.env import LockFile
from jgo.maven import MavenContext, PythonResolver

from infra.local_kafka.fetch import remote_repositories
from infra.local_kafka.lockfile import COORDINATES, LOCK_FILE

RUNTIME_SCOPES = ("compile", "runtime")


def relock(lock_file: Path, repository: Path) -> int:
    """Resolve the coordinates afresh, hash every jar, write the lock file; return the number of jars."""
    # The resolver, not EnvironmentBuilder: the builder also classifies modules, and may fetch a JDK for it.
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=repository,
        remote_repos=remote_repositories(Path.home() / ".m2" / "settings.xml"),
    )
    asked, transitive = context.resolver.resolve([context.create_dependency(c) for c in COORDINATES])
    needed = [*asked, *(dependency for dependency in transitive if dependency.scope in RUNTIME_SCOPES)]
    LockFile.from_resolved_dependencies(needed).save(lock_file)
    return len(needed)


if __name__ == "__main__":
    # An empty repository, so that every hash is that of a file just fetched.
    with tempfile.TemporaryDirectory() as fresh:
        sys.stdout.write(f"{LOCK_FILE.name}: {relock(LOCK_FILE, Path(fresh))} jars\n")
