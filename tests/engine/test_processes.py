"""Two processes on CPUs train and evaluate what one does, stop together, and never leave one behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable, make_run, tiny_recipe
from tests.lab.killing import alive, descendants
from tricklab.engine import execute, load_run
from tricklab.engine.finish import evaluate_weights
from tricklab.engine.prepared import prepare
from tricklab.errors import UserError
from tricklab.ops.ranks import Ranks
from tricklab.recipe import load, resolve
from tricklab.records import RunFolder, load_tree

pytestmark = pytest.mark.slow
TWO = "train.devices=2"


def images() -> dict[str, Any]:
    """A network with batch normalisation in float64: 72 images, whose last batch of five holds one for each process."""
    return {
        "task": "classification",
        "data": {"images": {"type": "SyntheticImages"}, "size": 32},
        "model": {"type": "timm", "name": "resnet10t"},
        "optimizer": {"type": "SGD", "lr": 0.02},
        "train": {"iterations": 4, "batch_size": 24, "precision": "64-true", "device": "cpu", "validate_every": None},
        "metric": {"monitor": "val/accuracy"},
        "evaluate": {"batch_size": 7},
    }


def weights(run: RunFolder, name: str = "weights") -> dict[str, torch.Tensor]:
    return load_tree(run.checkpoint(name))


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def run(found: RunFolder, **options: Any) -> dict[str, Any]:
    return execute(found.path, threads=1, progress=False, **options)


def is_tracker(pid: int) -> bool:
    """Whether a process is that of ``multiprocessing`` itself, which stays."""
    return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture(autouse=True)
def nobody_left_behind() -> Iterator[None]:
    before = set(descendants(os.getpid()))
    yield
    left = [pid for pid in set(descendants(os.getpid())) - before if alive(pid) and not is_tracker(pid)]
    assert not left
    assert not torch.distributed.is_initialized()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """What one process makes of the images, with an average of the weights."""
    make = make_run.__wrapped__(tmp_path_factory.mktemp("one"))  # type: ignore[attr-defined]
    found: RunFolder = make("one", ["train.accumulate=2"], ["+ema(decay=0.5)"], tree=images())
    assert run(found)["state"] == "finished"
    return found


def test_two_processes_train_what_one_does(make_run: MakeRun, one: RunFolder) -> None:
    two = make_run("two", ["train.accumulate=2", TWO], ["+ema(decay=0.5)"], tree=images())
    out = run(two)
    assert out["state"] == "finished", out
    assert difference(weights(one), weights(two)) < 1e-9
    (name,) = [path.stem for path in (two.path / "checkpoints").glob("average-*")]
    assert difference(weights(one, name), weights(two, name)) < 1e-9
    assert difference(weights(one), weights(one, name)) > 1e-6
    for mine, its in zip(comparable(one.metrics()), comparable(two.metrics()), strict=True):
        assert mine.keys() == its.keys()
        for key, value in mine.items():
            assert value == (its[key] if isinstance(value, str) else pytest.approx(its[key], rel=1e-6, abs=1e-9)), key
    assert two.result()["order_hash"] == one.result()["order_hash"]
    assert two.result()["fit_identity"] != one.result()["fit_identity"]
    assert two.provenance()["execution"] == {"threads": 1, "device": "cpu", "processes": 2}


def test_the_loss_is_that_of_the_whole_batch_with_class_weights_and_a_stand_in(make_run: MakeRun) -> None:
    # the last batch has one item: the first process only stands in
    items = prepare(make_run("counted"), "cpu").task.sizes()["train"]
    overrides = [
        f"train.batch_size={items - 1}", "train.precision=64-true", "model.dropout=0.0", "train.epochs=1",
        "losses=[{type: CrossEntropyLoss, class_weight: inverse}]", "train.log_every={iterations: 1}",
        "train.device=cpu", "optimizer={type: SGD, lr: 0.05}",
    ]  # fmt: skip
    found = [make_run(f"of{n}", [*overrides, f"train.devices={n}"]) for n in (1, 2)]
    assert [run(one)["state"] for one in found] == ["finished"] * 2
    assert found[1].metrics()[-1]["step"] == 2
    assert difference(weights(found[0]), weights(found[1])) < 1e-9
    rows = [[row["loss"] for row in one.metrics() if row["phase"] == "train"] for one in found]
    assert rows[0] == pytest.approx(rows[1], rel=1e-9)


def test_statistics_of_each_part_are_averaged_without_sync(make_run: MakeRun, one: RunFolder) -> None:
    two = make_run("apart", ["train.sync_batchnorm=false", TWO], tree=images())
    assert run(two)["state"] == "finished"
    assert difference(weights(one), weights(two)) > 1e-6
    assert all(torch.isfinite(tensor).all() for tensor in weights(two).values())


def _scores(found: Ranks, folder: str) -> tuple[Any, dict[str, float], int]:
    from tricklab.engine.trainer import quiet

    prepared = prepare(RunFolder.open(folder), "cpu")
    calls = []
    forward = torch.nn.Module.__call__

    def counted(module: Any, *arguments: Any, **keywords: Any) -> Any:
        calls.append(type(module).__name__)
        return forward(module, *arguments, **keywords)

    torch.nn.Module.__call__ = counted  # type: ignore[method-assign]
    with quiet():
        scored, _ = evaluate_weights(prepared, prepared.run)
    return scored.raw.probabilities, scored.raw.values, len(calls)


@pytest.mark.parametrize("task", ["classification", "hyperspectral"])
def test_two_processes_evaluate_a_checkpoint_as_one_does(
    task: str, make_run: MakeRun, one: RunFolder, tmp_path: Path
) -> None:
    from tests.ops.processes import on_ranks

    if task == "classification":
        trained = one
    else:
        trained = make_run("scene", ["train.iterations=2", "train.epochs=null", "evaluate.batch_size=50"])
        assert run(trained)["state"] == "finished"
    (tmp_path / "alone").mkdir()
    (tmp_path / "both").mkdir()
    ((alone, values, calls),) = on_ranks(1, _scores, tmp_path / "alone", str(trained.path))
    both = on_ranks(2, _scores, tmp_path / "both", str(trained.path))
    for probabilities, found, number in both:
        assert found == pytest.approx(values, abs=1e-12)
        assert abs(probabilities - alone).max() <= 1e-12
        assert number < calls, "each process must do a part of the work only"
    assert values == pytest.approx(
        {key.split("/")[1]: value for key, value in trained.result()["raw"].items()}, abs=1e-12
    )


@pytest.mark.parametrize("whose", ["first", "other"])
def test_a_signal_to_any_process_stops_all_and_the_run_goes_on_bit_equal(make_run: MakeRun, whose: str) -> None:
    chosen = [TWO, "train.log_every={iterations: 1}", "train.device=cpu", "train.epochs=3"]
    whole, stopped = (make_run(name, chosen, ["+flips", "+ema(decay=0.9)"]) for name in ("whole", "stopped"))
    assert run(whole)["state"] == "finished"

    def stop(row: dict[str, Any]) -> None:
        if row["step"] == 3:
            found = [os.getpid()] if whose == "first" else companions()
            os.kill(found[0], signal.SIGTERM)

    out = run(stopped, observers=[stop])
    assert (out["state"], out.get("signal")) == ("interrupted", signal.SIGTERM), out
    assert load_tree(stopped.checkpoint("resume"))["global_step"] < whole.result()["steps"]
    assert run(stopped)["state"] == "finished"
    assert difference(weights(whole), weights(stopped)) == 0.0
    assert comparable(whole.metrics()) == comparable(stopped.metrics())
    drawn = [[e["value"] for e in one.events() if e.get("name") == "data/drawn"][-1] for one in (whole, stopped)]
    assert drawn[0] == drawn[1]
    assert all(kept["count"] > 0 for kept in drawn[0].values())
    assert load_run(whole.path).evaluate("val").values == load_run(stopped.path).evaluate("val").values


def test_divided_weights_train_what_whole_ones_do_and_go_on_after_a_stop(make_run: MakeRun) -> None:
    chosen = ["optimizer={type: AdamW, lr: 0.001}", "train.clip_norm=0.5", "train.log_every={iterations: 1}"]
    one, two, stopped = (
        make_run(name, [*chosen, *more], tree=images())
        for name, more in (
            ("plain", []),
            ("divided", [TWO, "train.strategy=fsdp"]),
            ("stopped", [TWO, "train.strategy=fsdp"]),
        )
    )
    assert [run(found)["state"] for found in (one, two)] == ["finished"] * 2
    assert difference(weights(one), weights(two)) < 1e-7

    def stop(row: dict[str, Any]) -> None:
        if row["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    assert run(stopped, observers=[stop])["state"] == "interrupted"
    saved = load_tree(stopped.checkpoint("resume"))["state_dict"]
    assert {name.removeprefix("model."): tensor.shape for name, tensor in saved.items()} == {
        name: tensor.shape for name, tensor in weights(one).items()
    }
    assert run(stopped)["state"] == "finished"
    assert difference(weights(two), weights(stopped)) == 0.0
    assert comparable(two.metrics()) == comparable(stopped.metrics())


def companions() -> list[int]:
    return [
        pid
        for pid in descendants(os.getpid())
        if b"tricklab.engine.companion" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_a_killed_process_ends_the_run_which_can_be_resumed(make_run: MakeRun) -> None:
    found = make_run("killed", [TWO, "train.log_every={iterations: 1}", "train.epochs=1"])

    def kill(row: dict[str, Any]) -> None:
        if row["step"] == 2:
            os.kill(companions()[0], signal.SIGKILL)

    out = run(found, observers=[kill])
    assert out["state"] == "interrupted", out
    assert out["reason"] == "process killed"
    assert "process 2 of 2 was killed by signal 9" in out["message"]


def test_an_error_of_one_process_ends_all_with_its_text(make_run: MakeRun, tmp_path: Path) -> None:
    module = tmp_path / "breaking.py"
    module.write_text(
        "from torch import nn\n"
        "from tricklab.ops.ranks import ranks\n"
        "from tricklab.registry import component\n\n\n"
        "@component('block')\n"
        "class Breaks(nn.Module):\n"
        "    def __init__(self, channels: int) -> None:\n"
        "        super().__init__()\n\n"
        "    def forward(self, x):\n"
        "        if ranks().rank == 1:\n"
        "            raise ValueError('the second one breaks')\n"
        "        return x\n"
    )
    inserted = "model.insert=[{type: Breaks, after: conv2d, channels: 8}]"
    found = make_run("breaks", [TWO, inserted], tree=tiny_recipe() | {"imports": [str(module)]})
    out = run(found)
    assert out["state"] == "failed", out
    assert "the second one breaks" in out["message"]
    (failure,) = [event for event in found.events() if event["kind"] == "failure"]
    assert "process 2 of 2" in failure["traceback"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["train.strategy=ddp"], "ddp does nothing for one process"),
        ([TWO, "train.device=cuda:0"], "CUDA devices|processes do not train on"),
        ([TWO, "train.compile=true"], "does not normalise over several processes"),
        ([TWO, "train.strategy=fsdp", "train.clip_value=1.0"], "needs whole weights"),
    ],
)
def test_what_several_processes_cannot_have_is_refused(make_run: MakeRun, overrides: list[str], says: str) -> None:
    found = make_run("refused", overrides)
    with pytest.raises(UserError, match=says):
        run(found)
    assert found.status()["state"] == "refused"


def test_recipes_hold_the_number_of_processes() -> None:
    found = resolve(load(tiny_recipe(), [TWO]))
    assert found.digest("fit") != resolve(load(tiny_recipe())).digest("fit")
