"""NTFS volumes for tests, made by mkntfs and filled by ntfs-3g in a mount namespace that vanishes with the process."""

import os
import subprocess
import sys
from pathlib import Path

NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]


def namespace() -> list[str]:
    """Return the start of a command that may mount, as root or as an ordinary user."""
    return NAMESPACE if os.geteuid() == 0 else [*NAMESPACE, "--user", "--map-root-user", "--map-auto"]


def make(image: Path, *, size: int, options: tuple[str, ...] = (), label: str = "") -> Path:
    """Make an empty volume in a file of `size` bytes."""
    with image.open("wb") as file:
        file.truncate(size)
    command: list[str | Path] = [
        "mkntfs",
        "-q",
        "-F",
        "-f",
        "-p",
        "2048",
        "-H",
        "255",
        "-S",
        "63",
        "-L",
        label,
        *options,
        image,
    ]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin"})
    return image


def fill(image: Path, program: str, *, options: str = "inherit") -> None:
    """Mount a volume and run Python lines with `top`, the path where it is mounted."""
    folder = image.with_name(image.name + ".mounted")
    folder.mkdir()
    script = (  # waits for ntfs-3g's end, since unmounting does not
        'ntfs-3g -o no_detach,"$1" "$2" "$3" & until mountpoint -q "$3"; do kill -0 $! || exit 1; sleep 0.05; done; '
        '"$4" -c "$5" "$3"; status=$?; umount "$3"; wait $! && exit $status'
    )
    head = "import os, pathlib, sys\ntop = pathlib.Path(sys.argv[1])\n"
    command: list[str | Path] = [
        *namespace(),
        "sh",
        "-c",
        script,
        "sh",
        options,
        image,
        folder,
        sys.executable,
        head + program,
    ]
    try:
        subprocess.run(command, check=True, timeout=300)
    finally:
        folder.rmdir()


def cat(image: Path, path: str) -> bytes:
    """Return a file's content as ntfscat reads it."""
    return subprocess.run(["ntfscat", "-f", image, path], check=True, capture_output=True).stdout
