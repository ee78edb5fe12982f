"""One training from its first step, or from its checkpoint, to its last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lightning.pytorch import LightningModule
from torch import nn

from tricklab.engine.averagings import Averagings
from tricklab.engine.clock import Every, RunClock, run_clock
from tricklab.engine.evaluation import evaluating, score
from tricklab.engine.frozen_parts import FrozenParts
from tricklab.engine.interruption import Interruption
from tricklab.engine.journal import Journal, Sink, peak_memory_mb
from tricklab.engine.module import Training, apply_memory_format
from tricklab.engine.observations import drained, observed
from tricklab.engine.parallel import build_strategy, whole_network, whole_state
from tricklab.engine.prepared import Prepared
from tricklab.engine.progress import Progress
from tricklab.engine.statistics_batches import forward_on_device, statistics_batches
from tricklab.engine.steps import Moments, Steps
from tricklab.engine.trainer import build_trainer
from tricklab.layers.drop_path import draw_once_a_batch, drop_paths
from tricklab.models.initial_weights import remembered
from tricklab.models.weights_digest import weights_digest
from tricklab.observe import listening
from tricklab.ops.ranks import ranks
from tricklab.optim.freezing import Freezing
from tricklab.optim.parameter_groups import describe_groups, describe_layers, describe_rules, unmatched_parameters
from tricklab.optim.schedule_list import Schedules
from tricklab.records import load_tree, save_tree

DONE = "fit/finished"
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def fit(prepared: Prepared, interruption: Interruption, progress: Progress | None, sinks: Sequence[Sink] = ()) -> None:
    """Train, or go on training, and leave ``weights`` and one file per averaging among the checkpoints.

    Does nothing when the training is already done. The fact ``fit/finished`` says how it went.

    Raises:
        NonFinite: a loss term is not finite.
        NotLive: a trick did nothing in the first steps.
        Interrupted: a signal came; a checkpoint was saved first.
    """
    run, chosen, judge = prepared.run, prepared.settings, prepared.judge
    resume = run.checkpoint("resume")
    if run.checkpoint("weights").exists() and DONE in judge.facts():
        if ranks().first:
            resume.unlink(missing_ok=True)
        return
    loader = prepared.task.loader("train")
    clock = run_clock(chosen.train.model_dump(), loader.batch_sampler.samples)
    start = _start(prepared, clock, loader)
    loader.batch_sampler.share_among(ranks())
    model = apply_memory_format(prepared.task.build_model().to(prepared.device), chosen.train.memory_format)
    if chosen.train.precision == "64-true":
        # Lightning widens the weights after it has restored a checkpoint, which would then be rounded
        model = model.double()
    if chosen.train.drop_path_per == "batch":
        draw_once_a_batch(model)
    configs = [*([chosen.evaluate.averaging] if chosen.evaluate.averaging else []), *run.declared["observers"]]
    averagings = Averagings(
        configs,
        model,
        clock,
        lambda: statistics_batches(prepared),
        forward_on_device(prepared.task),
        _selector(prepared),
    )
    schedules = Schedules(chosen.schedule, clock, clock.branches)
    freezing = Freezing(model, [item.model_dump() for item in chosen.train.freeze], clock)
    with listening() as listener:
        journal = Journal(run, clock, listener, prepared.device, sinks)
        steps = Steps(
            clock=clock,
            seeds=prepared.seeds,
            moments=moments(chosen.train),
            journal=journal,
            averagings=averagings,
            schedules=schedules,
            frozen=FrozenParts(freezing, judge),
            judge=judge,
            own_averaging=prepared.averaging_key,
            validate=_validator(prepared, journal, averagings),
            checkpoint=resume,
            interruption=interruption,
            tick=progress.tick if progress else lambda step: None,
        )
        module = Training(
            prepared.task,
            model,
            chosen.optimizer,
            schedules,
            clip_norm=chosen.train.clip_norm,
            clip_value=chosen.train.clip_value,
            clip_adaptive=chosen.train.clip_adaptive,
            clip_adaptive_head=chosen.train.clip_adaptive_head,
            wants_norm=steps.wants_norm,
            compiled=chosen.train.compile,
            accumulate=clock.accumulate,
            sync_batchnorm=chosen.train.sync_batchnorm,
        )
        if start == 0:
            _first_facts(prepared, module, schedules)
        trainer = build_trainer(
            clock,
            [steps],
            device=prepared.device,
            precision=chosen.train.precision,
            folder=run.path,
            strategy=None if ranks().alone else build_strategy(ranks(), model, chosen.train),
            world=ranks().world,
        )
        if progress:
            progress.begin(clock, start)
        # what follows the last step is as hard to make again as the steps
        with interruption.deferred():
            try:
                trainer.fit(module, loader, ckpt_path=resume if resume.exists() else None)
            finally:
                if progress:
                    progress.end()
            # Lightning has moved the model to the CPU
            model.to(prepared.device)
            _leave(prepared, module, steps)
    ranks().wait()
    interruption.check()


def moments(train: Any) -> Moments:
    """When a ``train`` section logs, validates and saves."""

    def read(key: str) -> Every:
        every = getattr(train, key)
        return Every.read(None if every is None else every.model_dump(), f"train.{key}")

    return Moments(log=read("log_every"), validate=read("validate_every"), checkpoint=read("checkpoint_every"))


def _start(prepared: Prepared, clock: RunClock, loader: Any) -> int:
    """Steps already done; the loader is put where they end, rows beyond are dropped."""
    run = prepared.run
    resume = run.checkpoint("resume")
    step = int(load_tree(resume)["global_step"]) if resume.exists() else 0
    run.drop_metrics_after(step if step else -1)
    if step:
        prepared.judge.event("resumed", step=step, epoch=clock.place_at(step)[0], batch=clock.place_at(step)[1])
    epoch, batch = clock.place_at(step)
    loader.batch_sampler.set_epoch(epoch)
    loader.batch_sampler.start_at(batch)
    return step


def _first_facts(prepared: Prepared, module: Training, schedules: Schedules) -> None:
    model, judge = module.model, prepared.judge
    optimizer = module.configure_optimizers()
    judge.fact("model/parameters", sum(p.numel() for p in model.parameters()))
    judge.fact("model/modules", {name: type(part).__name__ for name, part in model.named_modules() if name})
    judge.fact("model/parameter_names", [name for name, _ in model.named_parameters()])
    judge.fact("model/dropout", {n: part.p for n, part in model.named_modules() if isinstance(part, _DROPOUTS)})
    judge.fact("model/drop_path", drop_paths(model))
    judge.fact("optimizer/class", type(optimizer).__name__)
    judge.fact("optimizer/groups", describe_groups(optimizer.param_groups))
    judge.fact("optimizer/undecayed", [n for g in optimizer.param_groups if g["weight_decay"] == 0 for n in g["names"]])
    judge.fact("optimizer/unmatched", unmatched_parameters(model, optimizer.param_groups))
    if prepared.settings.optimizer.get("layer_decay") is not None:
        judge.fact("optimizer/layers", describe_layers(model, optimizer.param_groups))
    if rules := describe_rules(model, optimizer.param_groups, prepared.settings.optimizer):
        judge.fact("optimizer/rules", rules)
    if (first := remembered(model)) is not None:
        judge.fact("model/weights_loaded", first.fact())
    judge.fact("initial_weights_digest", weights_digest(model.state_dict()))
    if not schedules.watches:
        judge.fact("schedule/planned", schedules.planned())


def _validator(
    prepared: Prepared, journal: Journal, averagings: Averagings
) -> Callable[[LightningModule, int], dict[str, Any]]:
    chosen, task, judge, key = prepared.settings, prepared.task, prepared.judge, prepared.averaging_key
    trivial = {f"{prepared.split}/trivial_{name}": value for name, value in task.trivial(prepared.split).items()}

    def validate(module: LightningModule, step: int) -> dict[str, Any]:
        model: nn.Module = module.model  # type: ignore[assignment]
        averaged = averagings.weights(key, model) if key is not None and averagings.watching[key].updates else None
        with listening() as listener, whole_network(model, task) as found:
            scored = score(task, found, prepared.split, prepared.postprocess, chosen.evaluate.method, averaged)
        if prepared.split == "test":
            judge.event("test_touched", step=step, by="validation")
        if scored.training_modules:
            judge.fact("evaluate/training_modules", list(scored.training_modules))
        return {**journal.place(prepared.split, step), **scored.row(), **trivial, **observed(drained(listener))}

    return validate


def _selector(prepared: Prepared) -> Callable[[nn.Module], float]:
    """How good a model is on the validation set in the declared metric, higher is better."""
    chosen, task = prepared.settings, prepared.task
    name, sign = chosen.metric.monitor.split("/", 1)[1], 1 if chosen.metric.mode == "max" else -1

    def select(model: nn.Module) -> float:
        with evaluating(model):
            found = task.evaluate(model, "val", prepared.postprocess, chosen.evaluate.method)
        return sign * found.values[name]

    return select


def _leave(prepared: Prepared, module: Training, steps: Steps) -> None:
    run, journal = prepared.run, steps.journal
    steps.record_facts(module)
    steps.frozen.ended()
    prepared.judge.fact("train/end_loss", journal.rows[-1]["loss_mean"])
    weights = whole_state(module.model)
    # by all processes, since a soup may be chosen by an evaluation that they share
    averages = {key: steps.averagings.weights(key, module.model) for key in steps.averagings.watching}
    if not ranks().first:
        return
    save_tree(run.checkpoint("weights"), weights)
    for key, averaged in averages.items():
        save_tree(run.checkpoint(f"average-{key}"), averaged)
        members = steps.averagings.members(key)
        if members is not None:
            save_tree(run.checkpoint(f"members-{key}"), members)
        if key in steps.averagings.notes:
            prepared.judge.fact(f"averaging/{key}/greedy", steps.averagings.notes[key])
    prepared.judge.fact(
        DONE,
        {
            "steps": steps.step,
            "epochs": round(steps.clock.epoch_at(steps.step), 6),
            "samples_seen": steps.clock.samples_at(steps.step),
            "train_s": round(journal.wall_s, 3),
            "peak_memory_mb": peak_memory_mb(prepared.device),
        },
    )
    run.checkpoint("resume").unlink(missing_ok=True)
