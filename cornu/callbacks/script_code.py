"""The code that a process runs: its script, and how the script's repository differs from its last commit.

Git is used if it is installed; custom diff programs are not run.
"""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, NamedTuple, cast

_LARGEST = 2**20  # maximum size of a stored diff
_SECONDS = 10.0  # timeout for git
_MOST = 50  # files


class Code(NamedTuple):
    """What is known about the code.

    Attributes:
        facts: the script, the revision and the names of files, as plain data.
        patch: the differences from the last commit, truncated if large; empty if there are none.
    """

    facts: dict[str, object]
    patch: bytes


def look(without: str | os.PathLike[str]) -> Code:
    """What is known about the code of this process.

    Args:
        without: directory whose untracked files are not reported.
    """
    path = _script()
    facts: dict[str, object] = {"script": None if path is None else _of_script(path)}
    folder = Path.cwd() if path is None else path.parent
    root, _, revision = _text(folder, "rev-parse", "--show-toplevel", "HEAD").partition("\n")
    if not revision:
        return Code(facts, b"")
    patch = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "HEAD")
    new = _text(folder, "ls-files", "--others", "--exclude-standard", "--full-name", ":/").splitlines()
    own = Path(without).resolve()
    facts["git"] = {
        "revision": revision,
        "branch": _text(folder, "branch", "--show-current"),
        "changed": bool(patch),
        "cut": len(patch) > _LARGEST,
        "untracked": [name for name in new if not Path(root, name).resolve().is_relative_to(own)][:_MOST],
    }
    return Code(facts, patch[:_LARGEST])


def _script() -> Path | None:
    """The file of the program; None in a notebook or an interactive session."""
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(name).resolve() if name else None
    return path if path is not None and path.is_file() else None


def _of_script(path: Path) -> dict[str, object]:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _text(folder: Path, *words: str) -> str:
    return _git(folder, *words).decode(errors="replace").strip()


def _git(folder: Path, *words: str) -> bytes:
    """The output of git, truncated to a maximum size; empty if git fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        process = subprocess.Popen(
            ["git", "-c", "core.fsmonitor=false", *words], cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return b""
    late = threading.Timer(_SECONDS, process.kill)
    late.start()
    with process:
        answer = cast(IO[bytes], process.stdout).read(_LARGEST + 1)
        late.cancel()
        if len(answer) > _LARGEST:
            process.kill()
            return answer
    return answer if process.returncode == 0 else b""
