"""A full disk: told in one sentence, and nobody's fault."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from tricklab.errors import UserError


def is_full(error: BaseException) -> bool:
    """Whether an error says that nothing more can be written: no space left, or the quota is used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def told_if_full(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the error of a full disk in the ``with`` block into a UserError that names the folder."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise UserError(
            "the disk is full", where=os.fspath(path), fix="make room and go on: what is finished is kept"
        ) from None
