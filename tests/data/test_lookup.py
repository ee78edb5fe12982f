import pytest

from tricklab.data.lookup import find_file
from tricklab.errors import UserError


@pytest.fixture
def tree(tmp_path):
    for name in ("a/x.mat", "b/x.mat", "b/Pavia_gt.mat", "c/deep/only.mat", "c/.hidden/secret.mat"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/x.mat", "a/x.mat"), ("only.mat", "c/deep/only.mat"), ("deep/only.mat", "c/deep/only.mat")],
)
def test_exact_path_or_the_only_match(tree, name, expected):
    assert find_file(name, str(tree), key="k") == tree / expected


def test_absolute_path_needs_no_root(tree):
    assert find_file(str(tree / "a/x.mat"), None, key="k") == tree / "a/x.mat"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.mat", ["2 files", "a/x.mat", "b/x.mat", "with its folder"]),
        ("Pavia_GT.mat", ["did you mean 'Pavia_gt.mat'?", "there are:", "b/Pavia_gt.mat"]),
        ("secret.mat", ["no file secret.mat"]),
        ("a", ["is a folder"]),
        ("", ["empty file name"]),
    ],
)
def test_errors_list_what_is_there(tree, name, words):
    with pytest.raises(UserError) as caught:
        find_file(name, str(tree), key="data.scene.image")
    assert caught.value.where == "data.scene.image"
    for word in words:
        assert word in str(caught.value)


def test_without_a_root_the_working_folder_counts_and_the_error_says_how_to_name_one(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert find_file("a/x.mat", None, key="k").is_file()
    with pytest.raises(UserError, match="--data DIR"):
        find_file("only.mat", None, key="k")


def test_a_folder_that_is_missing_or_empty(tree, monkeypatch):
    monkeypatch.chdir(tree)
    with pytest.raises(UserError, match="the folder does not exist"):
        find_file("none/x.mat", None, key="k")
    (tree / "empty").mkdir()
    with pytest.raises(UserError, match="there are no files"):
        find_file("x.mat", str(tree / "empty"), key="k")


def test_missing_root(tmp_path):
    with pytest.raises(UserError, match=r"data\.root: no such folder"):
        find_file("x.mat", str(tmp_path / "none"), key="k")
