"""Every rule on the code of a text: a text with exactly its fault is found, the mended twin is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DATA_ROOT
from tricklab.doctor import read_text, text_findings
from tricklab.doctor.code import Code
from tricklab.doctor.code_rules import CODE_RULES, run_code_rules

STATISTICS = """
def get_mean_and_std(data):
    loader = DataLoader(data, batch_size=1)
    mean, std = torch.zeros(3), torch.zeros(3)
    for X, _ in loader:
        for d in range(3):
            mean[d] += X[:, d].mean()
            std[d] += X[:, d].std()
    mean.div_(len(data))
    std.div_(len(data))
"""
PRINTED = "([0.33, 0.29, 0.21], [0.16, 0.16, 0.17])\n"
SPLIT = """
files = glob.glob('pictures/*/*.*')
train, val = train_test_split(files, test_size=0.3, stratify=labels)
"""
LOOP = """
def train(model, loader):
    for x, y in loader:
        x, t = mixup_fn(x, y)
        out = model(x)
        {}
"""
SCALED = """
scaler = torch.cuda.amp.GradScaler()
scaler.scale(loss).backward()
{}
torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
scaler.step(optimizer)
"""
# rule: (id, text with the fault, the mended text)
CASES: dict[str, tuple[str, str, str]] = {
    "average_forgets_slowly": (
        "S05",
        "class ModelEma:\n    def __init__(self, model, decay=0.9999, device=''):\n        pass\n",
        "class ModelEma:\n    def __init__(self, model, decay=0.999, device=''):\n        pass\n",
    ),
    "average_on_another_device": (
        "S13",
        "model_ema = ModelEma(model, decay=0.99, device='cpu')",
        "model_ema = ModelEma(model, decay=0.99, device=device)",
    ),
    "deviation_of_each_image": (
        "D18",
        STATISTICS,
        STATISTICS.replace("std[d] += X[:, d].std()", "sq[d] += (X[:, d]**2).sum()"),
    ),
    "statistics_not_used": (
        "D08",
        PRINTED + "t = transforms.Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])",
        PRINTED + "t = transforms.Normalize(mean=[0.33, 0.29, 0.21], std=[0.16, 0.16, 0.17])",
    ),
    "statistics_over_validation": (
        "D19",
        STATISTICS + "data = ImageFolder(root=r'pictures')" + SPLIT,
        STATISTICS + "data = ImageFolder(root='sorted/train')" + SPLIT,
    ),
    "split_without_stratify": ("D22", SPLIT.replace(", stratify=labels", ""), SPLIT),
    "one_suffix_only": ("D23", "files = glob.glob('pictures/*/*.png')", "files = glob('a/*.png') + glob('a/*.jpg')"),
    "removes_a_folder": (
        "D24",
        "shutil.rmtree(out)\nshutil.copy(file, out + '/' + name)",
        "os.makedirs(out)\nshutil.copy(file, out + '/' + name)",
    ),
    "smoothed_twice": (
        "O20",
        "mix = Mixup(mixup_alpha=0.8, label_smoothing=0.1)\nloss = nn.CrossEntropyLoss(label_smoothing=0.1)",
        "mix = Mixup(mixup_alpha=0.8, label_smoothing=0.1)\nloss = nn.CrossEntropyLoss()",
    ),
    "mixed_hardly_ever": ("O22", "mix = Mixup(mixup_alpha=0.8, prob=0.1)", "mix = Mixup(mixup_alpha=0.8, prob=1.0)"),
    "mixed_accuracy": (
        "M10",
        LOOP.format("acc1, acc5 = accuracy(out, y, topk=(1, 5))"),
        LOOP.format("loss = criterion(out, t)") + "\ndef validate():\n    acc1 = accuracy(out, y)\n",
    ),
    "hole_before_normalisation": (
        "D25",
        "t = transforms.Compose([Cutout(), transforms.ToTensor(), transforms.Normalize([0.4], [0.2])])",
        "t = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.4], [0.2]), RandomErasing()])",
    ),
    "data_parallel": ("P06", "model = torch.nn.DataParallel(model)", "model = DistributedDataParallel(model)"),
    "top_k_says_little": (
        "M09",
        "Mixup(num_classes=12)\nacc1, acc5 = accuracy(out, y, topk=(1, 5))",
        "Mixup(num_classes=100)\nacc1, acc5 = accuracy(out, y, topk=(1, 5))",
    ),
    "cosine_of_another_length": (
        "O16",
        "EPOCHS = 50\nscheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)",
        "EPOCHS = 50\nscheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)",
    ),
    "clipped_before_unscaling": ("O13", SCALED.format(""), SCALED.format("scaler.unscale_(optimizer)")),
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert set(CODE_RULES) == set(CASES)


@pytest.mark.parametrize("rule", CASES)
def test_the_fault_is_found_and_the_mended_twin_is_not(rule: str) -> None:
    identity, faulty, clean = CASES[rule]
    finding = CODE_RULES[rule](Code(faulty))
    assert finding is not None
    assert finding.rule == identity
    assert finding.title
    assert finding.numbers
    assert finding.causes
    assert finding.cheapest_test
    assert CODE_RULES[rule](Code(clean)) is None


def test_prose_and_broken_code_are_no_obstacle() -> None:
    text = "这里 f(参数) is (not code\n" + SPLIT.replace(", stratify=labels", "") + "\ndef broken(x:\n  y = [1, 2"
    assert [found.rule for found in run_code_rules(Code(text))] == ["D22"]


def test_calls_are_read_with_values_lines_and_what_is_around_them() -> None:
    code = Code(
        "\nclass A:\n    def train(self, rate=0.1):\n        step(3, key='(', other=unknown)  # f(\nout = g(h(1))\n"
    )
    shown = {(call.name, call.line, call.within, call.defines) for call in code.calls}
    assert shown == {
        ("train", 3, ("A",), True),
        ("step", 4, ("A", "train"), False),
        ("g", 5, (), False),
        ("h", 5, (), False),
    }
    head, step = code.calls[:2]
    assert head.argument("rate") == 0.1
    assert (step.argument("first", 0), step.argument("key"), step.argument("other")) == (3, "(", None)


def test_a_warmed_up_average_is_not_blamed() -> None:
    text = "ema = ModelEmaV3(model, decay=0.9999, use_warmup=True)"
    assert run_code_rules(Code(text)) == []
    assert [found.rule for found in run_code_rules(Code(text.replace("use_warmup", "other")))] == ["S05"]


def test_imagenets_constants_need_no_statistics_of_ones_own() -> None:
    text = PRINTED + "t = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))"
    assert run_code_rules(Code(text)) == []


def test_the_facts_of_document_004() -> None:
    path = DATA_ROOT.parent / "seeds" / "004_e49fef6d1c416cd3.txt"
    if not path.exists():
        pytest.skip(f"the source document is not at {path}")
    found = {finding.rule: finding for finding in text_findings(read_text(path))}
    assert {"S05", "S13", "D08", "D18", "D19", "D22", "D23", "D24", "D25", "M09", "O22", "P06"} == set(found)
    assert found["S05"].numbers["left_after_10000"] == pytest.approx(0.9999**10_000)
    assert "37%" in found["S05"].title
    assert found["S05"].numbers["steps_to_5_percent"] == 29_956
    assert found["D18"].numbers["std"] == [0.09407319, 0.09732835, 0.106712654]
    assert found["D08"].numbers["mean"] == pytest.approx([(m - 0.5) / 0.5 for m in (0.3281186, 0.28937867, 0.20702125)])
    assert found["D22"].numbers["held_out"] == 0.3
    assert found["M09"].numbers["chance"] == pytest.approx(5 / 12)


def test_a_text_with_code_needs_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "script.txt"
    path.write_text("import torch\nmodel = build()\n")
    assert text_findings(read_text(path)) == []
