"""Pictures from files become arrays that the estimators take."""

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import skdeepsc
from skdeepsc import (
    EDSC,
    KSSC,
    LRR,
    NCSC,
    SSC,
    SSCOMP,
    AutoEncoder,
    EnSC,
    LocalContrast,
    Scattering,
    SubspaceClustering,
)
from skdeepsc.datasets import load_images, pixels_of
from skdeepsc.datasets._images import thumbnail

Image = pytest.importorskip("PIL.Image")


def shades(height, width, dtype=np.uint8, largest=255):
    """A picture that is dark at its upper left and bright at its lower right."""
    return np.linspace(0, largest, height * width).reshape(height, width).astype(dtype)


@pytest.fixture
def folder(tmp_path):
    """Grey pictures of two sub-folders, in an order that letters would not give."""
    for name in ("cats/10.png", "cats/2.png", "dogs/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(shades(20, 30)).save(tmp_path / name)
    (tmp_path / "cats/notes.txt").write_text("no picture by name")
    (tmp_path / ".hidden.png").write_text("no picture at all")
    return tmp_path


def test_a_folder_becomes_images_names_and_labels(folder):
    pictures = load_images(folder)
    assert [name.removeprefix(f"{folder}/") for name in pictures.filenames] == [
        "cats/2.png",
        "cats/10.png",
        "dogs/1.png",
    ]
    np.testing.assert_array_equal(pictures.images, [shades(20, 30)] * 3)
    assert pictures.target.tolist() == [0, 0, 1]
    assert pictures.target_names == ["cats", "dogs"]
    listed = load_images([folder / "dogs/1.png", Image.open(folder / "cats/2.png")], n_jobs=2)
    assert listed.target is None
    np.testing.assert_array_equal(listed.images, pictures.images[:2])


def test_blank_pictures_are_named(folder):
    Image.new("L", (30, 20), 90).save(folder / "cats/3.png")
    Image.new("L", (30, 20), 255).save(folder / "dogs/0.png")
    (folder / "cats/1.png").write_text("broken")
    with pytest.warns(UserWarning, match="1 of 6 files"):
        pictures = load_images(folder)
    assert pictures.blank == [str(folder / "cats/3.png"), str(folder / "dogs/0.png")]
    Image.new("RGB", (30, 20), "red").save(folder / "dogs/2.png")
    with pytest.warns(UserWarning, match="1 of 7 files"):
        assert load_images(folder).blank == [*pictures.blank, str(folder / "dogs/2.png")]


def test_colour_is_found(tmp_path):
    grey = Image.fromarray(shades(8, 8)).convert("RGB")
    grey.save(tmp_path / "a.png")
    assert load_images(tmp_path).images.shape == (1, 8, 8)  # Stored with colours, but has none.
    Image.new("RGB", (8, 8), "red").save(tmp_path / "b.png")
    images = load_images(tmp_path).images
    np.testing.assert_array_equal(images[0], [shades(8, 8)] * 3)
    np.testing.assert_array_equal(images[1, :, 0, 0], [255, 0, 0])
    assert load_images(tmp_path, color="grey").images[1].max() == 76
    Image.new("P", (8, 8), 3).save(tmp_path / "b.gif")
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "c.jpg")
    images = load_images(tmp_path).images
    assert images.shape == (4, 3, 8, 8)
    assert images[3, 0].max() < 20
    assert images[3, 2].min() > 200


def test_pictures_are_turned_composited_and_scaled(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was held upright: show it turned to the right.
    Image.fromarray(np.where(np.arange(40) < 20, 0, 255).astype(np.uint8)[None].repeat(20, 0)).save(
        tmp_path / "turned.jpg", exif=exif, quality=95
    )
    turned = load_images(tmp_path).images
    assert turned.shape == (1, 40, 20)
    assert turned[0, :15].max() < 50 < 200 < turned[0, -15:].min()

    clear = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear)
    assert load_images([clear]).images.min() == 255
    assert load_images([clear], background="black").images.max() == 0
    Image.new("LA", (4, 4), (0, 127)).save(clear)
    assert load_images([clear], background=200).images.ravel()[0] in (99, 100, 101)

    # One white for all: the sixteen bits of these hold twelve.
    for name, largest in (("a", 4000), ("b", 1000)):
        Image.fromarray(np.full((4, 4), largest, np.uint16)).save(tmp_path / f"{name}.tif")
    deep = [tmp_path / "a.tif", tmp_path / "b.tif"]
    np.testing.assert_array_equal(load_images(deep).images[:, 0, 0], [249, 62])
    np.testing.assert_array_equal(load_images(deep, white=2000).images[:, 0, 0], [255, 128])
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "fraction.tif")
    assert load_images([tmp_path / "fraction.tif"]).images.max() == 128


def test_sizes_are_made_the_same(tmp_path):
    halves = np.repeat(np.uint8([0, 255]), 40)[None].repeat(20, 0)  # Twenty high, eighty wide, bright at the right.
    Image.fromarray(halves).save(tmp_path / "wide.png")
    shape = {
        fit: load_images(tmp_path, (20, 20), fit=fit, background=90).images[0] for fit in ("crop", "pad", "stretch")
    }
    assert all(image.shape == (20, 20) for image in shape.values())
    np.testing.assert_array_equal(shape["crop"], halves[:, 30:50])
    assert set(shape["pad"][0]) == {90}
    assert set(shape["pad"][10, [0, -1]]) == {0, 255}
    assert set(shape["stretch"][:, 0]) == {0}
    assert load_images(tmp_path).images.shape == (1, 16, 64)  # Not larger than the estimators can bear.
    Image.fromarray(halves.T.copy()).save(tmp_path / "high.png")
    assert load_images(tmp_path).images.shape == (2, 50, 50)  # As many upright as lying.
    for size in (0, (1,), (1, 2, 3), 2.5, 10**6, 10**30):
        with pytest.raises(ValueError, match="size="):
            load_images(tmp_path, size)
    with pytest.raises(ValueError, match="'fit' parameter of load_images must be a str among"):
        load_images(tmp_path, fit="cut")


def test_broken_files_are_named_once_and_left_out(folder):
    whole = (folder / "cats/2.png").read_bytes()
    (folder / "cats/1.png").write_bytes(
        whole[: len(whole) // 2]
    )  # Its head is whole: the break is found when it is decoded.
    (folder / "cats/3.png").write_text("no picture")
    with pytest.warns(UserWarning, match="2 of 5") as told:
        pictures = load_images(folder)
    (warning,) = told
    assert warning.filename == __file__
    assert "2 of 5 files cannot be read and are left out" in str(warning.message)
    assert "3.png (not a picture)" in str(warning.message)
    assert [name[-6:] for name in pictures.broken] == ["/1.png", "/3.png"]
    assert len(pictures.images) == len(pictures.filenames) == len(pictures.target) == 3
    np.testing.assert_array_equal(pictures.images, [shades(20, 30)] * 3)
    with pytest.warns(UserWarning, match="2 of 5"):
        mapped = load_images(folder, out=folder / "made/images.npy")
    np.testing.assert_array_equal(np.load(folder / "made/images.npy"), pictures.images)
    assert isinstance(mapped.images, np.memmap)
    assert [path.name for path in (folder / "made").iterdir()] == ["images.npy"]  # No drafts are left.


@pytest.mark.parametrize("content", [b"no picture", None], ids=["no picture", "cut"])
def test_a_file_that_cannot_be_read_may_be_named_twice(folder, content):
    path = folder / "cats/2.png"
    path.write_bytes(content or path.read_bytes()[:-60])
    with pytest.raises(ValueError, match="None of 2 files is a picture that can be read"):
        load_images([path, path])


def test_infinite_pixels_are_white_and_leave_the_others_as_they_are(folder):
    for name, corner in (("a", 0.5), ("b", np.inf)):
        values = np.full((20, 30), 0.5, dtype=np.float32)
        values[0, 0] = corner
        Image.fromarray(values).save(folder / f"cats/{name}.tif")
    pictures = load_images([folder / "cats/a.tif", folder / "cats/b.tif"])
    assert pictures.reading["white"] == 1
    assert pictures.images.max() == 255
    np.testing.assert_array_equal(np.delete(pictures.images.reshape(2, -1), 0, axis=1), 128)


def test_a_map_that_is_in_use_keeps_what_it_holds(folder):
    mapped = load_images(folder, out=folder / "images.npy").images
    before = mapped.copy()
    (folder / "cats/2.png").write_bytes((folder / "cats/2.png").read_bytes()[:-60])
    with pytest.warns(UserWarning, match="cannot be read"):
        fewer = load_images(folder, size=(10, 10), out=folder / "images.npy").images
    np.testing.assert_array_equal(mapped, before)
    assert len(fewer) < len(before)
    assert not list(folder.glob("*.part"))


def test_large_results_are_mapped_from_disk(folder):
    out = folder / "images.npy"
    images = load_images(folder, out=out).images
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable
    np.testing.assert_array_equal(np.load(out), load_images(folder).images)
    temporary = load_images(folder, max_bytes=1000).images
    path = temporary.filename
    np.testing.assert_array_equal(temporary, images)
    assert path.exists()
    del temporary
    assert not path.exists()
    with pytest.raises(ValueError, match=r"must be the name of a \.npy file"):
        load_images(folder, out=folder / "images.npz")


def test_what_is_no_folder_of_pictures_is_told(folder):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        load_images(folder / "birds")
    with pytest.raises(NotADirectoryError, match="is a file: give a folder"):
        load_images(folder / "cats/2.png")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"There are no pictures in the folder .*: of its 0 files"):
        load_images(folder / "empty")
    with pytest.raises(ValueError, match="list of paths is empty"):
        load_images([])
    with pytest.raises(TypeError, match="item 0 of the list is of type int"):
        load_images([3])
    with pytest.raises(
        ValueError, match=r"None of 2 files is a picture .*notes.txt \(not a picture\).*\(no such file\)"
    ):
        load_images([folder / "cats/notes.txt", folder / "birds.png"])
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from skdeepsc.datasets import load_images\n"
        "try: load_images('.')\n"
        "except ImportError as error: assert 'skdeepsc[images]' in str(error)\n"
        "else: raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bar_is_shown_and_filters_and_images_stay_as_they_were(folder, capsys):
    pytest.importorskip("rich")
    given, before = Image.open(folder / "cats/2.png"), list(warnings.filters)
    load_images([given], 5, progress=True)
    assert "Reading pictures" in capsys.readouterr().err
    assert warnings.filters == before
    assert given.size == (30, 20)


def test_estimators_take_them(folder):
    images = load_images(folder).images
    assert SubspaceClustering(1, views=["pixels"], random_state=0).fit(images).image_shape_ == (1, 20, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_that_come_last_are_refused_with_the_cure(dtype):
    X = np.random.RandomState(0).randint(256, size=(6, 8, 10, 3)).astype(dtype)
    for estimator in (SubspaceClustering(2), AutoEncoder(), NCSC(2)):
        with pytest.raises(ValueError, match=r"channels last.*np\.moveaxis\(X, -1, 1\).*image_shape=\(8, 10, 3\)"):
            estimator.fit(X)
    with pytest.raises(ValueError, match="channels last"):
        Scattering().fit(X[..., :1])
    assert Scattering().fit(np.moveaxis(X, -1, 1)).image_shape_ == (3, 8, 10)
    assert Scattering(image_shape=(8, 10, 3)).fit(X).transform(X).shape[0] == 6  # Who says so is believed.
    said = SubspaceClustering(1, views=["scattering"], image_shape=[8, 10, 3], random_state=0).fit(X)
    assert said.predict(X).shape == (6,)
    assert Scattering().fit(X[:, :3]).image_shape_ == (3, 10, 3)  # Not plainly last.
    with pytest.raises(ValueError, match=r"image_shape=\(4, 4, 3\)"):
        LocalContrast().fit(X[:, :4, :4])
    assert LocalContrast(image_shape=(4, 4, 3)).fit(X[:, :4, :4]).image_shape_ == (4, 4, 3)
    assert SSC(2).fit(X / 255).n_features_in_ == 240  # Rows are rows in any order.


@pytest.mark.parametrize("n_channels", [1, 3])
def test_new_images_with_channels_last_are_refused_with_the_cure(n_channels):
    X = np.random.RandomState(0).uniform(size=(9, n_channels, 6, 6))
    fitted = LocalContrast().fit(X)
    turned = np.moveaxis(X, 1, -1)
    with pytest.raises(ValueError, match=r"images of shape \(., 6, 6\): X = np\.moveaxis\(X, -1, 1\)\.$"):
        fitted.transform(turned)
    fitted.transform(np.moveaxis(turned, -1, 1))
    with pytest.raises(ValueError, match=r"images of shape \(., 6, 6\)\.$"):
        fitted.transform(X.reshape(9, n_channels, 4, 9))


def test_a_square_scene_is_told_how_its_pixels_are_clustered():
    cube = np.random.RandomState(0).uniform(size=(9, 9, 12))
    with pytest.warns(
        UserWarning, match=r"\(9, 9, 12\) is read as 9 images.*one scene of 12 bands.*pixels_of\(X\)"
    ) as told:
        LocalContrast().fit(cube)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LocalContrast(image_shape=(9, 12)).fit(cube)
        LocalContrast().fit(cube[:8])


@pytest.mark.parametrize("classic", [SSC, EnSC, LRR, KSSC, SSCOMP, EDSC])
def test_the_classics_tell_of_a_square_scene_too(classic):
    cube = np.random.RandomState(0).uniform(size=(9, 9, 12))
    with pytest.warns(
        UserWarning, match=r"one scene of 12 bands.*pixels_of\(X\)\. If not, give X\.reshape\(9, -1\)\."
    ) as told:
        fitted = classic(2, random_state=0).fit(cube)
    assert len(told) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.predict(cube)
        for X in (cube.reshape(9, -1), cube[:8], cube[..., :9], cube[:, None]):
            classic(2, random_state=0).fit(X)


@pytest.mark.parametrize("estimator", [SubspaceClustering(2), SSC(2)])
def test_paths_and_pictures_given_to_fit_are_refused(folder, estimator):
    paths = sorted(folder.glob("*/*.png"))
    given = {
        "a path": [str(folder), folder],
        "a list of paths": [paths, tuple(map(str, paths)), load_images(folder).filenames],
        "a PIL image": [Image.new("L", (9, 9))],
        "a list of PIL images": [[Image.new("L", (9, 9))] * 3],
    }
    given["a path"] += [paths[0], os.fsencode(folder), os.fsencode(paths[0])]
    given["a list of paths"] += [pd.Series(paths), pd.DataFrame({"file": paths}), np.array(paths)[:, None]]
    given["a list of paths"] += [list(map(os.fsencode, paths)), pd.Series(paths).map(os.fsencode)]
    given["a list of PIL images"] += [pd.Series([Image.new("L", (9, 9))] * 3)]
    for kind, values in given.items():
        for X in values:
            with pytest.raises(TypeError, match=rf"X is {kind}, not an array: .*load_images\(.*\)\.images\.$") as told:
                estimator.fit(X)
            cure = str(told.value).partition("X = ")[2].rstrip(".")
            assert eval(cure, {"skdeepsc": skdeepsc, "os": os, "np": np, "X": X}).ndim == 3


@pytest.mark.parametrize("estimator", [SubspaceClustering(2), SSC(2)])
def test_what_holds_images_or_gives_them_is_refused_with_the_cure(folder, estimator):
    with pytest.raises(TypeError, match=r"X is a Bunch, not an array: give X\.images\.$"):
        estimator.fit(load_images(folder))
    with pytest.raises(TypeError, match=r"X is a Bunch, not an array: give X\.data\.$"):
        estimator.fit(load_iris())
    given = folder.glob("*/*.png")
    with pytest.raises(
        TypeError, match=r"X is a .*, not an array: of paths, X = .*load_images\(X\)\.images; of .*list\(X\)"
    ):
        estimator.fit(given)
    assert len(load_images(given).images) == len(list(folder.glob("*/*.png")))  # None is gone.


def test_a_column_of_numbers_as_text_is_one_of_numbers():
    X = pd.DataFrame({"a": list(map(str, np.random.RandomState(0).uniform(size=9)))}, dtype=object)
    assert SSC(1).fit(X).n_features_in_ == 1


def test_labels_of_pixels_become_a_map():
    cube = np.random.RandomState(0).uniform(size=(4, 5, 7))
    rows, to_map = pixels_of(cube)
    assert np.shares_memory(rows, cube)
    np.testing.assert_array_equal(to_map(rows), cube)
    mask = cube[..., 0] > 0.5
    rows, to_map = pixels_of(cube, mask)
    np.testing.assert_array_equal(rows, [cube[i, j] for i in range(4) for j in range(5) if mask[i, j]])
    labels = to_map(np.arange(len(rows)))
    np.testing.assert_array_equal(labels[mask], np.arange(len(rows)))
    assert set(labels[~mask]) == {-1}
    assert np.isnan(to_map(rows, fill=np.nan)[~mask]).all()
    is_third = np.arange(len(rows)) == 3
    with pytest.raises(TypeError, match=r"fill=-1 is neither True nor False, as values are: give fill=False\."):
        to_map(is_third)
    np.testing.assert_array_equal(np.argwhere(to_map(is_third, fill=False)), np.argwhere(labels == 3))
    assert set(to_map(np.full(len(rows), "a"))[~mask]) == {"-1"}
    for fill in (0.5, np.nan, 300, np.float64(-1), "none"):
        with pytest.raises(ValueError, match=r"fill=.* is no number of the type of values, uint8"):
            to_map(np.zeros(len(rows), dtype=np.uint8), fill=fill)
    assert to_map(np.zeros(len(rows), dtype=np.uint8), fill=255).max() == 255
    with pytest.raises(ValueError, match=f"There are {len(rows)} pixels in the map"):
        to_map(np.zeros(3))
    with pytest.raises(ValueError, match=r"must be boolean and of shape \(4, 5\)"):
        pixels_of(cube, mask.T)
    with pytest.raises(ValueError, match=r"must have shape \(height, width, bands\)"):
        pixels_of(cube[0])


def test_a_picture_for_which_there_is_no_memory_is_not_left_out(folder, monkeypatch):
    def read(self, source):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr("skdeepsc.datasets._images._Reader.read", read)
    with pytest.raises(MemoryError, match="Unable"):
        load_images(folder)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.png", {}),
        ("a.jpg", {"quality": 100}),
        ("raw.tif", {}),
        ("packed.tif", {"compression": "tiff_lzw"}),
        ("a.webp", {"lossless": True}),
    ],
)
def test_pictures_of_all_formats_are_turned(tmp_path, name, how, orientation):
    exif, upright = Image.Exif(), np.zeros((16, 32), np.uint8)
    exif[0x0112], upright[:8, :8], upright[8:, 24:] = orientation, 255, 128
    # The other way round: what ImageOps.exif_transpose undoes.
    ways = [
        None,
        "FLIP_LEFT_RIGHT",
        "ROTATE_180",
        "FLIP_TOP_BOTTOM",
        "TRANSPOSE",
        "ROTATE_90",
        "TRANSVERSE",
        "ROTATE_270",
    ]
    image, way = Image.fromarray(upright), ways[orientation - 1]
    (image.transpose(Image.Transpose[way]) if way else image).save(tmp_path / name, exif=exif, **how)
    (read,) = load_images(tmp_path, color="grey").images
    assert read.shape == (16, 32)
    np.testing.assert_allclose(read.astype(int), upright, atol=3)


def test_images_for_which_there_is_no_room_are_refused(folder, monkeypatch):
    def none_left(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", none_left, raising=False)
    with pytest.raises(OSError, match=r"need 0.0 GB, for which there is no room in .*: give another out="):
        load_images(folder, out=folder / "all.npy")
    assert not list(folder.glob("*.npy"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions.")
def test_files_of_images_have_the_permissions_of_others(folder):
    before = os.umask(0o027)
    try:
        load_images(folder, out=folder / "all.npy")
        assert (folder / "all.npy").stat().st_mode & 0o777 == 0o640
        (folder / "all.npy").chmod(0o600)
        load_images(folder, out=folder / "all.npy")
        assert (folder / "all.npy").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_folders_that_links_lead_to_are_read_once(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.fromarray(shades(20, 30)).save(elsewhere / "a.png")
    (elsewhere / "round").symlink_to(elsewhere)
    (elsewhere / "deep").mkdir()
    Image.fromarray(shades(20, 30)).save(elsewhere / "deep" / "b.png")
    links = {"link": elsewhere, "same": folder / "cats", "up": folder.parent, "link2": elsewhere, ".hidden": elsewhere}
    for name, target in {**links, "zlink": elsewhere / "deep"}.items():
        (folder / name).symlink_to(target)
    found = [str(Path(name).relative_to(folder)) for name in load_images(folder).filenames]
    assert found == ["cats/2.png", "cats/10.png", "dogs/1.png", "link/a.png", "zlink/b.png"]


def test_thumbnails_of_small_pictures_show_their_pixels(folder):
    assert thumbnail(folder / "cats/2.png", 100).size == (90, 60)
    assert thumbnail(shades(20, 30), 100).size == (90, 60)
