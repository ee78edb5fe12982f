"""The one LightningModule: a task's loss and its optimizer; what happens around a step is in ``steps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import nn

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
        wants_norm: says whether the gradient's norm of the running step will be logged.
        compiled: run the forward pass through ``torch.compile``.
        accumulate: micro-batches in a step. Each weighs as many samples as it has, so that a step's gradient is that of
            the mean over all of them, also at the end of an epoch, where micro-batches are missing or smaller.
    """

    def __init__(
        self,
        task: Any,
        model: nn.Module,
        optimizer: Mapping[str, Any],
        schedules: Schedules,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        wants_norm: Callable[[int], bool] = lambda step: False,
        compiled: bool = False,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.task, self.model, self.accumulate = task, model, accumulate
        self.schedules, self.wants_norm = schedules, wants_norm
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.losses: Losses = {}
        self.drawn: dict[str, torch.Tensor] = {}
        self.grad_norm: torch.Tensor | None = None
        self.clipped: torch.Tensor | None = None
        self.output_dtypes: dict[str, str] = {}
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
        self.drawn = batch["drawn"]
        outputs = self.task.forward(self._call[0], batch)
        if not self.output_dtypes:
            self.output_dtypes = {name: str(tensor.dtype) for name, tensor in outputs.items()}
        total, terms = self.task.loss(outputs, batch)
        self.losses = {**{f"loss/{name}": term for name, term in terms.items()}, "loss": total}
        return total if self.accumulate == 1 else total * self._share(len(batch["index"]))

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
        """Measure the gradient's norm where it is wanted and clip by norm, then by value; runs after any unscaling."""
        if self.clip_norm is None and self.clip_value is None and not self.wants_norm(self.trainer.global_step + 1):
            self.grad_norm = None
            return
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self.grad_norm = norm.detach()
        if self.clip_norm is None and self.clip_value is None:
            return
        cut = torch.zeros((), dtype=torch.bool, device=norm.device)
        if self.clip_norm is not None:
            torch._foreach_mul_(gradients, (self.clip_norm / (norm + 1e-6)).clamp(max=1.0))
            cut |= norm > self.clip_norm
        if self.clip_value is not None:
            cut |= torch.stack([gradient.abs().amax() for gradient in gradients]).amax() > self.clip_value
            torch._foreach_clamp_min_(gradients, -self.clip_value)
            torch._foreach_clamp_max_(gradients, self.clip_value)
        self.clipped = cut.float()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move what the model and the losses read; item numbers and notes on what was drawn stay on the CPU."""
        stay = ("index", "drawn")
        return {
            key: value if key in stay or not isinstance(value, torch.Tensor) else value.to(device, non_blocking=True)
            for key, value in batch.items()
        }


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
