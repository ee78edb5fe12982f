"""The statistics on real trainings: a bank of runs of one recipe, experiments drawn from it, and planted effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tricklab.lab import Result, ablate
from tricklab.statistics import Judgement, contrasts_for, judge_experiment

pytestmark = pytest.mark.slow

RECIPE = """
task: hyperspectral
data:
  scene: {type: SyntheticScene, height: 40, width: 40, bands: 24, classes: 4}
  window: 9
  pca: 15
  split: {type: RandomPixels, train: 0.3, val: 0.5}
model: {type: HybridSN, dropout: 0.0}
losses: [{type: CrossEntropyLoss, on: main}]
optimizer: {type: Adam, lr: 2e-3}
train: {device: cpu, epochs: 4, batch_size: 16, validate_every: null, checkpoint_every: null}
metric: {monitor: val/oa, mode: max, delta: 0.01}
"""
CRIPPLED = "optimizer.lr=2e-5"
NULLS = ("seed=1", "seed=2", "seed=3", "seed=4")
EXPERIMENTS = 2000
# arms and looks of a drawn experiment: one look that spends all, or two declared ones
SHAPES = ((1, (5,)), (3, (5,)), (6, (5,)), (1, (10,)), (3, (10,)), (1, (5, 10)), (3, (5, 10)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Sixty real runs: the recipe under five seeds, which are null arms, and crippled, in ten blocks."""
    folder = tmp_path_factory.mktemp("bank")
    recipe = folder / "tiny.yaml"
    recipe.write_text(RECIPE)
    return ablate(
        recipe, [CRIPPLED, *NULLS], blocks=10, final=True, design="add-one", workers=2, threads=1, name="bank",
        out=folder, progress=False, report=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bank(trained: Result) -> np.ndarray:
    """The metric of fifty runs that differ in luck alone, float64 (50,)."""
    scores = trained.to_dict()["scores"]
    values = np.array([scores[name] for name in ("baseline", *NULLS)], dtype=float).ravel()
    assert values.shape == (50,)
    assert len(np.unique(values)) > 20
    return values


def judged(cells: np.ndarray, looks: Sequence[int]) -> list[Judgement]:
    """The judgements of an experiment (cells × blocks), look by look until one claims something."""
    names = ["baseline", *(f"+{arm}" for arm in range(1, len(cells)))]
    contrasts = contrasts_for("add-one", names[1:], {frozenset(() if n == "baseline" else (n,)): n for n in names})
    found = []
    for number, blocks in enumerate(looks, start=1):
        scores = {name: list(map(float, row[:blocks])) for name, row in zip(names, cells, strict=True)}
        found.append(judge_experiment(scores, contrasts, looks=looks, look=number, final=len(looks) == 1))
        if claims(found[-1]):
            break
    return found


def claims(judgement: Judgement) -> bool:
    return any(trick.verdict in ("helps", "hurts") for trick in judgement.tricks)


def drawn(bank: np.ndarray, random: np.random.Generator, arms: int, blocks: int) -> np.ndarray:
    """Cells (arms + 1, blocks) drawn from the bank without putting back."""
    return random.permutation(bank)[: (arms + 1) * blocks].reshape(arms + 1, blocks)


def test_five_percent_of_verdicts_on_nothing_are_false_at_most(bank: np.ndarray) -> None:
    random = np.random.default_rng(1)
    verdicts = false_verdicts = false_experiments = 0
    for number in range(EXPERIMENTS):
        arms, looks = SHAPES[number % len(SHAPES)]
        last = judged(drawn(bank, random, arms, looks[-1]), looks)[-1]
        verdicts += arms
        false_verdicts += sum(trick.verdict in ("helps", "hurts") for trick in last.tricks)
        false_experiments += claims(last)
    print(f"{false_verdicts} of {verdicts} verdicts false, in {false_experiments} of {EXPERIMENTS} experiments")
    assert false_verdicts <= 0.05 * verdicts
    # with one arm the true rate is .05 itself, so that luck needs two standard errors
    assert false_experiments <= (0.05 + 2 * (0.05 * 0.95 / EXPERIMENTS) ** 0.5) * EXPERIMENTS


def test_three_standard_deviations_added_to_one_arm_are_found(bank: np.ndarray) -> None:
    random = np.random.default_rng(2)
    found = wrong = 0
    for _ in range(300):
        cells = drawn(bank, random, 6, 5)
        cells[3] += 3 * bank.std(ddof=1)
        tricks = judged(cells, (5,))[-1].tricks
        found += tricks[2].verdict == "helps"
        wrong += any(trick.verdict in ("helps", "hurts") for place, trick in enumerate(tricks) if place != 2)
    print(f"3 sigma found in {found} of 300 experiments, another arm claimed in {wrong}")
    assert found >= 0.9 * 300
    assert wrong <= 0.05 * 300


def test_a_crippled_arm_is_found_by_the_experiment_itself(trained: Result) -> None:
    trick = trained[CRIPPLED]
    print(f"learning rate / 100: {trick.text}")
    assert trick.verdict == "hurts"
    assert trick.wins == 0.0
    assert {trained[name].verdict for name in NULLS} <= {"undecided", "equivalent"}
    assert trained.to_dict()["cost"]["trainings"] == 60


def test_five_blocks_are_enough_for_the_crippled_arm(trained: Result) -> None:
    scores = trained.to_dict()["scores"]
    cells = np.array([scores["baseline"], scores[CRIPPLED], *(scores[name] for name in NULLS)])
    first = judged(cells[:, :10], (5, 10))[0]
    assert first.blocks == 5
    assert first.trick("+1").verdict == "hurts"
