"""Which metric code produced a number: runs that were scored by other code are not comparable."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path


@functools.cache
def metric_code(folder: Path | None = None) -> str:
    """Hash of the metrics' code, blind to comments, docstrings and layout.

    Args:
        folder: Python files to hash; tricklab's own metrics if not given.
    """
    root = folder if folder is not None else Path(__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(root.glob("*.py")):
        tree = _Bare().visit(ast.parse(path.read_text(encoding="utf-8")))
        digest.update(f"{path.name}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()


class _Bare(ast.NodeTransformer):
    """Takes out statements that are only text."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node
