"""What the code of a text proves, one kind of fault a file; found by scanning this folder.

Each rule is a function ``(Code) -> Finding | None`` under the decorator ``code_rule``.
"""

import importlib
import pkgutil

from tricklab.doctor.code_rules._base import CODE_RULES, run_code_rules

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")

__all__ = ["CODE_RULES", "run_code_rules"]
