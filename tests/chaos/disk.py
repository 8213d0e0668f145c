"""Room for the workers' state that can be used up: a file system of its own, or a limit on files."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

ROOM_BYTES = 2 * 1024**3
"""RocksDB reserves some 18 MB for each partition's log at once."""
PIECE_BYTES = 1 << 20
FILE_BYTES = 4_096


class Disk:
    """The folder of state on a file system of its own, where mounting is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_mounted = False

    @property
    def words(self) -> str:
        """What stands in for a full disk."""
        if self._is_mounted:
            return f"tmpfs of {ROOM_BYTES >> 20} MiB, filled to the last page"
        return f"files limited to {FILE_BYTES} bytes (RLIMIT_FSIZE), as mounting is not allowed here"

    @property
    def is_own(self) -> bool:
        """Whether the folder can be filled without filling anything else."""
        return self._is_mounted

    def mount(self) -> None:
        """Mount a tmpfs of a fixed size, if this user may."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "tmpfs", str(self.folder)]
        if shutil.which("mount") is not None:
            self._is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        """Give the file system up."""
        if self._is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
            self._is_mounted = False

    def fill(self) -> None:
        """Use up every byte."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            piece = b"\0" * PIECE_BYTES
            while len(piece):
                try:
                    if ballast.write(piece) < len(piece):
                        piece = piece[: len(piece) // 2]
                except OSError:
                    piece = piece[: len(piece) // 2]

    def free(self) -> None:
        """Give the room back."""
        (self.folder / "ballast").unlink(missing_ok=True)


def limit_files(pid: int) -> None:
    """Let a running process write no file beyond a few bytes: its next write fails, as on a full disk."""
    os.kill(pid, 0)
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_BYTES, hard))
