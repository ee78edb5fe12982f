"""The one LightningModule: a task's loss and its optimizer; what happens around a step is in ``steps``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.distributed.tensor import DTensor

from tricklab.engine.clock import RunClock
from tricklab.observe import observe
from tricklab.ops.ranks import ranks
from tricklab.ops.whole_batch_norm import WholeBatchNorm
from tricklab.optim.adaptive_clipping import clip_adaptively_
from tricklab.optim.layer_numbers import classifier_parameters
from tricklab.optim.optimizer import build_optimizer
from tricklab.optim.schedule_list import Schedules

Losses = dict[str, torch.Tensor]


class Training(LightningModule):
    """Any task's training.

    Args:
        task: gives ``forward(model, batch) -> outputs`` and ``loss(outputs, batch) -> (total, {name: term})``.
        model: the network to train.
        optimizer: the recipe's optimizer section.
        schedules: the learning rate's factor at each step.
        clip_norm: largest norm of the gradient, or None.
        clip_value: largest absolute value of a gradient's element, or None.
        clip_adaptive: longest gradient of a unit as a share of the norm of its weights, or None.
        clip_adaptive_head: clip the classifier's units as well.
        wants_norm: says whether the gradient's norm of the running step will be logged.
        compiled: run the forward pass through ``torch.compile``.
        accumulate: micro-batches in a step. Each weighs as many samples as it has, so that a step's gradient is that of
            the mean over all of them, also at the end of an epoch, where micro-batches are missing or smaller.
        sync_batchnorm: among several processes, normalise over the batch of all of them.

    Several processes share every batch. The loss is computed by each over the outputs for the whole batch, so that it
    is what one process would compute, class weights and mined samples included; each process's part of the gradient is
    that of its own items.
    """

    def __init__(
        self,
        task: Any,
        model: nn.Module,
        optimizer: Mapping[str, Any],
        schedules: Schedules,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        clip_adaptive: float | None = None,
        clip_adaptive_head: bool = False,
        wants_norm: Callable[[int], bool] = lambda step: False,
        compiled: bool = False,
        accumulate: int = 1,
        sync_batchnorm: bool = True,
    ) -> None:
        super().__init__()
        self.task, self.model, self.accumulate = task, model, accumulate
        self.schedules, self.wants_norm = schedules, wants_norm
        self.clip_norm, self.clip_value, self.clip_adaptive = clip_norm, clip_value, clip_adaptive
        spared = set() if clip_adaptive is None or clip_adaptive_head else set(classifier_parameters(model))
        self._unclipped = {id(parameter) for name, parameter in model.named_parameters() if name in spared}
        self.losses: Losses = {}
        self.drawn: dict[str, torch.Tensor] = {}
        self.grad_norm: torch.Tensor | None = None
        self.clipped: torch.Tensor | None = None
        self.output_dtypes: dict[str, str] = {}
        self.sync_batchnorm, self.samples = sync_batchnorm, 0
        self._optimizer = dict(optimizer)
        # a compiled module would rename every parameter, so it stays out of the module tree
        self._call: list[Callable[..., Any]] = [torch.compile(model) if compiled else model]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The recipe's optimizer over all parameters that want a gradient."""
        return build_optimizer(self._optimizer, self.model)

    def set_learning_rate(self, step: int) -> float:
        """Set learning rate and momentum for the step that follows ``step`` finished ones; returns the first rate."""
        return self.schedules.apply(self.trainer.optimizers[0], step)

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> torch.Tensor:
        """Loss of one micro-batch; its terms stay in ``losses`` for the journal."""
        micro = self.trainer.fit_loop.total_batch_idx
        batch = self.task.augment_batch(dict(batch), micro / int(self.trainer.num_training_batches), micro)
        self.samples, own = self._items(batch, micro)
        self.drawn = {name: values[:own] for name, values in batch["drawn"].items()}
        with self._normalising(own):
            outputs = self.task.forward(self._call[0], batch)
        if not self.output_dtypes:
            self.output_dtypes = {name: str(tensor.dtype) for name, tensor in outputs.items()}
        if not ranks().alone:
            outputs, batch = whole_batch(outputs, batch, ranks().shares(self.samples))
        total, terms = self.task.loss(outputs, batch)
        self.losses = {**{f"loss/{name}": term for name, term in terms.items()}, "loss": total}
        if not ranks().alone:
            # gradients are averaged over the processes, of which each has only its own items' part
            total = total * ranks().world
        return total if self.accumulate == 1 else total * self._share(self.samples)

    def _items(self, batch: Mapping[str, Any], micro: int) -> tuple[int, int]:
        """Items of the micro-batch in all processes, and in this one; where it has none, one stands in."""
        if ranks().alone:
            return len(batch["index"]), len(batch["index"])
        clock = cast(RunClock, self.schedules.clock)
        samples = clock.items_of(micro % clock.batches_per_epoch)
        return samples, ranks().shares(samples)[ranks().rank]

    def _normalising(self, own: int) -> contextlib.AbstractContextManager[Any]:
        if ranks().alone or not self.sync_batchnorm:
            return contextlib.nullcontext()
        return WholeBatchNorm(ranks(), counted=own > 0)

    def _share(self, samples: int) -> float:
        """A micro-batch's share of its step, times the number by which Lightning divides every loss."""
        clock, step = self.schedules.clock, self.trainer.global_step
        return self.accumulate * samples / (clock.samples_at(step + 1) - clock.samples_at(step))

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Measure the gradient's norm where it is wanted and clip in the recipe's way; runs after any unscaling."""
        clips = any(bound is not None for bound in (self.clip_norm, self.clip_value, self.clip_adaptive))
        if not clips and not self.wants_norm(self.trainer.global_step + 1):
            self.grad_norm = None
            return
        having = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in having]
        norm = whole(nn.utils.get_total_norm(gradients))
        gradients = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
        self.grad_norm = norm.detach()
        if not clips:
            return
        cut = torch.zeros((), dtype=torch.bool, device=norm.device)
        if self.clip_norm is not None:
            torch._foreach_mul_(gradients, (self.clip_norm / (norm + 1e-6)).clamp(max=1.0))
            cut |= norm > self.clip_norm
        if self.clip_value is not None:
            cut |= torch.stack([gradient.abs().amax() for gradient in gradients]).amax() > self.clip_value
            torch._foreach_clamp_min_(gradients, -self.clip_value)
            torch._foreach_clamp_max_(gradients, self.clip_value)
        if self.clip_adaptive is not None:
            share = clip_adaptively_([p for p in having if id(p) not in self._unclipped], self.clip_adaptive)
            observe("clip_adaptive/share", share)
            cut |= share.to(cut.device) > 0
        self.clipped = cut.float()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move what the model and the losses read; item numbers and notes on what was drawn stay on the CPU."""
        stay = ("index", "drawn")
        return {
            key: value if key in stay or not isinstance(value, torch.Tensor) else value.to(device, non_blocking=True)
            for key, value in batch.items()
        }


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that is divided among the processes in one piece; every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_batch(
    outputs: Mapping[str, torch.Tensor], batch: Mapping[str, Any], counts: Sequence[int]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Outputs and targets of the items of all processes, in the order of the batch; what a model reads stays.

    Args:
        outputs: named tensors (N, …); only this process's own rows carry a gradient.
        batch: tensors whose first dimension is N are gathered, except ``image``; the rest is this process's.
        counts: items of each process; N is this one's, or 1 where it has none.
    """
    found, own = ranks(), counts[ranks().rank]
    length = len(batch["index"])

    def gathered(tensor: torch.Tensor) -> torch.Tensor:
        return found.rows(tensor[:own], counts)

    whole = {
        name: gathered(value)
        if isinstance(value, torch.Tensor) and value.ndim and len(value) == length and name != "image"
        else value
        for name, value in batch.items()
    }
    return {name: gathered(tensor) for name, tensor in outputs.items()}, whole


def apply_memory_format(model: nn.Module, name: str) -> nn.Module:
    """Lay out 2-D and 3-D convolution weights channels last (``channels_last``); ``contiguous`` changes nothing.

    Raises:
        ValueError: another name.
    """
    if name == "contiguous":
        return model
    if name != "channels_last":
        raise ValueError(f"unknown memory format {name!r}")
    for parameter in model.parameters():
        if parameter.ndim in (4, 5):
            layout = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return model
