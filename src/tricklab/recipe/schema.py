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


class Freeze(Section):
    """A part of the model that does not train, for a while or to the end."""

    match: str | None = Field(default=None, description="a module, a parameter, or a pattern with * and ?")
    layers: int | None = Field(
        default=None, description="so many layers from the input; below zero: all but so many at the head"
    )
    until: Every | None = Field(default=None, description="the moment from which it trains; null: never")
    batch_norm: Literal["eval", "train"] = Field(
        default="eval", description="mode of its batch normalisations while it is frozen"
    )


class Branching(Section):
    """From one point of the training several continuations, which share the steps that are left."""

    members: Annotated[int, Field(ge=2)] = Field(default=3, description="how many continuations")
    start: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.5, description="share of the run before the point")
    lr_ratios: list[Positive] | None = Field(
        default=None, description="factor on the learning rate of each continuation; null: 1 for all"
    )


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
    clip_adaptive: Positive | None = Field(
        default=None, description="longest gradient of a unit as a share of the norm of its weights"
    )
    clip_adaptive_head: bool = Field(default=False, description="clip_adaptive for the classifier as well")
    freeze: list[Freeze] = Field(default=[], description="what does not train, and until when")
    drop_path_per: Literal["image", "batch"] = Field(
        default="image", description="one draw of model.drop_path for each image, or one for the whole batch"
    )
    branches: Branching | None = Field(default=None, description="go back to one point for several continuations")
    validate_every: Every | None = Field(default=Every(epochs=1), description="null: only at the end")
    checkpoint_every: Every | None = Field(default=Every(epochs=1), description="null: only at the end")
    log_every: Every | None = Field(default=Every(iterations=10), description="null: only at the end")
    workers: Annotated[int, Field(ge=0)] = Field(default=0, description="loader processes")
    threads: Count | None = Field(default=None, description="CPU threads; null: as torch decides")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    devices: Count = Field(default=1, description="processes that train together, one GPU or share of the cores each")
    strategy: Literal["auto", "ddp", "fsdp"] = Field(
        default="auto", description="what each process holds: all weights (ddp, auto), or its share of them (fsdp)"
    )
    sync_batchnorm: bool = Field(
        default=True, description="batch normalisation over the batch of all processes, not over each one's part"
    )
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
    method: Literal["windows", "dense", "whole", "slide"] = "windows"
    window: list[Count] | None = Field(default=None, description="method slide: height and width of a window in pixels")
    stride: list[Count] | None = Field(default=None, description="method slide: pixels from one window to the next")
    blend: Literal["hann", "mean"] | None = Field(
        default=None, description="method slide: null: hann, less weight near a window's sides; mean: all alike"
    )
    margin: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="method slide: pixels at a window's sides that count nothing; null: 0"
    )
    boundary_tolerance: Positive | None = Field(
        default=None,
        description="masks: how far outlines may lie apart; from 1 on pixels, below a share of the image's diagonal; "
        "null: 0.0075",
    )


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
