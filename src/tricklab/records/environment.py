"""Where a run's numbers came from: versions, git state, source hash, processor, threads."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "scipy", "scikit-learn", "safetensors")


def environment(*, data_digest: dict[str, str] | None = None) -> dict[str, Any]:
    """What ``provenance.json`` keeps beside the declaration.

    Args:
        data_digest: digest of the data per split, once the data are known.

    Returns:
        ``versions`` {package: version, "python", "tricklab"}, ``git`` (of the working directory; None outside a
        repository), ``source`` (hash of tricklab's own code), ``platform`` (system and machine architecture), ``cpu``
        (the processor's model), ``cores`` (those this process may use), ``threads``, ``device`` (accelerators that an
        imported torch sees), ``command``, ``data_digest``. Imports no torch.
    """
    return {
        "versions": versions(),
        "git": git_state(Path.cwd()),
        "source": source_hash(),
        # no kernel release: it names one machine and changes no number
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": _threads(),
        "device": _accelerators(),
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "data_digest": data_digest,
    }


def versions() -> dict[str, str]:
    """Versions of Python, tricklab and the packages that can change a number."""
    from importlib import metadata

    from tricklab import __version__

    found = {"python": platform.python_version(), "tricklab": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """``commit`` and ``dirty`` (tracked files changed) of the repository around ``folder``; None if there is none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def source_hash(folder: Path | None = None) -> str:
    """blake2b over names and contents of the Python files below ``folder`` (tricklab's own if not given)."""
    root = folder if folder is not None else Path(__file__).resolve().parents[1]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> str | None:
    import subprocess

    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() else None


def _accelerators() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
