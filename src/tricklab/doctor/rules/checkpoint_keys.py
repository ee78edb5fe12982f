"""S03: a checkpoint that did not fill the whole model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence


class CheckpointKeys(Rule):
    """Not every parameter of the evaluated model came from the checkpoint, or the checkpoint holds others."""

    id: ClassVar[str] = "S03"
    phases: ClassVar[tuple[Phase, ...]] = ("evaluation",)

    def check(self, evidence: Evidence) -> Finding | None:
        keys = evidence.fact("evaluate/loaded_keys") or {}
        missing, unexpected = list(keys.get("missing") or ()), list(keys.get("unexpected") or ())
        if not missing and not unexpected:
            return None
        loaded = keys.get("loaded")
        count = loaded if isinstance(loaded, int) else len(loaded or ())
        prefixes = sorted(
            {p for p in ("module.", "_orig_mod.", "model.") if any(str(k).startswith(p) for k in unexpected)}
        )
        return Finding(
            self.id,
            "error",
            f"{count} keys loaded, {len(missing)} keys of the model missing, {len(unexpected)} of the file unused",
            {"missing": missing[:20], "unexpected": unexpected[:20], "loaded": count, "prefixes": prefixes},
            ((f"the file's keys carry the prefix {prefixes[0]!r}",) if prefixes else ())
            + ("the weights belong to another recipe (a block inserted or left out)",),
            "compare the two key lists; evaluate with the recipe that stands beside the weights",
        )
