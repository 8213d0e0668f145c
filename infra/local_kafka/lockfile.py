"""The lock file of Kafka's jars."""

import hashlib
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("jgo.lock.toml")


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
