"""Files that are lost or copied over, and splits that are left to luck."""

from __future__ import annotations

import re

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_SUFFIX = re.compile(r"\*\.(png|jpe?g|bmp|webp|tiff?|gif)$", re.IGNORECASE)
_CLASS = 100


@code_rule
def split_without_stratify(code: Code) -> Finding | None:
    """``train_test_split`` without ``stratify``."""
    call = next((one for one in code.named("train_test_split") if not one.has("stratify")), None)
    if call is None:
        return None
    share = call.argument("test_size")
    share = share if isinstance(share, float) and 0 < share < 1 else 0.25
    spread = (_CLASS * share * (1 - share)) ** 0.5
    fixed = call.argument("random_state")
    return Finding(
        "D22",
        "warning",
        f"line {call.line}: train_test_split without stratify: of a class of {_CLASS} images {_CLASS * share:.0f} ± "
        f"{2 * spread:.0f} are held out, and pictures that are there twice may stand on both sides",
        {"line": call.line, "held_out": share, "standard_deviation_of_100": spread, "random_state": fixed},
        (
            "stratify was left out",
            *(("one split for all runs: its luck is in every score",) if fixed is not None else ()),
        ),
        "count the classes on both sides; tricklab data stats DIR lists copies",
        (f"data.split={{type: Stratified, train: {1 - share:g}, val: {share:g}}}", "data.duplicates=group"),
    )


@code_rule
def one_suffix_only(code: Code) -> Finding | None:
    """Images are listed by one suffix."""
    for call in code.named("glob", "iglob", "rglob"):
        pattern = call.argument("pathname", 0)
        match = _SUFFIX.search(pattern) if isinstance(pattern, str) else None
        if match is None:
            continue
        others = [s for s in ("png", "jpg", "jpeg") if s != match[1].lower() and f".{s}" in code.text.lower()]
        if others:
            continue
        return Finding(
            "D23",
            "warning",
            f"line {call.line}: {pattern!r} lists *.{match[1]} only; images with any other suffix, or with it in "
            "capitals, are left out without a word",
            {"line": call.line, "pattern": pattern},
            ("the data at hand happened to have one suffix",),
            "count the files of each suffix; tricklab data stats DIR reads all kinds and lists what is no image",
            ("data.images={type: ClassFolders}",),
        )
    return None


@code_rule
def removes_a_folder(code: Code) -> Finding | None:
    """A folder is removed with all that is in it, and files are copied into it by their bare names."""
    removed, copied = code.named("rmtree"), code.named("copy", "copyfile", "copy2", "move")
    copied = [call for call in copied if call.name.startswith("shutil")]
    if not removed or not copied:
        return None
    return Finding(
        "D24",
        "note",
        f"line {removed[0].line}: a folder is removed with all that is in it before files are copied there (line "
        f"{copied[0].line}); two files of one name in one class overwrite each other",
        {"removed_on_line": removed[0].line, "copied_on_line": copied[0].line},
        ("the split exists as copies of files",),
        "compare the number of files before and after",
        ("data.split={type: Manifest, file: manifest.csv}",),
    )
