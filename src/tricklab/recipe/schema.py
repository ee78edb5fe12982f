"""The keys of a recipe, their types and defaults. Components (data, model, losses, …) are checked by the registry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tricklab.recipe.defaults import LOSSES, OPTIMIZER

Component = dict[str, Any]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A frozen part of the settings: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class Every(Section):
    """How often, counted in exactly one unit."""

    epochs: Count | None = None
    iterations: Count | None = None
    samples: Count | None = None


class Train(Section):
    """How long, on what and with which arithmetic to train."""

    epochs: Count | None = Field(
        default=None, description="length in passes over the training samples (100 if no length is given)"
    )
    iterations: Count | None = Field(default=None, description="length in optimizer steps")
    samples: Count | None = Field(default=None, description="length in training samples seen")
    batch_size: Count = 64
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true"] = "32-true"
    accumulate: Count = Field(
        default=1, description="batches that make one step; their gradients are averaged, each weighing its samples"
    )
    clip_norm: Positive | None = Field(default=None, description="largest Euclidean norm of all gradients together")
    clip_value: Positive | None = Field(default=None, description="largest magnitude of each gradient entry")
    validate_every: Every | None = Field(default=Every(epochs=1), description="null: only at the end")
    checkpoint_every: Every | None = Field(default=Every(epochs=1), description="null: only at the end")
    log_every: Every | None = Field(default=Every(iterations=10), description="null: only at the end")
    workers: Annotated[int, Field(ge=0)] = Field(default=0, description="loader processes")
    threads: Count | None = Field(default=None, description="CPU threads; null: as torch decides")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    compile: bool = False
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    share_convolutions: bool = Field(
        default=False, description="train on tiles: neighbouring windows share convolutions"
    )


class Evaluate(Section):
    """What is scored. Nothing here changes the training."""

    weights: Literal["last", "average"] = "last"
    averaging: Component | None = Field(default=None, json_schema_extra={"x-kind": "averaging"})
    postprocess: list[Component] = Field(default=[], json_schema_extra={"x-kind": "postprocess", "x-list": True})
    batch_size: Count = 256
    method: Literal["windows", "dense"] = "windows"


class Metric(Section):
    """The declared outcome of a run."""

    monitor: Annotated[str, Field(pattern=r"^(val|test)/[a-z][a-z0-9_]*$")] = "val/oa"
    mode: Literal["max", "min"] = "max"
    delta: Positive | None = Field(default=None, description="smallest effect worth having, in the metric's unit")


class Log(Section):
    """Where numbers go besides the run folder."""

    loggers: list[Component] = Field(default=[], json_schema_extra={"x-kind": "logger", "x-list": True})


class Settings(Section):
    """A resolved recipe as typed attributes; components are plain mappings."""

    task: str = Field(description="what is learned from what")
    seed: Annotated[int, Field(ge=0)] = 0
    data: Component = Field(description="the keys of the task's data")
    model: Component = Field(json_schema_extra={"x-kind": "model"})
    losses: list[Component] = Field(default=LOSSES, json_schema_extra={"x-kind": "loss", "x-list": True})
    optimizer: Component = Field(default=OPTIMIZER, json_schema_extra={"x-kind": "optimizer"})
    schedule: list[Component] = Field(default=[], json_schema_extra={"x-kind": "schedule", "x-list": True})
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    metric: Metric = Metric()
    log: Log = Log()
    imports: list[str] = Field(default=[], description="a user's own modules: .py files or dotted names")


SECTIONS: dict[str, type[Section]] = {"train": Train, "evaluate": Evaluate, "metric": Metric, "log": Log}
