"""The command, and what it writes for people."""

import csv
import errno
import html
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeepsc
from skdeepsc import SSC, SSCOMP, SubspaceClustering, load
from skdeepsc.__main__ import _move, _read_csv, main
from skdeepsc.datasets import load_images
from skdeepsc.datasets._images import image_files, thumbnail
from skdeepsc.inspection import ContactSheetDisplay, Explanation
from skdeepsc.report import Findings, find, write_page, write_sheets, write_table
from skdeepsc.report._sheets import SIDE, _fitting, _font, said

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def digits():
    """Forty-five pictures of three digits, and their rows."""
    digits = load_digits(n_class=3)
    return (digits.images[:45] * 15.9).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, digits, monkeypatch):
    """The same in two sub-folders, with a name that HTML must not take for its own, and with a broken one."""
    for number, image in enumerate(digits):
        path = tmp_path / "pics" / ("a" if number < 20 else "b") / f"<i>{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (tmp_path / "pics/b/odd.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pics"


def lines(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """What a page refers to, and whether what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        self.open += [tag] * (tag not in ("meta", "img", "br"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_folder_becomes_a_table_sheets_and_a_page(folder, capsys):
    assert main([str(folder), "-k", "3", "--method", "ssc", "--copy", "--size", "9x12", "--fit", "pad"]) == 0
    said = capsys.readouterr()
    assert "Read 45 pictures as grey images of 9 x 12." in said.out
    assert "Written to pics-clusters: model.skdeepsc, clusters.csv, sheets/, report.html, clusters/." in said.out
    assert "Note: 1 of 46 files cannot be read" in said.err

    out = folder.parent / "pics-clusters"
    with pytest.warns(UserWarning, match="1 of 46"):
        pictures = load_images(folder, (9, 12), fit="pad")
    fitted = SSC(3, random_state=0).fit(pictures.images)
    proba = fitted.predict_proba(pictures.images)
    table = lines(out / "clusters.csv")
    assert [line["file"] for line in table] == pictures.filenames.tolist()
    assert [int(line["cluster"]) for line in table] == fitted.labels_.tolist()
    for line, label, row in zip(table, fitted.labels_, proba, strict=True):
        assert float(line["probability"]) == pytest.approx(row[label], abs=1e-4)
        assert int(line["second_cluster"]) != label
        assert float(line["second_probability"]) == pytest.approx(row[int(line["second_cluster"])], abs=1e-4)
    assert sorted(path.name for path in (out / "sheets").iterdir()) == [f"cluster-{k}.png" for k in range(3)]
    for line in table:
        copied = out / "clusters" / line["cluster"] / line["file"].removeprefix(f"{folder}/")
        assert copied.read_bytes() == (folder.parent / line["file"]).read_bytes()

    page = (out / "report.html").read_text()
    parsed = Page(page)
    assert not parsed.open
    assert len(parsed.sources) >= 45
    assert {source for source in parsed.sources if not source.startswith("data:image/")} == {
        f"#cluster-{cluster}" for cluster in range(3)
    }
    assert all(f'<h2 id="cluster-{cluster}">' in page for cluster in range(3))
    assert "://" not in page
    assert "<i>" not in page
    assert "1 of 46 files cannot be read" in page
    code = html.unescape(re.search(r"<pre>(.*)</pre>", page, re.DOTALL)[1])
    scope = {}
    with pytest.warns(UserWarning, match="1 of 46"):
        exec(code, scope)
    np.testing.assert_array_equal(scope["clusterer"].labels_, fitted.labels_)

    # Another time: the first result stays, and is no source of pictures.
    assert main([".", "-k", "3", "--method", "SSC", "--out", "again"]) == 0
    assert len(lines(folder.parent / "again/clusters.csv")) == 45
    assert main([str(folder), "-k", "2", "--method", "SSC"]) == 0
    assert (folder.parent / "pics-clusters-2/report.html").exists()


def test_blank_pictures_are_told_by_name(folder, capsys):
    Image.new("L", (8, 8), 0).save(folder / "black.png")
    assert main([str(folder), "-k", "3", "--method", "SSC", "--out", "found"]) == 0
    told = "1 picture has one colour throughout, which tells nothing of where it belongs: "
    assert f"Note: {told}{folder / 'black.png'}." in capsys.readouterr().err
    assert told in (folder.parent / "found/report.html").read_text()


def test_a_model_labels_other_pictures(folder, capsys):
    assert main([str(folder), "-k", "auto", "--method", "SubspaceClustering", "--out", "first"]) == 0
    model = load("first/model.skdeepsc")
    assert model.n_clusters_ == max(int(line["cluster"]) for line in lines("first/clusters.csv")) + 1
    few = folder.parent / "few"
    few.mkdir()
    for path in sorted((folder / "a").iterdir())[:4]:
        Image.open(path).resize((20, 20)).save(few / path.name)
    capsys.readouterr()
    assert main([str(few), "--predict", "first/model.skdeepsc", "--out", "second"]) == 0
    said = capsys.readouterr().out
    assert "Labels are those of first/model.skdeepsc, SubspaceClustering of 45 samples." in said
    assert "images of 8 x 8" in said
    wanted = model.predict(load_images(few, (8, 8)).images)
    assert [int(line["cluster"]) for line in lines("second/clusters.csv")] == wanted.tolist()
    assert not Page((folder.parent / "second/report.html").read_text()).open
    assert main([str(folder), "-k", "auto", "--method", "SSC", "--out", "third"]) == 2
    assert "-k auto is for SubspaceClustering" in capsys.readouterr().err


def test_the_model_goes_where_it_is_wanted(folder, capsys):
    command = [str(folder), "-k", "3", "--method", "SSC", "--out", "first", "--model", "kept/faces.skdeepsc"]
    assert main(command) == 0
    assert "Written to first: kept/faces.skdeepsc, clusters.csv" in capsys.readouterr().out
    assert not (folder.parent / "first/model.skdeepsc").exists()
    labels = load("kept/faces.skdeepsc").labels_
    assert [int(line["cluster"]) for line in lines("first/clusters.csv")] == labels.tolist()
    assert "load('kept/faces.skdeepsc')" in html.unescape((folder.parent / "first/report.html").read_text())
    command[command.index("first")] = "second"
    assert main(command) == 2
    assert "'kept/faces.skdeepsc' is there already: choose another --model" in capsys.readouterr().err
    assert main([str(folder), "--predict", "kept/faces.skdeepsc", "--model", "again.skdeepsc"]) == 2
    assert "leave out --model" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["link", "move"])
def test_pictures_are_linked_or_moved(folder, how):
    assert main([str(folder), "-k", "3", "--method", "SSC", f"--{how}"]) == 0
    sorted_files = image_files(folder.parent / "pics-clusters/clusters")
    assert len(sorted_files) == 45
    assert all(path.is_symlink() == (how == "link") for path in sorted_files)
    assert len(image_files(folder)) == (46 if how == "link" else 1)
    assert load_images(folder.parent / "pics-clusters/clusters").images.shape == (45, 8, 8)


def test_names_that_are_one_on_some_disk_are_kept_apart(folder):
    """Disks without case, and with one way to write an accent, would keep one picture of two."""
    picture = next((folder / "a").glob("*.png"))
    for name in ("Cat.png", "cat.PNG", "caf\u00e9.png", "cafe\u0301.png"):
        shutil.copy(picture, folder / "b" / name)
    assert main([str(folder), "-k", "1", "--method", "SSC", "--move"]) == 0
    kept = [path.relative_to(folder.parent) for path in image_files(folder.parent / "pics-clusters/clusters")]
    assert len({unicodedata.normalize("NFC", str(path).casefold()) for path in kept}) == len(kept) == 49
    assert {"cat-2.PNG", "Cat.png"} <= {path.name for path in kept}


def test_the_work_goes_on_where_nobody_reads(folder):
    command = [sys.executable, "-m", "skdeepsc", str(folder), "-k", "2", "--method", "SSC"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.close()
    assert process.returncode == 0
    assert (folder.parent / "pics-clusters/report.html").is_file()


def test_a_report_tells_the_time_it_is_given(folder, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert main([str(folder), "-k", "2", "--method", "SSC"]) == 0
    assert "1970-01-02 00:00 UTC" in (folder.parent / "pics-clusters/report.html").read_text()


def test_links_that_cannot_be_are_told_before_the_fit(folder, capsys, monkeypatch):
    def refused(*_):
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    assert main([str(folder), "-k", "3", "--link"]) == 2
    assert "can have no links: not permitted. --copy the pictures" in capsys.readouterr().err
    assert not (folder.parent / "pics-clusters").exists()


def test_links_are_moved_as_what_they_lead_to(folder):
    link = folder / "b" / "linked.png"
    link.symlink_to(Path("../a/<i>3.png"))
    assert main([str(folder), "-k", "3", "--method", "SSC", "--move"]) == 0
    (moved,) = (folder.parent / "pics-clusters/clusters").rglob("linked.png")
    assert not moved.is_symlink()
    assert not link.is_symlink()
    assert moved.read_bytes() == next(moved.parents[2].rglob("<i>3.png")).read_bytes()
    assert len(image_files(folder.parent / "pics-clusters/clusters")) == 46


@pytest.fixture
def tables(tmp_path, digits, monkeypatch):
    """The same as tables, in the working directory, with names and without."""
    monkeypatch.chdir(tmp_path)
    rows = digits.reshape(45, -1) / 255
    np.save("rows.npy", rows)
    np.savez("several.npz", y=np.zeros(45), X=rows)
    with open("named.csv", "w") as file:
        print("name", *(f"pixel {i}" for i in range(64)), sep=",", file=file)
        for number, row in enumerate(rows):
            print(f"digit {number}", *row.tolist(), sep=",", file=file)
    np.savetxt("bare.csv", rows, delimiter=",")
    with open("indexed.csv", "w") as file:  # As pandas writes a frame whose columns have no names.
        print("", *range(64), sep=",", file=file)
        for number, row in enumerate(rows):
            print(number, *row.tolist(), sep=",", file=file)
    with open("waves.csv", "w") as file:
        print("sample", *range(400, 464), sep=",", file=file)
        for number, row in enumerate(rows):
            print(f"digit {number}", *row.tolist(), sep=",", file=file)
    return SSCOMP(3, random_state=0).fit(rows).labels_


def assert_is_clustered(name, wanted):
    """The command finds the wanted labels in a table; so do the lines of Python that it tells."""
    out = Path(f"out-{name}")
    assert main([name, "-k", "3", "--method", "SSCOMP", "--out", str(out)]) == 0
    table = lines(out / "clusters.csv")
    assert [int(line["cluster"]) for line in table] == wanted.tolist()
    assert table[2]["file"] == ("digit 2" if "named" in name or "waves" in name else "2")
    scope = {}
    exec(html.unescape(re.search(r"<pre>(.*)</pre>", (out / "report.html").read_text(), re.DOTALL)[1]), scope)
    np.testing.assert_array_equal(scope["clusterer"].labels_, wanted)
    assert not (out / "sheets").exists()


@pytest.mark.parametrize("name", ["rows.npy", "several.npz", "named.csv", "bare.csv", "indexed.csv", "waves.csv"])
def test_tables_are_read(tables, name):
    assert_is_clustered(name, tables)


@pytest.mark.parametrize("name", ["named", "bare"])
def test_tables_of_parquet_are_read(tables, name, capsys):
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(f"{name}.csv", header=0 if name == "named" else None).rename(columns=str)
    frame.to_parquet(f"{name}.parquet")
    assert_is_clustered(f"{name}.parquet", tables)
    frame.assign(kind="digit").to_parquet("words.parquet")
    assert main(["words.parquet"]) == 2
    assert "it must hold numbers, but for names in its first column; these columns do not: kind." in (
        capsys.readouterr().err
    )


def test_parquet_without_pyarrow_is_told(tables, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pandas", None)
    Path("rows.parquet").touch()
    assert main(["rows.parquet"]) == 2
    assert "'rows.parquet' is read by pandas and pyarrow: pip install pandas pyarrow." in capsys.readouterr().err


def test_images_in_a_table_are_drawn(tmp_path, digits, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", digits)
    assert main(["images.npy", "-k", "3", "--method", "SSC", "--out", "drawn"]) == 0
    assert len(list((tmp_path / "drawn/sheets").iterdir())) == 3


def test_images_are_drawn_wherever_their_channels_are():
    image = np.random.RandomState(0).randint(256, size=(3, 8, 10)).astype(np.uint8)
    first, last = thumbnail(image, 10), thumbnail(np.moveaxis(image, 0, -1), 10)
    assert first.size == last.size == (10, 8)
    assert first.tobytes() == last.tobytes()


def test_what_cannot_be_done_is_told_in_a_sentence(folder, capsys):
    np.save("flat.npy", np.zeros(3))
    np.save("text.npy", np.array([["a", "b"]]))
    (folder.parent / "words.csv").write_text("a,b\nc,d\n")
    for name in ("empty.npy", "empty.npz"):
        (folder.parent / name).write_text("")
    (folder.parent / "taken").mkdir()
    (folder.parent / "taken/mine.txt").write_text("")
    for arguments, sentence in {
        ("birds",): "There is no folder or file 'birds'.",
        ("taken/mine.txt",): "is neither a folder nor a table",
        ("taken",): "There are no pictures in the folder 'taken'",
        ("flat.npy",): "samples are rows, or images",
        ("flat.npy", "--copy"): "--copy is for folders of pictures",
        ("words.csv",): "'words.csv' cannot be read as a .csv file: it must hold numbers",
        ("empty.npy",): "'empty.npy' cannot be read as a .npy file: No data left in file",
        ("text.npy",): "'text.npy' cannot be read as a .npy file: its array is of <U1, and samples are numbers",
        ("empty.npz",): "'empty.npz' cannot be read as a .npz file: No data left in file",
        ("pics", "--out", "taken"): "'taken' is not an empty folder",
        ("pics", "--method", "SSC", "--device", "cpu"): "SSC has no device",
        ("pics", "--method", "KSCN", "--noise", "auto"): "KSCN has no noise",
        ("pics", "--noise", "1.5"): "noise",
        ("pics", "--predict", "none.skdeepsc"): "There is no file 'none.skdeepsc'",
        ("pics", "--predict", "m", "-k", "7", "--noise", "auto", "--seed", "1"): "leave out -k, --noise, --seed",
        ("pics", "--out", "/dev/null/here"): "'/dev/null/here' cannot be written: Not a directory",
        ("flat.npy", "--fit", "pad"): "--fit is for folders of pictures",
        ("pics", "--seed", "-1"): "'random_state' parameter",
        ("pics", "--method", "SSC", "-k", "900"): "There are 45 samples, fewer than 900 clusters: give a smaller -k",
    }.items():
        assert main(list(arguments)) == 2
        said = capsys.readouterr().err
        assert f"skdeepsc: {sentence}" in said or sentence in said
        assert "Traceback" not in said
    for arguments, sentence in {
        ("pics", "--method", "kmeans"): "there is no method",
        ("pics", "-k", "0"): "'0' is no number of clusters",
        ("pics", "--size", "a"): "no size",
        ("pics", "--noise", "some"): "no share of noise",
    }.items():
        with pytest.raises(SystemExit):
            main(list(arguments))
        assert sentence in capsys.readouterr().err
    assert not (folder.parent / "pics-clusters").exists()


def test_the_table_has_the_confidence_of_those_that_tell_it(digits, tmp_path):
    clusterer = SubspaceClustering(3, views=["pixels"], random_state=0).fit(digits)
    write_table(find(clusterer, digits), tmp_path / "fitted.csv")
    told = [float(line["confidence"]) for line in lines(tmp_path / "fitted.csv")]
    np.testing.assert_allclose(told, clusterer.confidence_, atol=1e-4)
    write_table(find(clusterer, digits[:5], is_fitted=False), tmp_path / "new.csv")
    write_table(find(SSC(3, random_state=0).fit(digits), digits), tmp_path / "classic.csv")
    for name in ("new.csv", "classic.csv"):
        table = lines(tmp_path / name)
        assert list(table[0]) == list(lines(tmp_path / "fitted.csv")[0])
        assert {line["confidence"] for line in table} == {""}
        assert pd.read_csv(tmp_path / name)["confidence"].isna().all()


def test_a_bar_is_not_part_of_the_model(folder, monkeypatch):
    pytest.importorskip("rich")
    pytest.importorskip("sklearn.callback")
    monkeypatch.setattr("skdeepsc.__main__._shows_bars", lambda stream: stream is sys.stdout)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert main(["pics", "-k", "3"]) == 0
    assert not [str(each.message) for each in told if "Callbacks" in str(each.message)]


def test_an_interrupt_leaves_what_is_done(folder, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    save, written = Image.Image.save, []

    def saved_once(image, path, *args):
        written.append(path)
        save(image, path, *args)
        if str(path).endswith(".part") and len(written) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", saved_once)
    assert main([str(folder), "-k", "3", "--method", "SSC"]) == 130
    said = "Interrupted. Written to pics-clusters: model.skdeepsc, clusters.csv, sheets/ (1 of 3)."
    assert said in capsys.readouterr().err
    assert len(lines(folder.parent / "pics-clusters/clusters.csv")) == 45
    assert [path.name for path in (folder.parent / "pics-clusters/sheets").iterdir()] == ["cluster-0.png"]
    monkeypatch.setattr(skdeepsc, "save", interrupted)
    assert main([str(folder), "-k", "3", "--method", "SSC", "--out", "none"]) == 130
    assert "Nothing was written." in capsys.readouterr().err
    assert not (folder.parent / "none").exists()
    monkeypatch.setattr(SSC, "fit", interrupted)
    assert main([str(folder), "--method", "SSC", "--out", "none"]) == 130
    assert "Nothing was written." in capsys.readouterr().err
    assert not (folder.parent / "none").exists()


def test_a_table_that_is_not_written_to_its_end_is_not_there(digits, tmp_path):
    class Interrupted(list):
        def __iter__(self):
            yield "1"
            raise KeyboardInterrupt

    found = find(SSC(3, random_state=0).fit(digits), digits)
    found.columns["more"] = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        write_table(found, tmp_path / "clusters.csv")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_move_says_how_far_it_came(folder, capsys, monkeypatch):
    rename, moved = os.rename, []

    def moved_twice(*paths):
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(rename(*paths))

    monkeypatch.setattr(os, "rename", moved_twice)
    assert main(["pics", "-k", "3", "--method", "SSC", "--move"]) == 130
    assert "report.html, clusters/ (2 of 45)." in capsys.readouterr().err
    told = [line["moved_to"] for line in lines(folder.parent / "pics-clusters/clusters.csv")]
    assert sum(Path(path).exists() for path in told) == 2


def test_an_interrupted_copy_leaves_whole_pictures_alone(folder, capsys, monkeypatch):
    def interrupted(source, target):
        Path(target).write_text("a part of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copy2", interrupted)
    assert main(["pics", "-k", "3", "--method", "SSC", "--copy"]) == 130
    assert "clusters/ (0 of 45)." in capsys.readouterr().err
    assert not [path for path in Path("pics-clusters/clusters").rglob("*") if path.is_file()]


def test_pictures_are_moved_to_another_disk_or_stay(folder, monkeypatch):
    def elsewhere(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", elsewhere)
    first, second = sorted(folder.rglob("<i>*.png"))[:2]
    content = first.read_bytes()
    _move(first, Path("moved.png"))
    assert Path("moved.png").read_bytes() == content
    assert not first.exists()
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda self, **how: refuse() if self == second else unlink(self, **how))
    with pytest.raises(PermissionError):
        _move(second, Path("kept.png"))
    assert second.exists()
    assert not Path("kept.png").exists()


def refuse():
    raise PermissionError(errno.EACCES, "Permission denied")


def test_what_cannot_be_moved_is_told_before_the_fit(folder, capsys, monkeypatch):
    temporary = skdeepsc.__main__.TemporaryDirectory
    monkeypatch.setattr(
        "skdeepsc.__main__.TemporaryDirectory", lambda dir: refuse() if Path(dir).name == "b" else temporary(dir=dir)
    )
    assert main(["pics", "-k", "3", "--method", "SSC", "--move"]) == 2
    said = capsys.readouterr()
    assert "b' cannot be written: Permission denied. --copy the pictures, or --link them." in said.err
    assert "Clustering" not in said.out


def test_names_that_nothing_can_have_are_told_before_the_fit(folder, capsys):
    Path("dangling").symlink_to("nowhere/at/all")
    for arguments, sentence in {
        ("pics", "--out", "dangling"): "it is a link to nothing. Choose another --out",
        ("pics", "--model", "dangling"): "it is a link to nothing. Choose another --model",
        ("pics", "--out", "o" * 300): "File name too long. Choose another --out",
        ("pics", "--model", "m" * 300): "File name too long. Choose another --model",
        ("pics", "--model", "pics-clusters/clusters.csv"): "is a name for what else is written",
        ("pics", "--model", "pics-clusters/sheets/model"): "is a name for what else is written",
    }.items():
        assert main(list(arguments)) == 2
        said = capsys.readouterr()
        assert sentence in said.err
        assert "Clustering" not in said.out
    for arguments in (["", "-k", "3"], ["pics", "--out", ""], ["pics", "--predict", ""], ["pics", "--model", ""]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "the name is empty" in capsys.readouterr().err
    long = folder.rename("p" * 250)
    assert main([str(long), "-k", "3", "--method", "SSC"]) == 0


@pytest.mark.parametrize("closed", ["stdout", "stderr", "ascii"])
def test_standard_streams_may_be_closed_or_know_few_letters(folder, monkeypatch, closed):
    with open("told.txt", "w", encoding="ascii") as told:
        monkeypatch.setattr(sys, "stdout", told)
        if closed != "ascii":
            monkeypatch.setattr(sys, closed, None)
        assert main(["pics", "-k", "3", "--method", "SSC", "--out", "写真"]) == 0
        assert told.errors == "strict"
    assert ("Written to \\u5199\\u771f" in Path("told.txt").read_text()) == (closed != "stdout")


@pytest.mark.parametrize(
    "text",
    [
        "name,a,b\nrat #1,1,2\n#2,3,5\nc,9,1\nd,0,2\n",
        '\n\nname,a,b\n"x, y",1,2\n"z",3,5\n\nc,9,1\nd,0,2\n',
        "a\n1\n2\n5\n9\n",
        "\ufeffa,b\n1,2\n3,5\n9,1\n0,2\n",
    ],
)
def test_the_lines_of_python_read_what_the_command_read(text, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    X, _, code, _ = _read_csv(path)
    scope = {}
    exec("\n".join(code), scope)
    np.testing.assert_array_equal(scope["X"], X)


def test_sheets_have_letters_of_many_languages_and_no_caption_on_another(digits, tmp_path):
    names = [f"Größe/{'W' * number}ÄÖÜ_ñ_{number}.png" for number in range(45)]
    found = find(SSC(3, random_state=0).fit(digits), digits, names, list(digits))
    image = Image.new("RGB", (10, 10))
    font, draw = _font(10), pytest.importorskip("PIL.ImageDraw").Draw(image)
    boxes = {letter: font.getmask(letter).getbbox() for letter in "Öñ"}
    assert bytes(font.getmask("Ö")) != bytes(font.getmask("ñ"))  # Neither is the box of a letter that is missing.
    assert all(boxes.values())
    for number in range(45):
        assert draw.textlength(_fitting(found.captions[number], draw, font), font) <= SIDE
    assert found.captions[3] == "WWWÄÖÜ_ñ_3.png"
    assert len(write_sheets(found, tmp_path)) == 3


def test_a_model_reads_pictures_as_its_own(folder, capsys):
    """Also where the pictures that are labelled would be read otherwise by themselves."""
    deep = folder / "deep.tif"
    Image.fromarray(np.full((8, 12), 4000, np.uint16)).save(deep)
    assert main(["pics", "-k", "3", "--method", "SSC", "--fit", "pad", "--size", "9", "--out", "found"]) == 0
    reading = skdeepsc.load("found/model.skdeepsc").reading_
    assert reading == {"size": (9, 9), "color": "grey", "fit": "pad", "background": "white", "white": 4095.0}
    assert "fit='pad', white=4095.0).images" in Path("found/report.html").read_text().replace("&#x27;", "'")
    Path("few").mkdir()
    kept = [line for line in lines(Path("found/clusters.csv")) if "deep" in line["file"] or "/b/" in line["file"]]
    for line in kept:
        shutil.copy(line["file"], "few")
    assert main(["few", "--predict", "found/model.skdeepsc", "--out", "again"]) == 0
    labels = {Path(line["file"]).name: line["cluster"] for line in kept}
    assert {Path(line["file"]).name: line["cluster"] for line in lines(Path("again/clusters.csv"))} == labels
    capsys.readouterr()
    assert main(["few", "--predict", "found/model.skdeepsc", "--fit", "crop", "--out", "refused"]) == 2
    assert "The model says how pictures become images: leave out --fit." in capsys.readouterr().err


def test_a_pipeline_labels(digits, tmp_path, monkeypatch):
    pytest.importorskip("skops")
    monkeypatch.chdir(tmp_path)
    rows = digits.reshape(len(digits), -1)
    pipeline = make_pipeline(StandardScaler(), SSC(3, random_state=0)).fit(rows)
    skdeepsc.save(pipeline, "pipeline.skdeepsc")
    np.save("rows.npy", rows)
    assert main(["rows.npy", "--predict", "pipeline.skdeepsc", "--out", "found"]) == 0
    assert [int(line["cluster"]) for line in lines(Path("found/clusters.csv"))] == pipeline.predict(rows).tolist()


def test_what_was_set_is_said(digits):
    found = find(SSC(3, alpha=5.0, noise=0.1, random_state=0).fit(digits), digits)
    numbers = f"{sum(found.cluster >= 0)} samples in 3 clusters and {len(found.noise)} apart from them, as noise."
    assert len(found.noise) > 1
    assert found.choice == f"{numbers} SSC with alpha=5.0, noise=0.1, all else as it comes. No labels were used."
    assert said(found, found.noise[0]) == f"next to {found.second[found.noise[0]]}"
    of_new = find(SSC(3, random_state=0).fit(digits), digits[:1], is_fitted=False)
    before = f"The model: {len(digits)} samples in 3 clusters. SSC with its default settings."
    assert of_new.choice.startswith(f"1 sample in 1 cluster, as a fitted model labels them. {before}")


def test_a_page_of_new_samples_tells_of_them(digits, tmp_path):
    fitted = SSC(3, random_state=0).fit(digits)
    write_page(find(fitted, digits[:9], is_fitted=False), tmp_path / "new.html")
    page = (tmp_path / "new.html").read_text()
    assert "9 samples in" in page
    assert "the next best: the predicted probability. Doubtful" in page
    assert "leaves its own label out" not in page
    write_page(find(fitted, digits), tmp_path / "old.html")
    assert "linked to. Doubtful" in (tmp_path / "old.html").read_text()


def test_a_view_that_is_named_first_may_say_a_hair_less():
    X = load_wine().data
    clustering = SubspaceClustering(3, views=[("z", StandardScaler()), "scaled"], random_state=0).fit(X)
    assert clustering.view_ == "z"
    information, view = clustering.candidates_["edge_information"], clustering.candidates_["view"]
    assert information[view == "scaled, whitened"].max() > information[view == "z, whitened"].max()
    assert "the clusters say as much as in any other, nearly, about" in find(clustering, X).choice
    assert "the clusters say most about" in find(clone(clustering).set_params(views=["scaled"]).fit(X), X).choice


def test_nothing_is_said_to_be_chosen_where_nothing_told_the_views_apart(digits):
    found = find(SubspaceClustering(1, random_state=0).fit(digits), digits)
    assert "nothing told the views apart" in found.choice


def _table_of(path, columns, rows, names=None):
    frame = pd.DataFrame(rows, columns=columns, index=names)
    frame.to_csv(path, index=names is not None)
    return path


def test_a_head_that_numbers_the_columns_is_none_of_the_samples(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = digits.reshape(len(digits), -1)
    _table_of("rows.csv", range(64), rows)
    assert main(["rows.csv", "-k", "3", "--method", "SSC"]) == 0
    assert f"Read {len(rows)} samples" in capsys.readouterr().out
    assert "skiprows=1" in Path("rows-clusters/report.html").read_text()


def test_columns_are_those_of_the_model_in_their_order(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows, names = digits.reshape(len(digits), -1), [f"p{number}" for number in range(64)]
    _table_of("rows.csv", names, rows)
    assert main(["rows.csv", "-k", "3", "--method", "SSC"]) == 0
    assert main(["rows.csv", "--predict", "rows-clusters/model.skdeepsc"]) == 0
    _table_of("turned.csv", names[::-1], rows)
    assert main(["turned.csv", "--predict", "rows-clusters/model.skdeepsc"]) == 2
    assert "fitted on the columns p0, p1, p2, ..., p63, and these are p63, p62, p61, ..., p0" in capsys.readouterr().err


def test_missing_values_are_named_by_sample_and_column(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = digits.reshape(len(digits), -1).astype(float)
    rows[4, 2] = np.nan
    names = [f"p{number}" for number in range(64)]
    _table_of("rows.csv", names, rows)
    pd.DataFrame(rows, columns=names).to_parquet("rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        assert main([name, "-k", "3"]) == 2
        assert "1 value is missing, the first in column 'p2' of sample 4" in capsys.readouterr().err


def test_the_index_of_a_frame_has_names(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"pic {number}" for number in range(len(digits))]
    columns = [f"p{number}" for number in range(64)]
    pd.DataFrame(digits.reshape(len(digits), -1), index=names, columns=columns).to_parquet("rows.parquet")
    assert main(["rows.parquet", "-k", "3", "--method", "SSC"]) == 0
    assert [line["file"] for line in lines(Path("rows-clusters/clusters.csv"))] == names


def test_a_model_of_rows_and_too_many_clusters_are_refused_before_the_fit(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    skdeepsc.save(SSC(3, random_state=0).fit(digits.reshape(len(digits), -1)), "rows.skdeepsc")
    Path("pictures").mkdir()
    for number, image in enumerate(digits[:3]):
        Image.fromarray((image * 15).astype(np.uint8)).save(f"pictures/{number}.png")
    assert main(["pictures", "--predict", "rows.skdeepsc"]) == 2
    assert "The model was fitted on rows of 64 numbers" in capsys.readouterr().err
    assert main(["pictures", "-k", "4"]) == 2
    assert "There are 3 samples, fewer than 4 clusters: give a smaller -k" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_of_files_that_are_no_text_are_written(folder):
    for number, path in enumerate(folder.glob("*/<*")):
        path.rename(path.with_name(os.fsdecode(b"caf\xe9-%d.png" % number)))
    assert main([str(folder), "-k", "3", "--method", "SSC", "--copy"]) == 0
    out = folder.parent / "pics-clusters"
    assert all("caf\\udce9-" in line["file"] for line in lines(out / "clusters.csv"))
    assert "caf\\udce9-" in (out / "report.html").read_text(encoding="utf-8")
    assert len(list((out / "clusters").rglob("caf\u00e9-*.png"))) == 45
    assert all(Path(line["copied_to"]).is_file() for line in lines(out / "clusters.csv"))


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_pictures_whose_names_are_no_text_are_found_where_they_were_moved(folder):
    folder = folder.rename(folder.with_name(os.fsdecode(b"f\xe4ces")))
    first, second, *_ = sorted(folder.glob("*/*.png"))
    names = [b"\xff\xfe.png", b"\x81.png", b"\x8f.png", b"\xd0" * 200 + b"-1.png", b"\xd0" * 200 + b"-2.png"]
    for name in names:
        shutil.copy(first, folder / os.fsdecode(name))
    (folder / os.fsdecode(b"\xe9")).mkdir()
    second.rename(folder / os.fsdecode(b"\xe9/\xe9.png"))
    assert main([str(folder), "-k", "3", "--method", "SSC", "--move"]) == 0
    out = folder.parent / "f\u00e4ces-clusters"
    table = lines(out / "clusters.csv")
    assert len(table) == len({line["moved_to"] for line in table}) == 45 + len(names)
    assert {"\u00ff\u00fe.png", "\u00e9.png"} <= {Path(line["moved_to"]).name for line in table}
    assert pd.read_csv(out / "clusters.csv").shape[0] == len(table)  # It is plain text.
    code = html.unescape(re.search(r"<pre>(.*)</pre>", (out / "report.html").read_text(), re.DOTALL)[1])
    scope = {}
    exec(code, scope)
    assert scope["clusterer"].labels_.tolist() == [int(line["cluster"]) for line in table]


def test_the_typical_come_first_and_the_doubtful_last(digits):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(digits)
    found = find(fitted, digits)
    affinity = fitted.affinity_matrix_.toarray()
    for number, label in enumerate(fitted.labels_):
        links = [affinity[number, fitted.labels_ == k].sum() / affinity[number].sum() for k in range(3)]
        support = (fitted.predict_proba(digits)[number] + links) / 2
        assert found.support[number] == pytest.approx(support[label])
        assert found.second_support[number] == pytest.approx(max(np.delete(support, label)))
    for cluster, members in enumerate(found.members):
        assert sorted(members) == np.flatnonzero(fitted.labels_ == cluster).tolist()
        assert (np.diff(found.margin[members]) < 1e-5).all()
    doubtful = found.doubtful(5)
    assert found.margin[doubtful].max() <= np.delete(found.margin, doubtful).min()
    assert f"Of 1 view and {len(set(fitted.candidates_['subspace_dim']))} dimensions" in found.choice
    assert "“pixels”" in found.choice


def test_the_page_tells_what_samples_are_made_of_and_where_they_are(digits, tmp_path):
    fitted = SubspaceClustering("auto", views=["pixels"], random_state=0).fit(digits)
    found = find(fitted, digits)
    explained = [*(members[0] for members in found.members), *found.doubtful(24)]
    assert set(found.explanations) == set(map(int, explained))
    for number, explanation in found.explanations.items():
        own = fitted.explain(number, top=5)
        np.testing.assert_array_equal(explanation.indices, own.indices)
        np.testing.assert_allclose(explanation.weights, own.weights, atol=1e-6)
    assert found.n_clusters_scores == fitted.n_clusters_scores_
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert not Page(page).open
    assert f"Chosen: {fitted.n_clusters_} (large dot)" in page
    weight = found.explanations[int(found.doubtful(1)[0])].weights[0]
    assert f"{weight:+.2f}, cluster" in page
    dots = "".join(re.findall(r'<path fill="#\w+" fill-opacity="[.0-9]+" d="([^"]*)"', page))
    assert dots.count("M") == len(digits)
    # New samples are explained by pictures that are not there.
    assert not find(fitted, digits, is_fitted=False).explanations


def test_noise_is_told_as_such(digits, tmp_path):
    fitted = SubspaceClustering(3, views=["pixels"], noise=0.1, random_state=0).fit(digits)
    assert (fitted.labels_ == -1).any()
    found = find(fitted, digits)
    assert sorted(found.noise) == np.flatnonzero(fitted.labels_ == -1).tolist()
    assert not set(found.doubtful(45)) & set(found.noise)
    write_page(found, tmp_path / "noise.html")
    page = (tmp_path / "noise.html").read_text()
    assert f"Noise: {len(found.noise)} samples" in page
    assert f'</i><a href="#noise">noise</a></td><td>{len(found.noise)}</td>' in page
    assert "cluster -1" not in page
    names = [path.name for path in write_sheets(found, tmp_path)]
    assert names == ["cluster-0.png", "cluster-1.png", "cluster-2.png", "noise.png"]
    display = ContactSheetDisplay.from_estimator(fitted, digits)
    assert display.ax_.get_yticklabels()[-1].get_text() == f"noise  ({len(found.noise)})"
    assert display.shown_[-1].tolist() == found.noise.tolist()
    with pytest.raises(ValueError, match="labels must be one for each of 4 clusters; got 1"):
        ContactSheetDisplay(digits, display.members, labels=[0]).plot()


def test_noise_among_pictures_is_apart(folder):
    assert main([str(folder), "-k", "3", "--method", "SSC", "--noise", "0.2", "--copy"]) == 0
    out = folder.parent / "pics-clusters"
    noise = [Path(line["file"]) for line in lines(out / "clusters.csv") if line["cluster"] == "-1"]
    assert noise
    assert {path.name for path in image_files(out / "clusters/noise")} == {path.name for path in noise}
    assert (out / "sheets/noise.png").exists()
    assert "noise=0.2" in (out / "report.html").read_text()


# In a browser: it writes what is left of a page after a script has looked at it, and says what went wrong.

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="needs the browser chromium on the path")
LOOK = """\
<script>
for (const drawn of document.querySelectorAll("svg image")) {  // Only such images tell whether they were loaded.
  const copy = new Image();
  copy.src = drawn.getAttribute("href");
  document.body.append(copy);
}
addEventListener("load", () => {
  const keys = column => [...document.querySelectorAll(".doubtful tbody tr")].map(row => row.cells[column].dataset.key);
  const click = column => document.querySelectorAll(".doubtful th button")[column].click();
  const sorted = {};
  for (const column of [5, 0, 2]) for (const turn of ["up", "down"]) {
    click(column);
    sorted[column + turn] = keys(column);
  }
  const told = document.createElement("pre"), images = [...document.images];
  told.id = "told";
  told.textContent = JSON.stringify({n: images.length, sorted,
    broken: images.filter(image => !image.complete || !image.naturalWidth).length,
    asked: performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:")).length});
  document.body.append(told);
});
</script>
"""


def looked_at(page, tmp_path, width):
    """What the browser finds in a page, and its complaints."""
    (tmp_path / "looked.html").write_text(page.replace("</body>", f"{LOOK}</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--enable-logging=stderr", "--v=0", f"--window-size={width},1000"]
    command += ["--dump-dom", (tmp_path / "looked.html").as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', run.stdout, re.DOTALL)[1]))
    return told, [line for line in run.stderr.splitlines() if ":CONSOLE" in line]


@in_a_browser
def test_a_browser_shows_the_page_without_a_complaint_and_sorts_the_doubtful(digits, tmp_path):
    fitted = SubspaceClustering("auto", views=["pixels"], random_state=0).fit(digits)
    found = find(fitted, digits, [f"<b>{number}.png" for number in range(len(digits))])
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    told, complaints = looked_at(page, tmp_path, 1300)
    assert not complaints
    assert told["n"] > len(digits)
    assert not told["broken"]
    assert not told["asked"]
    n_rows = len(found.doubtful(24))
    assert n_rows > 1
    for column in "52":
        up, down = (list(map(float, told["sorted"][column + turn])) for turn in ("up", "down"))
        assert up == sorted(up)
        assert down == sorted(down, reverse=True)
        assert len(set(up)) > 1
    names = told["sorted"]["0up"]
    assert names == sorted(names, key=lambda name: int(name[3:-4])) == told["sorted"]["0down"][::-1]
    broken = page.replace("data:image/png;base64,iVBOR", "data:image/png;base64,iVBOX", 1)
    told, complaints = looked_at(broken.replace("const head", "const head of gone"), tmp_path, 1300)
    assert told["broken"] == 1
    assert len(complaints) == 1


def test_five_thousand_photographs_are_a_page_of_less_than_thirty_megabytes(tmp_path):
    random = np.random.RandomState(0)
    paths = [tmp_path / f"{number}.jpg" for number in range(100)]
    for path in paths:  # Noise is what compresses worst.
        Image.fromarray(random.randint(0, 256, (120, 160, 3), np.uint8)).save(path)
    cluster, n = np.arange(5000) % 100, 5000
    labels = {"cluster": cluster, "second": (cluster + 1) % 100}
    support = np.full(n, 0.6)
    explanation = {
        int(number): Explanation(int(number), 0, np.arange(5), np.full(5, 0.2), np.arange(5), np.ones(100) / 100)
        for number in range(124)
    }
    found = Findings(
        **labels,
        probability=support,
        second_probability=1 - support,
        support=support,
        second_support=1 - support,
        members=[np.flatnonzero(cluster == each) for each in range(100)],
        names=[f"{number}.jpg" for number in range(n)],
        pictures=[paths[number % 100] for number in range(n)],
        choice="Nothing.",
        points=random.normal(size=(n, 2)),
        explanations=explanation,
    )
    write_page(found, tmp_path / "large.html")
    assert 5e6 < (tmp_path / "large.html").stat().st_size < 30e6


def test_one_cluster_is_a_result_too(digits, tmp_path):
    found = find(SSC(1, random_state=0).fit(digits), digits, code="1 < 2")
    assert set(found.second) == {-1}
    write_table(found, tmp_path / "one.csv")
    write_page(found, tmp_path / "one.html")
    assert not Page((tmp_path / "one.html").read_text()).open
    assert "1 &lt; 2" in (tmp_path / "one.html").read_text()


def test_the_command_starts_quickly_and_helps():
    code = (
        "import sys, skdeepsc.__main__ as command; assert not {'torch', 'sklearn', 'PIL', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    help_ = subprocess.run([sys.executable, "-m", "skdeepsc", "--help"], capture_output=True, text=True, check=True)
    assert "FOLDER_OR_TABLE" in help_.stdout


def test_without_pillow_a_table_of_images_is_refused_before_the_fit(digits, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "images.npy", digits)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert main(["images.npy", "-k", "3", "--method", "SSC"]) == 2
    said = capsys.readouterr()
    assert "A page of images needs Pillow: pip install 'skdeepsc[images]'" in said.err
    assert "Clustering" not in said.out


def test_pictures_of_other_folders_are_not_moved_away(folder, digits):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    Image.fromarray(digits[0]).save(elsewhere / "theirs.png")
    (folder / "linked").symlink_to(elsewhere)
    assert main(["pics", "-k", "3", "--method", "SSC", "--move"]) == 0
    assert (elsewhere / "theirs.png").exists()
    assert len(list((folder.parent / "pics-clusters/clusters").rglob("theirs.png"))) == 1
    assert len(image_files(folder.parent / "pics-clusters/clusters")) == 46


def test_a_picture_that_vanishes_while_it_is_moved_is_kept(folder, monkeypatch):
    def elsewhere(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    first = next(folder.rglob("<i>*.png"))
    unlink = Path.unlink

    def gone(self, **how):
        unlink(self, **how)
        if self == first:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "rename", elsewhere)
    monkeypatch.setattr(Path, "unlink", gone)
    with pytest.raises(OSError, match="Input/output"):
        _move(first, Path("moved.png"))
    assert Path("moved.png").exists()


def test_a_model_cannot_have_the_name_of_a_folder_above_the_results(folder, capsys):
    for out, model in (("o1", "o1"), ("o2/x", "o2")):
        assert main(["pics", "--out", out, "--model", model]) == 2
        assert "choose another --model" in capsys.readouterr().err
    assert main(["x" * 300]) == 2
    assert "File name too long" in capsys.readouterr().err
