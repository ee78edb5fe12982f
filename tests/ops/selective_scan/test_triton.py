"""The Triton kernels without a GPU: computed by Triton's interpreter, compiled for GPUs that are not there."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from tests.ops.selective_scan.cases import inputs, largest_error, results
from tricklab.ops.selective_scan import gpu

ROOT = Path(__file__).resolve().parents[3]
NO_TRITON = importlib.util.find_spec("triton") is None
needs_triton = pytest.mark.skipif(NO_TRITON, reason="triton is not installed; it comes with torch on Linux")


@needs_triton
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param([[1, 2, 3, 5, 1]], id="quick"),
        pytest.param([[2, 1, 1, 16, 1], [1, 2, 5, 21, 1], [2, 3, 4, 6, 3]], marks=pytest.mark.slow, id="more"),
    ],
)
def test_the_interpreter_agrees_with_the_definition(cases: list[list[int]]) -> None:
    command = [sys.executable, "-m", "tests.ops.selective_scan.triton_on_cpu", json.dumps(cases)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert len(found) == 3 * len(cases)
    for row in found:
        half = row["dtypes"] == ["torch.bfloat16"]
        assert row["error"] <= (2e-2 if half else 5e-6), row


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("dtype", "channels", "orders"), [("fp32", 16, 1), ("bf16", 87, 1), ("fp16", 32, 4)])
def test_kernels_compile_for_gpus(capability: int, dtype: str, channels: int, orders: int) -> None:
    """Down to machine code: a kernel that the interpreter accepts may still be refused by the compiler."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from tricklab.ops.selective_scan import triton_kernels

    sizes = {**gpu.tile_sizes(channels, orders), "SOFTPLUS": True, "HAS_SKIP": True, "HAS_BIAS": True, "KEEP": True}
    long, whole = {"codes", "all_rows"}, {"length", "height", "width", "groups", "channels", "tiles"}
    mixed = {"u", "delta", "b", "c", "y", "dy", "du", "ddelta"}
    for kernel in (triton_kernels.forward_kernel, triton_kernels.backward_kernel):
        kinds = dict.fromkeys(sizes, "constexpr") | dict.fromkeys(long, "i64") | dict.fromkeys(whole, "i32")
        kinds |= dict.fromkeys(mixed, f"*{dtype}")
        signature = {name: kinds.get(name, "*fp32") for name in kernel.arg_names}
        constants = {(k,): sizes[name] for k, name in enumerate(kernel.arg_names) if name in sizes}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=dict(gpu.LAUNCH))
        assert len(compiled.asm["cubin"]) > 1000


def test_too_many_groups_for_one_launch() -> None:
    tensors = inputs(1, 2, 1, 1, groups=32)
    with pytest.raises(ValueError, match="at most 31 groups"):
        gpu.forward(*tensors, codes=[0] * 32, height=1, width=2, softplus=True, keep=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("channels", [16, 32, 87, 112])
def test_on_a_gpu(channels: int) -> None:
    for size in ((1, 1), (2, 1), (1, 3), (7, 7), (5, 10), (7, 28), (14, 56), (28, 112)):
        for orders, (dtype, tolerance) in itertools.product((1, 4), ((torch.float32, 2e-5), (torch.bfloat16, 3e-2))):
            tensors = [t.to(dtype).double() for t in inputs(2, size[0] * size[1], channels, orders)]
            expected = results(tensors, size, "numba")
            on_gpu = [tensor.cuda() for tensor in tensors]
            found, again = (results(on_gpu, size, "triton", dtype) for _ in range(2))
            assert largest_error([tensor.cpu() for tensor in found], expected) <= tolerance, (size, orders, dtype)
            assert all(torch.equal(x, y) for x, y in zip(found, again, strict=True))
