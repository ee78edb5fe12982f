"""Statistics that are too small, over too many images, or not used."""

from __future__ import annotations

import re

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule, plain
from tricklab.doctor.finding import Finding

_ADDED = re.compile(r"^[^\n#]*std\w*(?:\[[^\]\n]*\])?\s*\+=[^\n]*\.std\(", re.MULTILINE)
_DIVIDED = re.compile(r"std\w*\s*(?:\.div_?\(|/=|=\s*\w*std\w*\s*/)")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@code_rule
def deviation_of_each_image(code: Code) -> Finding | None:
    """The standard deviation is the mean of the deviations of images or batches."""
    added = _ADDED.search(code.text)
    if added is None or not _DIVIDED.search(code.text, added.start()):
        return None
    printed = code.statistics()
    batches = {
        call.argument("batch_size") for call in code.named("DataLoader") if call.argument("batch_size") is not None
    }
    each = "image's" if batches in ({1}, set()) else "batch's"
    told = f" ({plain(printed[2])})" if printed else ""
    return Finding(
        "D18",
        "warning",
        f"line {code.line_of(added.start())}: std{told} is the mean of each {each} own deviation, which is never above "
        "the deviation of all pixels: how the images' means differ is left out",
        {"line": code.line_of(added.start()), **({"std": list(printed[2])} if printed else {})},
        (
            "pooled variance = mean of the variances + variance of the means, and the mean of deviations is below the "
            "root of the first term",
            "images of different sizes weigh the same, whatever number of pixels they have",
        ),
        "tricklab data stats DIR prints both",
        ("data.normalise=dataset",),
    )


@code_rule
def statistics_not_used(code: Code) -> Finding | None:
    """Means and deviations are computed and printed; Normalize has other constants."""
    printed = code.statistics()
    if printed is None:
        return None
    line, mean, std = printed
    for call in code.named("Normalize"):
        used = [call.argument(key, place) for place, key in enumerate(("mean", "std"))]
        if not all(_three_numbers(values) for values in used) or (tuple(used[0]), tuple(used[1])) == _IMAGENET:
            continue
        off = max(abs(a - b) for a, b in zip([*mean, *std], [*used[0], *used[1]], strict=True))
        if off <= 0.02:
            continue
        shown_mean = [(m - a) / s for m, a, s in zip(mean, *used, strict=True)]
        shown_std = [d / s for d, s in zip(std, used[1], strict=True)]
        return Finding(
            "D08",
            "warning",
            f"line {call.line}: Normalize({used[0]}, {used[1]}) is not what was computed on line {line}; the network "
            f"sees channels of mean {plain(shown_mean)} and deviation {plain(shown_std)} instead of 0 and 1",
            {"computed": [list(mean), list(std)], "used": used, "mean": shown_mean, "std": shown_std},
            ("the constants of a template were never replaced", "the transforms come from another script"),
            "print mean and standard deviation of one training batch",
            ("data.normalise=dataset",),
        )
    return None


@code_rule
def statistics_over_validation(code: Code) -> Finding | None:
    """Mean and deviation are taken over the same folder that is split into training and validation afterwards."""
    if not code.named("train_test_split", "random_split", "StratifiedShuffleSplit"):
        return None
    computed = _ADDED.search(code.text) or re.search(r"^[ \t]*def \w*mean\w*std\w*\(", code.text, re.MULTILINE)
    if computed is None:
        return None
    listed = {_top(call.argument("pathname", 0)) for call in code.named("glob", "iglob", "listdir")}
    for call in code.named("ImageFolder", "DatasetFolder"):
        folder = call.argument("root", 0)
        if isinstance(folder, str) and _top(folder) in listed:
            return Finding(
                "D19",
                "warning",
                f"line {call.line}: mean and std are taken over all of {folder!r}, which is split into training and "
                "validation afterwards: the validation images are in them",
                {"line": call.line, "folder": folder},
                ("the statistics were computed before the split",),
                "compute them over the training images only and compare: the difference is what the leak is worth",
                ("data.normalise=dataset",),
            )
    return None


def _three_numbers(values: object) -> bool:
    return isinstance(values, list | tuple) and len(values) == 3 and all(isinstance(v, int | float) for v in values)


def _top(path: object) -> str | None:
    """The first folder of a path or pattern."""
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".")] if isinstance(path, str) else []
    return parts[0] if parts else None
