"""Kafka's classes as Java keeps them (CDS): each of a run's fifty brokers starts with half the CPU.

Made once for a Java and Kafka's jars, beside these, in a process of its own while tests begin. Java itself
looks whether an archive is of its version and its jars, and does without one that is not.
"""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local_kafka.jars import default_cache_dir
from infra.local_kafka.java import find_java
from infra.local_kafka.local import LocalKafka
from infra.local_kafka.lockfile import LOCK_FILE
from infra.local_kafka.locks import exclusive

OPTIONS = "JDK_JAVA_OPTIONS"
"""Of the environment: what `java` reads before its arguments."""
STOP_S, WAIT_S = 120.0, 300.0
"""It is written as the broker ends, which takes some seconds."""


@cache
def path() -> Path:
    """Where it is, or will be."""
    known = LOCK_FILE.read_bytes() + str(find_java().resolve()).encode()
    return default_cache_dir() / f"classes-{sha256(known).hexdigest()[:16]}.jsa"


def use() -> None:
    """Let every Java that this process starts from now on have it, if it is there."""
    if OPTIONS not in os.environ and path().exists():
        os.environ[OPTIONS] = f"-XX:SharedArchiveFile={path()}"


def make() -> None:
    """Let a broker start and end, and keep what it had loaded."""
    found = path()
    found.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(found.with_suffix(".lock"), WAIT_S), TemporaryDirectory() as folder:
        if found.exists():
            return
        draft = Path(folder) / "draft.jsa"
        os.environ[OPTIONS] = f"-XX:ArchiveClassesAtExit={draft}"
        with LocalKafka(stop_timeout_s=STOP_S).running(Path(folder) / "kafka"):
            pass
        made = found.with_suffix(".new")
        made.write_bytes(draft.read_bytes())
        made.replace(found)


if __name__ == "__main__":
    make()
