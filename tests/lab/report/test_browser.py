"""The page in a real browser, from a file, with the network off."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--window-size=1100,900",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser to open the page in"),
]


def opened(page: Path, profile: Path, fragment: str = "") -> tuple[str, list[str]]:
    """The page's elements after its script ran, and what it wrote on the console."""
    assert CHROMIUM is not None
    found = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    return found.stdout, console


def shown(dom: str) -> set[tuple[str, str]]:
    """(axis, part) of the curve drawings that are visible."""
    tags = re.findall(r'<svg[^>]*data-axis="[^>]*>', dom)
    assert tags
    visible = [tag for tag in tags if " hidden" not in tag]
    return {(re.search(r'data-axis="(\w+)"', tag)[1], re.search(r'data-part="(\w+)"', tag)[1]) for tag in visible}  # type: ignore[index]


def acting(experiment: Path, place: Path, script: str) -> Path:
    """A copy of the page whose policy allows a second script that plays the user; its findings go into the title."""
    text = (experiment / "report.html").read_text(encoding="utf-8")
    text, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert count == 1
    place.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return place


def title(dom: str) -> str:
    found = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert found is not None
    return found[1]


def test_opens_without_a_word_on_the_console(experiment: Path, tmp_path: Path) -> None:
    dom, console = opened(experiment / "report.html", tmp_path)
    assert console == []
    assert shown(dom) == {("samples", "all")}


def test_address_chooses_axis_and_part(experiment: Path, tmp_path: Path) -> None:
    dom, console = opened(experiment / "report.html", tmp_path, "#axis=wall&part=late")
    assert console == []
    assert shown(dom) == {("wall", "late")}


def test_switch_changes_the_axis(experiment: Path, tmp_path: Path) -> None:
    page = acting(experiment, tmp_path / "page.html", "document.querySelector('input[value=epochs]').click();")
    dom, console = opened(page, tmp_path / "profile")
    assert console == []
    assert shown(dom) == {("epochs", "all")}


def test_legend_hides_an_arm_by_mouse_and_by_key(experiment: Path, tmp_path: Path) -> None:
    script = """
      const figure = document.querySelector('figure[data-curves=metric]');
      const state = () => figure.querySelectorAll('g.series.off[data-series="+se"]').length;
      const key = figure.querySelector('.key[data-series="+se"]');
      key.dispatchEvent(new MouseEvent('click', {bubbles: true}));
      const after = state() + key.getAttribute('aria-pressed');
      key.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
      document.title = after + ' ' + state() + key.getAttribute('aria-pressed');
    """
    dom, console = opened(acting(experiment, tmp_path / "page.html", script), tmp_path / "profile")
    assert console == []
    assert title(dom) == "6false 0true"


def test_pointer_reads_values_off(experiment: Path, tmp_path: Path) -> None:
    script = """
      const figure = document.querySelector('figure[data-curves=difference]');
      figure.scrollIntoView();
      const svg = figure.querySelector('svg[data-axis=samples][data-part=all]'), box = svg.getBoundingClientRect();
      const place = {clientX: box.left + box.width * 0.9, clientY: box.top + 90, bubbles: true};
      svg.dispatchEvent(new PointerEvent('pointermove', place));
      document.title = figure.querySelector('.tip').hidden + ' ' + figure.querySelector('.tip').innerText;
    """
    dom, console = opened(acting(experiment, tmp_path / "page.html", script), tmp_path / "profile")
    assert console == []
    assert re.match(r"false \d+ samples seen \+se 0\.01\d* \[0\.0\d+, 0\.0\d+\]", " ".join(title(dom).split()))


def test_a_script_that_is_not_the_page_own_does_not_run(experiment: Path, tmp_path: Path) -> None:
    text = (experiment / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", "<script>document.title = 'broken in'</script></body>"), encoding="utf-8")
    dom, console = opened(page, tmp_path / "profile")
    assert title(dom) != "broken in"
    assert any("Content Security Policy" in line for line in console)
