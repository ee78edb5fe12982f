"""The one exception for bad input: what was wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input by a user. The command line prints it in one piece and exits with code 2.

    Args:
        what: one sentence that says what is wrong, without a full stop.
        where: the place: ``file:line``, a path, a key, or several of them joined by ``, ``.
        fix: what would be right, as one sentence without a full stop.

    >>> print(UserError("unknown key 'epoch'", where="r.yaml:12, train.epoch", fix="did you mean 'epochs'?"))
    r.yaml:12, train.epoch: unknown key 'epoch'. did you mean 'epochs'?
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        place = f"{where}: " if where else ""
        cure = f". {fix}" if fix else ""
        super().__init__(f"{place}{what}{cure}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[UserError], what: str, where: str | None, fix: str | None) -> UserError:
    return kind(what, where=where, fix=fix)


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the known word nearest to ``name``, or all of them.

    >>> nearest("weight_decy", ["lr", "weight_decay"])
    "did you mean 'weight_decay'?"
    """
    words = sorted({str(word) for word in known})
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    if not close:
        lowered = {word.lower(): word for word in words}
        close = [lowered[match] for match in difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(words)}" if words else "nothing is known here"
