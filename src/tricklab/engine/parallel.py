"""Several processes on one machine as Lightning sees them: who they are, and what each holds of the weights."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch.plugins.environments import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from tricklab.errors import UserError
from tricklab.models.initial_weights import skipping_initial_weights
from tricklab.ops.ranks import Ranks
from tricklab.recipe.schema import Settings, Train
from tricklab.tasks.base import Task

WHOLE = StateDictOptions(full_state_dict=True)


def build_strategy(found: Ranks, network: nn.Module, train: Train) -> Strategy:
    """Lightning's strategy for processes that already know each other.

    Args:
        network: what ``fsdp`` divides.
        train: the recipe's section; ``strategy`` ``auto`` or ``ddp``: every process holds all weights; ``fsdp``: each
            holds its share.
    """
    environment = KnownProcesses(found)
    if train.strategy == "fsdp":
        return SharedWeights(network, cluster_environment=environment)
    changing = bool(train.freeze) or train.drop_path_per == "batch" or train.accumulate > 1
    return WholeWeights(changing, cluster_environment=environment)


def check_processes(chosen: Settings, observers: Sequence[Any]) -> None:
    """Refuse what several processes, or divided weights, cannot have.

    Args:
        chosen: the resolved recipe.
        observers: averages of other arms that watch this training.

    Raises:
        UserError: names the option and what would work.
    """
    train = chosen.train
    if train.devices == 1:
        if train.strategy != "auto":
            raise UserError(
                f"{train.strategy} does nothing for one process", where="train.strategy", fix="train.devices=2, or auto"
            )
        return
    if train.compile and train.sync_batchnorm:
        raise UserError(
            "a compiled network does not normalise over several processes",
            where="train.compile",
            fix="train.sync_batchnorm=false, or train.compile=false",
        )
    if train.strategy != "fsdp":
        return
    refused = {
        "train.precision": train.precision in ("16-mixed", "16-true"),
        "train.freeze": bool(train.freeze),
        "train.branches": train.branches is not None,
        "train.clip_value": train.clip_value is not None,
        "train.clip_adaptive": train.clip_adaptive is not None,
        "train.share_convolutions": train.share_convolutions,
        "evaluate.averaging": bool(chosen.evaluate.averaging or observers),
    }
    for where, asked in refused.items():
        if asked:
            raise UserError("needs whole weights in every process", where=where, fix="train.strategy=ddp")


class KnownProcesses(ClusterEnvironment):
    """Processes of this machine that are connected before Lightning starts."""

    def __init__(self, found: Ranks) -> None:
        super().__init__()
        self._found = found

    creates_processes_externally: ClassVar[bool] = True  # type: ignore[misc]
    main_address: ClassVar[str] = "127.0.0.1"  # type: ignore[misc]
    main_port: ClassVar[int] = 0  # type: ignore[misc]

    @staticmethod
    def detect() -> bool:
        """Never found by looking: it is passed."""
        return False

    def world_size(self) -> int:
        """Number of processes."""
        return self._found.world

    def set_world_size(self, size: int) -> None:
        """Nothing to set: it is known."""

    def global_rank(self) -> int:
        """Number of this process."""
        return self._found.rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing to set: it is known."""

    def local_rank(self) -> int:
        """Number of this process on its machine, the only one."""
        return self._found.rank

    def node_rank(self) -> int:
        """The only machine."""
        return 0


class WholeWeights(DDPStrategy):
    """Every process holds all weights; gradients are averaged while they are computed (DistributedDataParallel).

    Parameters may get no gradient. Buffers are left alone: the steps agree on them.

    Args:
        changing: which parameters get a gradient is asked anew in every step: freezing changes it, and torch cannot
            remember it while gradients are accumulated.
    """

    def __init__(self, changing: bool, **arguments: Any) -> None:
        known = inspect.signature(DistributedDataParallel).parameters
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        unused = "find_unused_parameters" if changing else "static_graph"
        options: dict[str, Any] = {buffers: False, unused: True, **arguments}
        super().__init__(**options)

    def _configure_launcher(self) -> None:
        """The processes run already."""

    def _setup_model(self, model: nn.Module) -> DistributedDataParallel:
        # the gradients of what wants none now would never be averaged
        frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
        for parameter in frozen:
            parameter.requires_grad_(True)
        try:
            return super()._setup_model(model)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)


class SharedWeights(DDPStrategy):
    """Every process holds a share of each weight and of its optimizer state, and gathers a block's when it needs them.

    Checkpoints hold whole tensors under the plain names, whatever the number of processes.

    Args:
        network: what is divided, its larger children one by one. Source: Zhao et al. 2023, PyTorch FSDP
            (``torch.distributed.fsdp.fully_shard``).
    """

    def __init__(self, network: nn.Module, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._network = network

    def _configure_launcher(self) -> None:
        """The processes run already."""

    def configure_ddp(self) -> None:
        """Divide the weights; the module around them stays as it is."""
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for part in self._network.children():
            for block in part.children() if isinstance(part, nn.Sequential | nn.ModuleList) else [part]:
                if any(True for _ in block.parameters()) and not isinstance(block, FSDPModule):
                    fully_shard(block, mesh=mesh)
        fully_shard(self._network, mesh=mesh)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole weights."""
        assert self.lightning_module is not None
        return get_model_state_dict(self.lightning_module, options=WHOLE)

    def optimizer_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Whole optimizer state, by the parameters' names."""
        assert self.lightning_module is not None
        return get_optimizer_state_dict(self.lightning_module, optimizer, options=WHOLE)

    def load_optimizer_state_dict(self, checkpoint: Any) -> None:
        """Take each process's share out of whole optimizer states."""
        assert self.lightning_module is not None
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            set_optimizer_state_dict(self.lightning_module, optimizer, state, options=WHOLE)


@contextlib.contextmanager
def whole_network(network: nn.Module, task: Task) -> Iterator[nn.Module]:
    """The network itself, or, where its weights are divided, a whole copy for an evaluation."""
    if not isinstance(network, FSDPModule):
        yield network
        return
    weights = whole_state(network)
    with skipping_initial_weights():
        copy: nn.Module = task.build_model()
    copy.load_state_dict(weights, strict=True)
    yield copy.to(next(iter(weights.values())).device)


def whole_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers as whole tensors; every process must ask together where the weights are divided."""
    if isinstance(network, FSDPModule):
        found: Any = get_model_state_dict(network, options=WHOLE)
        return dict(found)
    return dict(network.state_dict())
