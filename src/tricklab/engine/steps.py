"""What happens around every training step, in the order in which it happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from tricklab.engine.averagings import Averagings
from tricklab.engine.branching import Branching
from tricklab.engine.clock import Every, RunClock
from tricklab.engine.frozen_parts import FrozenParts
from tricklab.engine.interruption import Interrupted, Interruption
from tricklab.engine.journal import Journal
from tricklab.engine.judge import Judge
from tricklab.engine.module import Training
from tricklab.ops.ranks import ranks
from tricklab.optim.schedule_list import Schedules
from tricklab.seeds import Seeds

FIRST_STEPS = 10


@dataclass(frozen=True)
class Moments:
    """When to log, to validate and to save."""

    log: Every
    validate: Every
    checkpoint: Every


class Steps(Callback):
    """Seeds dropout, sets the learning rate, logs, averages, judges, validates, saves and stops.

    Everything that a resumed training needs is in ``state_dict``. A checkpoint is only written between two steps, never
    inside an accumulation. The validation of the last step is not made here: it is the run's evaluation.

    Args:
        validate: scores the model as it is; returns its row.
        tick: told about every finished step, for a progress bar.
    """

    def __init__(
        self,
        *,
        clock: RunClock,
        seeds: Seeds,
        moments: Moments,
        journal: Journal,
        averagings: Averagings,
        schedules: Schedules,
        frozen: FrozenParts,
        judge: Judge,
        own_averaging: str | None,
        validate: Callable[[LightningModule, int], dict[str, Any]],
        checkpoint: Path,
        interruption: Interruption,
        tick: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.clock, self.seeds, self.moments = clock, seeds, moments
        self.journal, self.averagings, self.schedules, self.frozen = journal, averagings, schedules, frozen
        self.judge, self.own_averaging = judge, own_averaging
        self.validate, self.checkpoint, self.interruption, self.tick = validate, checkpoint, interruption, tick
        self.step = 0
        self.validated = 0
        self.order: dict[int, str] = {}
        self.drawn: dict[str, list[float]] = {}
        self.branching = Branching(clock.branches)
        self.skipped = 0
        self._moved = False
        self._mark = 0.0
        self._began = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals back from Lightning and make up for a validation that a stop cut off."""
        self.interruption.install()
        self._check_stop()
        self.step = trainer.global_step
        self.journal.begin(self.step)
        trainer.optimizers[0].register_step_post_hook(self._took_step)
        if self._validation_due() and self.validated < self.step:
            self._validate(pl_module)
        self._mark = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the sampler its epoch: the order depends on nothing else."""
        cast(Any, trainer.train_dataloader).batch_sampler.set_epoch(trainer.current_epoch)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Seed dropout from (block, micro-batch, rank); set the learning rate and what is frozen from the step."""
        self._began = time.perf_counter()
        micro = trainer.fit_loop.total_batch_idx
        seed_dropout(self.seeds, micro, trainer.global_rank, pl_module.device)
        epoch = micro // self.clock.batches_per_epoch
        if epoch not in self.order:
            self.order[epoch] = cast(Any, trainer.train_dataloader).batch_sampler.order_hash(epoch)
        module = cast(Training, pl_module)
        self.branching.before_batch(trainer.global_step, module.model, trainer.optimizers[0])
        module.set_learning_rate(trainer.global_step)
        branches = self.clock.branches
        self.frozen.before(branches.along_path(trainer.global_step) if branches else trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Everything that follows a micro-batch; most of it only where it finished a step."""
        module = cast(Training, pl_module)
        epoch, number = divmod(trainer.fit_loop.total_batch_idx, self.clock.batches_per_epoch)
        for name, values in module.drawn.items():
            kept = self.drawn.setdefault(name, [0.0, 0.0])
            kept[0] += float(values.sum())
            kept[1] += len(values)
        self.journal.keep(self.step + 1, number, epoch, module.samples, module.losses)
        now = time.perf_counter()
        self.journal.time(self._began - self._mark, now - self._mark)
        if trainer.global_step > self.step:
            self.step = trainer.global_step
            if self.step == 1:
                self._first_loss(module)
            if module.clipped is not None:
                self.journal.clip(module.clipped)
            # running statistics of each process's part of the batch
            ranks().average_([buffer for buffer in module.model.buffers() if buffer.is_floating_point()])
            self.skipped += not self._moved
            self.averagings.update(module.model, self._moved)
            self._moved = False
            self._log(trainer, module)
            self._judge_first_steps(module)
            self._validate_save_or_stop(trainer, module)
            self.tick(self.step)
        self._mark = time.perf_counter()

    def wants_norm(self, step: int) -> bool:
        """Whether the gradient's norm of this step will be logged."""
        return step in (1, self._first_moment()) or self.moments.log.due(step, self.clock)

    def state_dict(self) -> dict[str, Any]:
        """Everything beside Lightning's own state."""
        return {
            "journal": self.journal.state_dict(),
            "averagings": self.averagings.state_dict(),
            "schedules": self.schedules.state_dict(),
            "validated": self.validated,
            "order": dict(self.order),
            "drawn": {name: list(kept) for name, kept in self.drawn.items()},
            "branching": self.branching.state_dict(),
            "skipped": self.skipped,
            "others": self._of_others(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.journal.load_state_dict(state_dict["journal"])
        self.averagings.load_state_dict(state_dict["averagings"])
        self.schedules.load_state_dict(state_dict["schedules"])
        self.validated = int(state_dict["validated"])
        self.order = {int(epoch): digest for epoch, digest in state_dict["order"].items()}
        self.drawn = {name: list(kept) for name, kept in state_dict["drawn"].items()}
        self.branching.load_state_dict(state_dict["branching"])
        self.skipped = int(state_dict["skipped"])
        if not ranks().first:
            own = state_dict["others"][ranks().rank - 1]
            self.drawn = {name: list(kept) for name, kept in own["drawn"].items()}
            self.journal.listener.load_state_dict({name: tuple(kept) for name, kept in own["listener"].items()})

    def record_facts(self, module: Training) -> None:
        """Facts that grow while training: order, draws, distances of the averages."""
        self.judge.fact("order_hash", self.order)
        drawn: dict[str, list[float]] = {}
        for found in ranks().tell(self.drawn):
            for name, (total, count) in found.items():
                before = drawn.setdefault(name, [0.0, 0.0])
                drawn[name] = [before[0] + total, before[1] + count]
        if drawn:
            shares = {name: {"count": total, "share": total / count} for name, (total, count) in drawn.items()}
            self.judge.fact("data/drawn", shares)
        self.judge.fact("train/skipped_steps", self.skipped)
        scaler = getattr(module.trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            self.judge.fact("train/loss_scale", float(scaler.get_scale()))
        for key in self.averagings.watching:
            distance = self.averagings.distance(key, module.model)
            self.judge.fact(f"averaging/{key}/distance", distance)
            if key == self.own_averaging:
                self.judge.fact("averaging/distance", distance)

    def _took_step(self, optimizer: torch.optim.Optimizer, arguments: object, options: object) -> None:
        # loss scaling does not call the optimizer at all; one that scales by itself is told to do nothing
        overflow = getattr(optimizer, "found_inf", None)
        self._moved = overflow is None or not bool(overflow)

    def _first_moment(self) -> int:
        return min(FIRST_STEPS, self.clock.total_steps)

    def _first_loss(self, module: Training) -> None:
        self.judge.fact("loss/initial", float(module.losses["loss"].detach()))
        self.judge.fact("train/output_dtype", module.output_dtypes.get("main"))

    def _log(self, trainer: Trainer, module: Training) -> None:
        if self.wants_norm(self.step):
            norm = None if module.grad_norm is None else float(module.grad_norm)
            # the head's, where layers differ
            lr = float(max(group["lr"] for group in trainer.optimizers[0].param_groups))
            self.journal.training_row(self.step, lr, norm)

    def _judge_first_steps(self, module: Training) -> None:
        if self.step != self._first_moment():
            return
        self.record_facts(module)
        evidence = self.judge.evidence(self.journal.rows)
        self.judge.diagnose("first_steps", evidence)
        self.judge.probe("first_steps", evidence)

    def _validation_due(self) -> bool:
        return 0 < self.step < self.clock.total_steps and self.moments.validate.due(self.step, self.clock)

    def _validate_save_or_stop(self, trainer: Trainer, module: Training) -> None:
        try:
            if self._validation_due():
                self._validate(module)
            if self.step < self.clock.total_steps:
                self._check_stop()
        except Interrupted:
            self._save(trainer)
            raise
        if self.step < self.clock.total_steps and self.moments.checkpoint.due(self.step, self.clock):
            self._save(trainer)

    def _validate(self, module: LightningModule) -> None:
        self.journal.collect_observed()
        try:
            # one of several processes must not leave an evaluation that the others are in
            with self.interruption.immediate() if ranks().alone else contextlib.nullcontext():
                row = self.validate(module, self.step)
        finally:
            self.journal.listener.drain()
        # no signal may part these three: a validation that is made again must not be in the records already
        self.journal.write(row)
        self.schedules.observe(row)
        self.validated = self.step
        self.judge.diagnose("training", self.judge.evidence(self.journal.rows))

    def _check_stop(self) -> None:
        """Stop where any process was asked to, all at the same step."""
        if ranks().alone:
            self.interruption.check()
            return
        # a signal that comes while the others are asked is told them the next time
        number = ranks().largest(self.interruption.number or 0)
        if number:
            self.interruption.number = number
            raise Interrupted(number)

    def _of_others(self) -> list[dict[str, Any]]:
        """What the other processes, which write no checkpoint, have counted."""
        if ranks().alone:
            return []
        listener = {
            name: [float(part) if isinstance(part, torch.Tensor) else part for part in kept]
            for name, kept in self.journal.listener.state_dict().items()
        }
        return ranks().tell({"drawn": self.drawn, "listener": listener})[1:]

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.checkpoint, weights_only=False)


def seed_dropout(seeds: Seeds, micro_batch: int, rank: int, device: torch.device) -> None:
    """Seed the generators that modules draw from, so that a batch's dropout depends on its number alone."""
    seed_generators(seeds.integer("dropout", micro_batch, rank), device)


def seed_generators(number: int, device: torch.device) -> None:
    """Seed the default generators of the CPU and of the device."""
    torch.random.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)
