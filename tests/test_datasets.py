"""Sets of the papers, from stand-ins of the same form: nothing is loaded from the network."""

import hashlib
import inspect
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scipy import sparse
from sklearn.utils import Bunch

from skdeepsc import datasets
from skdeepsc.datasets import _fetched, _papers

# The number at OpenML, the shape of an image, the values, and labels as OpenML has them: strings.
SETS = {
    "fetch_mnist": (554, (28, 28), (0, 255), range(10)),
    "fetch_fashion_mnist": (40996, (28, 28), (0, 255), range(10)),
    "fetch_usps": (41082, (16, 16), (-1, 1), range(1, 11)),
    "fetch_umist": (41084, (112, 92), (0, 255), range(1, 21)),
    "fetch_coil20": (46783, (32, 32), (0, 1), range(1, 21)),
}


def shades(n, height, width):
    """Smooth images, brighter from left to right, differently steep; the last value of each is the largest."""
    steps = np.arange(height)[:, None] + 3 * np.arange(width)
    return np.array([np.rint(255 * (steps / steps.max()) ** (1 + i / n)) for i in range(n)])


@pytest.mark.parametrize("name", SETS)
def test_sets_of_openml_become_images(name, monkeypatch, tmp_path):
    data_id, shape, (low, high), classes = SETS[name]
    wanted = shades(30, *shape)
    labels = np.array([str(classes[i % len(classes)]) for i in range(30)], dtype=object)
    asked = []

    def fetch_openml(**arguments):
        asked.append(arguments)
        rows = wanted.reshape(30, -1) / 255 * (high - low) + low
        return Bunch(data=rows, target=labels, DESCR="as told")

    monkeypatch.setattr(_fetched, "fetch_openml", fetch_openml)
    bunch = getattr(datasets, name)(data_home=tmp_path)
    assert [(one["data_id"], one["data_home"], one["as_frame"]) for one in asked] == [(data_id, tmp_path, False)]
    assert bunch.images.dtype == np.uint8
    np.testing.assert_array_equal(bunch.images, wanted)
    assert bunch.target.dtype == np.int64
    assert bunch.target.tolist() == [i % len(classes) for i in range(30)]
    assert len(bunch.target_names) == len(classes)
    assert bunch.DESCR == "as told"
    X, y = getattr(datasets, name)(return_X_y=True)
    np.testing.assert_array_equal(X, bunch.images)
    np.testing.assert_array_equal(y, bunch.target)
    assert getattr(datasets, name).__name__ in datasets.__all__
    assert set(inspect.signature(getattr(datasets, name)).parameters) == {"data_home", "return_X_y"}


@pytest.fixture
def served(monkeypatch):
    """USPS as OpenML serves it, from this machine: 20 images, and the text of their file, which may be changed."""
    wanted = shades(20, 16, 16)
    values = np.round(wanted / 127.5 - 1, 6)
    classes = [str(1 + i % 10) for i in range(20)]
    head = ["@RELATION usps", *(f"@ATTRIBUTE v{i} REAL" for i in range(256)), "@ATTRIBUTE int0 {1,2,3,4,5,6,7,8,9,10}"]
    rows = [",".join([*map(str, row), label]) for row, label in zip(values.reshape(20, -1), classes, strict=True)]
    files = {"file": "\n".join([*head, "@DATA", *rows, ""]).encode()}

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            body = files[self.path.strip("/").split("/")[0]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        home = f"http://127.0.0.1:{server.server_port}"
        told = {"data_type": "numeric", "is_target": "false", "is_ignore": "false", "is_row_identifier": "false"} | {
            "number_of_missing_values": "0"
        }
        target = told | {"name": "int0", "data_type": "nominal", "is_target": "true", "index": "256"}
        features = [told | {"name": f"v{i}", "index": str(i)} for i in range(256)]
        about = {"id": "41082", "name": "USPS", "version": "1", "status": "active", "format": "ARFF"}
        about |= {"url": f"{home}/file", "md5_checksum": hashlib.md5(files["file"]).hexdigest(), "description": "told"}
        files["about"] = json.dumps({"data_set_description": about}).encode()
        files["features"] = json.dumps({"data_features": {"feature": [*features, target]}}).encode()
        quality = [{"name": "NumberOfInstances", "value": "20.0"}]
        files["qualities"] = json.dumps({"data_qualities": {"quality": quality}}).encode()
        for name, part in {"INFO": "about", "FEATURES": "features", "QUALITIES": "qualities"}.items():
            monkeypatch.setattr(f"sklearn.datasets._openml._DATA_{name}", f"{home}/{part}/{{}}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield wanted, files
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("has_pandas", [True, False])
def test_sets_come_from_a_server_and_are_kept(served, tmp_path, monkeypatch, has_pandas):
    wanted, files = served
    monkeypatch.setattr(_fetched, "find_spec", lambda name: has_pandas or None)
    bunch = datasets.fetch_usps(data_home=tmp_path)
    np.testing.assert_array_equal(bunch.images, wanted)
    assert bunch.target.tolist() == [i % 10 for i in range(20)]
    files.clear()
    np.testing.assert_array_equal(datasets.fetch_usps(data_home=tmp_path).images, wanted)


@pytest.mark.filterwarnings("ignore:Invalid cache")
def test_what_has_another_checksum_is_refused(served, tmp_path):
    _, files = served
    files["file"] = files["file"].replace(b"-1.0", b"-0.9", 1)
    with pytest.raises(ValueError, match="md5 checksum"):
        datasets.fetch_usps(data_home=tmp_path)


def test_images_stored_by_columns_are_put_upright_and_odd_sets_are_refused(monkeypatch):
    wanted = shades(20, 112, 92)
    stored = Bunch(data=wanted.transpose(0, 2, 1).reshape(20, -1), target=np.arange(20).astype(str), DESCR="")
    monkeypatch.setattr(_fetched, "fetch_openml", lambda **_: stored)
    np.testing.assert_array_equal(datasets.fetch_umist().images, wanted)
    with pytest.raises(ValueError, match=r"Images of \(28, 28\) were expected; rows have 10304 features"):
        datasets.fetch_mnist()
    stored.data = np.zeros((20, 256))
    with pytest.raises(ValueError, match="10 classes were expected; there are 20"):
        datasets.fetch_usps()


def test_olivetti_is_scikit_learns(monkeypatch):
    wanted = shades(40, 64, 64)
    faces = Bunch(data=(wanted / 255).reshape(40, -1).astype(np.float32), target=np.arange(40), DESCR="faces")
    monkeypatch.setattr(_fetched, "fetch_olivetti_faces", lambda data_home: faces)
    bunch = datasets.fetch_olivetti()
    np.testing.assert_array_equal(bunch.images, wanted)
    assert bunch.target.tolist() == list(range(40))


def test_words_of_rcv1_follow_the_recipe(monkeypatch):
    generator = np.random.RandomState(0)
    names = np.array(["C1", "CCAT", "ECAT", "G2", "GCAT", "MCAT"])
    belongs = generator.uniform(size=(60, 6)) < 0.4
    tf_idf = sparse.random(60, 30, density=0.3, format="csr", random_state=0)
    news = Bunch(data=tf_idf, target=sparse.csr_matrix(belongs), target_names=names, sample_id=1000 + np.arange(60))
    monkeypatch.setattr(_papers, "fetch_rcv1", lambda data_home: news)
    bunch = datasets.load_rcv1_words(n_samples=12, n_words=7)

    single = [i for i in range(60) if belongs[i, [1, 2, 4, 5]].sum() == 1]
    heaviest = np.argsort(-tf_idf.toarray()[single].sum(axis=0))[:7]
    assert bunch.words.tolist() == sorted(heaviest)
    rows = (bunch.sample_id - 1000).tolist()
    assert len(set(rows)) == 12
    assert set(rows) <= set(single)
    np.testing.assert_array_equal(bunch.data.toarray(), tf_idf.toarray()[np.ix_(rows, bunch.words)])
    assert bunch.target_names == ["CCAT", "ECAT", "GCAT", "MCAT"]
    assert [names[[1, 2, 4, 5]][t] for t in bunch.target] == [
        names[[1, 2, 4, 5]][belongs[i, [1, 2, 4, 5]]][0] for i in rows
    ]
    again = datasets.load_rcv1_words(n_samples=12, n_words=7, return_X_y=True)
    np.testing.assert_array_equal(again[1], bunch.target)
    assert datasets.load_rcv1_words(n_samples=12, random_state=1).sample_id.tolist() != bunch.sample_id.tolist()
    assert datasets.load_rcv1_words().data.shape == (len(single), 30)


def test_online_products_are_read_by_their_lists(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    lists = {
        "Ebay_train.txt": ["1 1 2 chair_final/7_0.JPG", "2 1 2 chair_final/7_1.JPG", "3 2 1 bicycle_final/9_0.JPG"],
        "Ebay_test.txt": ["4 11319 1 bicycle_final/8_0.JPG", "5 11320 2 chair_final/8_9.JPG"],
    }
    for name, lines in lists.items():
        (tmp_path / name).write_text("\n".join(["image_id class_id super_class_id path", *lines, ""]))
        for line in lines:
            number, *_, path = line.split()
            (tmp_path / path).parent.mkdir(exist_ok=True)
            Image.new("RGB", (50, 40), (20 * int(number),) * 3).save(tmp_path / path)
    (tmp_path / "chair_final/7_1.JPG").write_text("broken")
    with pytest.warns(UserWarning, match="1 of 5 files cannot be read"):
        bunch = datasets.load_online_products(tmp_path)
    assert bunch.images.shape == (4, 32, 32)
    assert bunch.images[:, 0, 0].tolist() == [20, 60, 80, 100]
    assert bunch.target.tolist() == [1, 0, 0, 1]
    assert bunch.target_names == ["bicycle", "chair"]
    assert bunch.products.tolist() == [1, 2, 11319, 11320]
    test = datasets.load_online_products(tmp_path, (8, 10), subset="test", color="rgb", fit="pad")
    assert test.images.shape == (2, 3, 8, 10)
    with pytest.raises(ValueError, match="subset='val' must be one of 'train', 'test', 'all'"):
        datasets.load_online_products(tmp_path, subset="val")
    with pytest.raises(FileNotFoundError, match=r"There is no list '.*Ebay_train.txt': give the unpacked folder"):
        datasets.load_online_products(tmp_path / "chair_final")


@pytest.mark.parametrize("name", ["n_samples", "n_features", "n_subspaces"])
def test_a_union_that_no_memory_holds_is_refused_at_once(name):
    with pytest.raises(MemoryError, match=r"A union of .* needs about"):
        datasets.make_union_of_subspaces(**{name: 10**30})
