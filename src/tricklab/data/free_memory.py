"""How much memory a process may still take."""

from __future__ import annotations

from pathlib import Path

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free_memory(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """Bytes that the system can still give this process, or None where it does not say.

    The smaller of what the machine has left and what the process's control group (a container, a batch job) may still
    take; files that are only cached count as free.

    Args:
        proc, cgroups: where Linux tells.
    """
    lines = _text(proc / "meminfo").splitlines()
    left = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    own = next(
        (line[3:].lstrip("/") for line in _text(proc / "self/cgroup").splitlines() if line.startswith("0::")), ""
    )
    for folder in {cgroups / own, cgroups}:
        limit, used = _text(folder / "memory.max").strip(), _text(folder / "memory.current").strip()
        if limit.isdecimal() and used.isdecimal():
            left.append(max(int(limit) - int(used) + _cached(folder), 0))
    return min(left, default=None)


def _cached(folder: Path) -> int:
    lines = _text(folder / "memory.stat").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
