"""May two runs be compared? They may differ only in what the arm between them wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SAMPLES_TOLERANCE = 0.01
# recipe paths that change how many samples are drawn
_LENGTH = (
    "train.epochs", "train.iterations", "train.samples", "train.batch_size", "train.accumulate", "model.type",
    "data.sampler", "data.split", "data.ignore",
)  # fmt: skip


def compare(on: Mapping[str, Any], off: Mapping[str, Any], writes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Reasons to refuse the comparison of two results of one block, and what must be said beside it.

    Args:
        on, off: ``result.json`` of the run with and without the arm.
        writes: recipe paths in which the two cells differ.

    >>> compare({"cost": {"threads": 1}}, {"cost": {"threads": 2}}, ["model.insert"])
    (['other threads (1 against 2)'], [])
    """
    refusals, labels = [], []
    metrics = [(found.get("metric") or {}).get("name") for found in (on, off)]
    if metrics[0] != metrics[1]:
        refusals.append(f"another metric ({metrics[0]} against {metrics[1]})")
    for name, key in (("threads", "threads"), ("device kind", "device")):
        here, there = on.get("cost", {}).get(key), off.get("cost", {}).get(key)
        if _kind(here) != _kind(there):
            refusals.append(f"other {name} ({here} against {there})")
    if on.get("metric_code") != off.get("metric_code"):
        refusals.append("the code that computes the metric differs")
    changed = _different(on.get("versions") or {}, off.get("versions") or {})
    if changed:
        refusals.append(f"other versions ({', '.join(changed)})")

    if on.get("data_digest") != off.get("data_digest"):
        if _touches(writes, ("data", "seed")):
            labels.append("the arm itself changes on which samples it is trained or evaluated")
        else:
            refusals.append("other data")

    drawn, against = on.get("samples_seen"), off.get("samples_seen")
    if drawn is not None and against is not None and abs(drawn - against) > SAMPLES_TOLERANCE * max(drawn, against):
        text = f"{drawn:,} samples drawn against {against:,}"
        (labels if _touches(writes, _LENGTH) else refusals).append(text)
    if on.get("order_hash") != off.get("order_hash"):
        labels.append("the samples came in another order")
    return refusals, labels


def _touches(writes: Iterable[str], sections: Sequence[str]) -> bool:
    return any(path == section or path.startswith(f"{section}.") for path in writes for section in sections)


def _kind(value: Any) -> Any:
    return value.partition(":")[0] if isinstance(value, str) else value


def _different(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {here.get(name)} against {there.get(name)}"
        for name in dict.fromkeys([*here, *there])
        if here.get(name) != there.get(name)
    ]
