import numpy as np
import pytest

from tricklab.data.duplicates import find_duplicates
from tricklab.errors import UserError
from tricklab.registry import build


def draw(**options):
    return build("layout", {"type": "SyntheticImages", **options}).read()


def test_the_same_arguments_give_the_same_images():
    images, again, other = draw(), draw(), draw(seed=1)
    assert images.pixels.shape == (240, 32, 32, 3)
    assert np.array_equal(images.pixels, again.pixels)
    assert not np.array_equal(images.pixels, other.pixels)
    assert images.classes == ("disc", "square", "triangle", "ring")
    assert images.counts().tolist() == [60] * 4
    assert images.paths == (None,) * 240
    assert np.array_equal(images.read(61), images.pixels[61])


def test_names_stay_with_their_images():
    images = draw(classes=3, per_class=4, size=8)
    assert len({images.key(number) for number in range(12)}) == 12
    chosen = images.take(np.array([5, 2]))
    assert chosen.key(0) == images.key(5) == "square/0001"
    assert np.array_equal(chosen.read(0), images.read(5))


def test_more_images_of_a_class_than_are_drawn_at_once():
    images = draw(classes=2, per_class=300, size=8)
    assert images.pixels.shape == (600, 8, 8, 3)
    assert len(np.unique(images.pixels.reshape(600, -1), axis=0)) == 600


def test_no_two_images_are_alike_even_without_noise():
    assert draw(classes=16, per_class=20, noise=0.0).classes[8:10] == ("striped disc", "striped square")
    assert find_duplicates(draw(classes=8, per_class=40)).facts()["units"] == 320


def test_pixels_tell_the_classes_apart_but_not_easily():
    train, test = draw(per_class=100), draw(per_class=100, seed=1)
    flat = [images.pixels.reshape(400, -1) / 255.0 for images in (train, test)]
    colours = [images.pixels.mean(axis=(1, 2)) for images in (train, test)]
    distances = np.linalg.norm(colours[1][:, None] - colours[0][None], axis=2)
    by_colour = (train.labels[distances.argmin(axis=1)] == test.labels).mean()
    centred = [item - flat[0].mean(axis=0) for item in flat]
    ridge = np.linalg.solve(centred[0] @ centred[0].T + 100 * np.eye(400), np.eye(4)[train.labels])
    linear = ((centred[1] @ centred[0].T @ ridge).argmax(axis=1) == test.labels).mean()
    assert 0.25 < by_colour < 0.6
    assert 0.25 < linear < 0.8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": 1}, "between 2 and 16"),
        ({"classes": 17}, "between 2 and 16"),
        ({"per_class": 1}, "at least 2"),
        ({"size": 7}, "at least 8"),
        ({"noise": -0.1}, "noise is negative"),
        ({"seed": -1}, "seed is negative"),
    ],
)
def test_impossible(options, words):
    with pytest.raises(UserError, match=words):
        draw(**options)
