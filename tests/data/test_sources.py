import http.server
import threading
from typing import ClassVar

import numpy as np
import pytest
import scipy.io

from tricklab.data.sources.catalogue import SCENES, KnownFile, KnownScene, known_scene
from tricklab.data.sources.download import fetch
from tricklab.data.sources.file_check import check_file, sha256
from tricklab.errors import UserError


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file; how it behaves is decided by the path."""

    content = b""
    asked: ClassVar[list[str | None]] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and "resume" in self.path else 0
        if "missing" in self.path:
            self.send_error(404)
            return
        if start >= len(self.content) > 0 and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        part = self.content[start:]
        self.wfile.write(part[: len(part) // 2] if "broken" in self.path else part)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    cube = np.random.default_rng(0).integers(0, 1000, (12, 11, 10)).astype(np.int16)
    scipy.io.savemat(tmp_path / "origin.mat", {"cube": cube})
    Server.content = (tmp_path / "origin.mat").read_bytes()
    Server.asked = []
    running = http.server.HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


def scene_at(url, shape=(12, 11, 10)):
    file = KnownFile("cube.mat", "cube", "cube", shape, url)
    return file, KnownScene("test-scene", "a scene", "a sensor", "https://origin.example/page", "terms", (file,))


@pytest.mark.parametrize("path", ["plain", "resume"])
@pytest.mark.parametrize("have", [0, 100, "all"])
def test_fetched_resumed_and_named_only_when_complete(server, tmp_path, path, have):
    folder = tmp_path / "new"
    folder.mkdir()
    if have:
        left = Server.content if have == "all" else Server.content[:have]
        (folder / "cube.mat.part").write_bytes(left)
    file, scene = scene_at(f"{server}/{path}")
    steps = []
    found = fetch(file, scene, folder, lambda done, total: steps.append((done, total)))
    assert (folder / "cube.mat").read_bytes() == Server.content
    assert not (folder / "cube.mat.part").exists()
    assert found.array == "cube"
    assert steps[-1] == (len(Server.content), len(Server.content))
    if have == 100:
        assert Server.asked == ["bytes=100-"]
        assert steps[0][0] == (100 if path == "resume" else 0)


def test_a_broken_connection_keeps_what_came_and_says_so(server, tmp_path):
    file, scene = scene_at(f"{server}/broken")
    with pytest.raises(UserError, match=r"broke|IncompleteRead|continued next time") as caught:
        fetch(file, scene, tmp_path / "new")
    assert "https://origin.example/page" in str(caught.value)
    assert not (tmp_path / "new" / "cube.mat").exists()
    assert 0 < (tmp_path / "new" / "cube.mat.part").stat().st_size < len(Server.content)


def test_a_page_instead_of_the_file_is_not_kept(server, tmp_path):
    Server.content = b"<html>moved</html>"
    file, scene = scene_at(f"{server}/plain")
    with pytest.raises(UserError, match=r"what came is not cube\.mat"):
        fetch(file, scene, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_another_scene_than_asked_for_is_not_kept(server, tmp_path):
    file, scene = scene_at(f"{server}/plain", shape=(12, 11, 9))
    with pytest.raises(UserError, match="it holds cube 12×11×10 int16; wanted: cube 12×11×9"):
        fetch(file, scene, tmp_path / "new")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9/nothing", "cannot be fetched"),
        ("http://name.invalid/file", "cannot be fetched"),
        (None, "no address is known"),
    ],
)
def test_offline_is_one_clear_error_that_says_how_to_go_on(tmp_path, url, words):
    file, scene = scene_at(url)
    with pytest.raises(UserError, match=words) as caught:
        fetch(file, scene, tmp_path)
    assert "get it by hand from https://origin.example/page" in str(caught.value)


def test_not_found_and_not_overwritten(server, tmp_path):
    file, scene = scene_at(f"{server}/missing")
    with pytest.raises(UserError, match="the server answers 404"):
        fetch(file, scene, tmp_path)
    (tmp_path / "cube.mat").write_bytes(b"mine")
    with pytest.raises(UserError, match="nothing is overwritten"):
        fetch(file, scene, tmp_path)
    assert (tmp_path / "cube.mat").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("scene", "file"),
    [
        ("indian-pines", "indian_pines/Indian_pines_gt.mat"),
        ("salinas-a", "salinas_a/SalinasA_corrected.mat"),
        ("salinas-a", "salinas_a/SalinasA_gt.mat"),
        ("salinas", "gt_maps/Salinas_gt.mat"),
        ("pavia-university", "gt_maps/PaviaU_gt.mat"),
        ("pavia-centre", "gt_maps/paviaC_gt.mat"),
        ("ksc", "gt_maps/KSC_gt.mat"),
        ("botswana", "gt_maps/Botswana_gt.mat"),
        ("houston-2013", "gt_maps/houston_gt.mat"),
    ],
)
def test_the_catalogue_is_right_about_the_real_files(real_data, scene, file):
    path = real_data(f"hsi/{file}")
    found = check_file(path, known_scene(scene))
    assert found.same_bytes is True
    assert found.array in found.file.key
    assert found.file.size == path.stat().st_size
    assert "the very bytes known" in str(found)


def test_same_contents_in_other_bytes_are_recognised(real_data, tmp_path):
    path = real_data("hsi/salinas_a/SalinasA_gt.mat")
    scipy.io.savemat(tmp_path / "mine.mat", {"renamed": scipy.io.loadmat(path)["salinasA_gt"]})
    found = check_file(tmp_path / "mine.mat", known_scene("salinas-a"))
    assert (found.array, found.same_bytes) == ("renamed", False)
    assert found.sha256 == sha256(tmp_path / "mine.mat")
    with pytest.raises(UserError, match="no file of indian-pines"):
        check_file(tmp_path / "mine.mat", known_scene("indian-pines"))


def test_every_entry_is_complete_and_unknown_names_get_the_nearest():
    for scene in SCENES.values():
        assert scene.page.startswith("https://")
        assert scene.terms
        assert {file.role for file in scene.files} >= {"cube", "labels"}
        for file in scene.files:
            assert len(file.shape) == (3 if file.role == "cube" else 2)
            assert file.url is None or file.url.endswith(file.name)
            assert file.sha256 is None or len(file.sha256) == 64
    with pytest.raises(UserError, match="did you mean 'indian-pines'"):
        known_scene("indianpines")
