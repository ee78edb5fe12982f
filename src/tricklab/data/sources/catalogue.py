"""Known public hyperspectral scenes. Nothing here is shipped: each has its own owner and terms."""

from __future__ import annotations

from dataclasses import dataclass

from tricklab.errors import UserError, nearest

_EHU = "https://www.ehu.eus/ccwintco/index.php/Hyperspectral_Remote_Sensing_Scenes"
_EHU_FILES = "https://www.ehu.eus/ccwintco/uploads"
_EHU_TERMS = "offered for research by the Computational Intelligence Group (GIC), EHU; no formal licence text"


@dataclass(frozen=True)
class KnownFile:
    """One file of a known scene.

    Args:
        name: the usual file name.
        role: ``cube``, ``labels``, ``train labels`` or ``test labels``.
        key: the array's name in the file.
        shape: (rows, columns) or (rows, columns, bands).
        url: where it can be fetched, or None where its owner asks for a registration.
        size: bytes of the copy that the checksum is of, or None.
        sha256: checksum of a copy in public use, or None where none is known.
        counts: labelled pixels per id, in ascending order of the ids; empty for cubes.
    """

    name: str
    role: str
    key: str
    shape: tuple[int, ...]
    url: str | None = None
    size: int | None = None
    sha256: str | None = None
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class KnownScene:
    """A public scene: what it is, where it comes from, its files, its terms."""

    name: str
    title: str
    sensor: str
    page: str
    terms: str
    files: tuple[KnownFile, ...]
    note: str = ""


def _ehu(
    name: str,
    title: str,
    sensor: str,
    shape: tuple[int, int, int],
    cube: tuple[str, str],
    labels: tuple[str, str],
    counts: tuple[int, ...],
    checksums: tuple[str | None, str],
    sizes: tuple[int | None, int],
    note: str = "",
) -> KnownScene:
    """A scene of the page that most of them come from; ``cube`` and ``labels`` are (array name, path of the file)."""
    files = (
        KnownFile(cube[1].split("/")[-1], "cube", cube[0], shape, f"{_EHU_FILES}/{cube[1]}", sizes[0], checksums[0]),
        KnownFile(
            labels[1].split("/")[-1],
            "labels",
            labels[0],
            shape[:2],
            f"{_EHU_FILES}/{labels[1]}",
            sizes[1],
            checksums[1],
            counts,
        ),
    )
    return KnownScene(name, title, sensor, _EHU, _EHU_TERMS, files, note)


_ALL = (
    _ehu(
        "indian-pines",
        "Indian Pines, 16 crop classes",
        "AVIRIS, Indiana, June 1992, 20 m, 200 bands",
        (145, 145, 200),
        ("indian_pines_corrected", "6/67/Indian_pines_corrected.mat"),
        ("indian_pines_gt", "c/c4/Indian_pines_gt.mat"),
        (46, 1428, 830, 237, 483, 730, 28, 478, 20, 972, 2455, 593, 205, 1265, 386, 93),
        (None, "65c4687a8ab04f6da4789799bc3bc4f6e88bccac3ed6a2e6ae367e5e6b9e429c"),
        (None, 1125),
        "The original with 220 bands is at Purdue (PURR), DOI 10.4231/R7RX991C; the corrected file lacks the water "
        "bands 104-108, 150-163 and 220.",
    ),
    _ehu(
        "salinas-a",
        "Salinas-A, six classes of Salinas",
        "AVIRIS, California, 1998, 3.7 m, 204 bands",
        (83, 86, 204),
        ("salinasA_corrected", "1/1a/SalinasA_corrected.mat"),
        ("salinasA_gt", "a/aa/SalinasA_gt.mat"),
        (391, 1343, 616, 1525, 674, 799),
        (
            "d75684ed3ab71a1024cee0f9db9061f50a3523a92ff5edfbbb1eed976b9f1721",
            "17814c1d3296c0e29b27f320f2c4174d2a68adb87e376abe78f02923e2c2e454",
        ),
        (1539086, 587),
        "The label ids are those of the full scene: 1, 10, 11, 12, 13, 14.",
    ),
    _ehu(
        "salinas",
        "Salinas, 16 classes",
        "AVIRIS, California, 1998, 3.7 m, 204 bands",
        (512, 217, 204),
        ("salinas_corrected", "a/a3/Salinas_corrected.mat"),
        ("salinas_gt", "f/fa/Salinas_gt.mat"),
        (2009, 3726, 1976, 1394, 2678, 3959, 3579, 11271, 6203, 3278, 1068, 1927, 916, 1070, 7268, 1807),
        (None, "ecfab4d31ef5553f097943235d8ea502038eb4a2067b2ad10b33e37c949955e2"),
        (None, 4277),
    ),
    _ehu(
        "pavia-university",
        "Pavia University, nine classes",
        "ROSIS, Italy, 2001, 1.3 m, 103 bands",
        (610, 340, 103),
        ("paviaU", "e/ee/PaviaU.mat"),
        ("paviaU_gt", "5/50/PaviaU_gt.mat"),
        (6631, 18649, 2099, 3064, 1345, 5029, 1330, 3682, 947),
        (None, "23f6a426928f9b32984adffe659e29f554f9fb6c93b5a107528d308d5087a829"),
        (None, 11005),
    ),
    _ehu(
        "pavia-centre",
        "Pavia Centre, nine classes",
        "ROSIS, Italy, 2001, 1.3 m, 102 bands",
        (1096, 715, 102),
        ("pavia", "e/e3/Pavia.mat"),
        ("pavia_gt", "5/53/Pavia_gt.mat"),
        (65971, 7598, 3090, 2685, 6584, 9248, 7287, 42826, 2863),
        (None, "7eb54ab81b404dd3ae572e6d0ec211595029e5a847bec2cfb8f9e72d07066b69"),
        (None, 34887),
    ),
    _ehu(
        "ksc",
        "Kennedy Space Center, 13 classes",
        "AVIRIS, Florida, 1996, 18 m, 176 bands",
        (512, 614, 176),
        ("KSC", "2/26/KSC.mat"),
        ("KSC_gt", "a/a6/KSC_gt.mat"),
        (761, 243, 256, 252, 161, 229, 105, 431, 520, 404, 419, 503, 927),
        (None, "a1d6ab9293691006bd4d9742d1a1e1c141b1aaa5fbc5fa128b33c1d09038510b"),
        (None, 3240),
    ),
    _ehu(
        "botswana",
        "Botswana, 14 classes",
        "Hyperion, Okavango Delta, 2001, 30 m, 145 bands",
        (1476, 256, 145),
        ("Botswana", "7/72/Botswana.mat"),
        ("Botswana_gt", "5/58/Botswana_gt.mat"),
        (270, 101, 251, 215, 269, 269, 259, 203, 314, 248, 305, 181, 268, 95),
        (None, "668394905e10e629c16584bfd02b0f533b96d6ba18a63274a94ff3a77126a887"),
        (None, 4039),
    ),
    KnownScene(
        "houston-2013",
        "Houston 2013, 15 classes, official training and test pixels",
        "CASI, Texas, June 2012, 2.5 m, 144 bands",
        "https://hyperspectral.ee.uh.edu/?page_id=459",
        "IEEE GRSS Data Fusion Contest 2013; the owner asks for a registration, so nothing is fetched",
        (
            KnownFile("houston.mat", "cube", "houston", (349, 1905, 144)),
            KnownFile(
                "houston_gt.mat",
                "labels",
                "houston_gt_tr, houston_gt_te",
                (349, 1905),
                None,
                1329968,
                "ebe2438dcc6526bcbb63b5b98009f88de2b8c4a40b5d4c2b2bcd91808aa4e76f",
            ),
        ),
        "Some copies of the cube are MATLAB 7.3 files; array names differ. The label file is a conversion that "
        "circulates (mhaut/HSI-datasets). The official split: scene.labels_key: [houston_gt_tr, houston_gt_te], "
        "split: {type: GivenMasks, train: houston_gt.mat, train_key: houston_gt_tr, test: houston_gt.mat, "
        "test_key: houston_gt_te}.",
    ),
)
SCENES = {scene.name: scene for scene in _ALL}


def known_scene(name: str) -> KnownScene:
    """A scene by name. Raises UserError with the nearest name."""
    if name not in SCENES:
        raise UserError(f"unknown scene {name!r}", where="tricklab data get", fix=nearest(name, SCENES))
    return SCENES[name]
