import subprocess
import sys
from itertools import combinations, pairwise

import matplotlib
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepsc import EDSC, PSSC, SSC, AutoEncoder, SubspaceClustering
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.inspection import (
    AffinityDisplay,
    CandidatesDisplay,
    ClusterImagesDisplay,
    ContactSheetDisplay,
    ContingencyDisplay,
    DoubtfulDisplay,
    EmbeddingMapDisplay,
    ExplanationDisplay,
    HistoryDisplay,
    NumberOfClustersDisplay,
)
from skdeepsc.inspection._pictures import short, without_folders
from skdeepsc.inspection._standing import standing_of
from skdeepsc.inspection._style import color_of, marker_of
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.report import find

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def fitted(images):
    return PSSC(3, autoencoder=AutoEncoder(max_epochs=3), max_epochs=2, random_state=0).fit(images[0])


def test_scores_that_are_alike_look_alike():
    scores = {"edge_information": np.array([0.9, 0.9, 0.9]), "normalized_cut": np.array([0.1, 0.1, 0.1 + 1e-9])}
    candidates = {"view": np.array(["a", "b", "b"]), "subspace_dim": np.array([1.0, 1.0, 2.0]), **scores}
    display = CandidatesDisplay(candidates, np.eye(4), [0, 0, 1, 1]).plot()
    assert all(np.ptp(ax.get_ylim()) >= 0.0199 for ax in display.axes_[:2])
    assert display.axes_[0].get_title() == "a: 0.90, where 1 is all\nas much has b: 0.90"
    candidates["edge_information"][candidates["view"] == "b"] += 0.004
    title = CandidatesDisplay(candidates, np.eye(4), [0, 0, 1, 1]).plot().axes_[0].get_title()
    assert title == "a: 0.90, where 1 is all\nhardly more has b: 0.90"


def test_no_axes_are_refused():
    with pytest.raises(TypeError, match="ax must be matplotlib Axes"):
        AffinityDisplay(np.eye(4), [0, 0, 1, 1]).plot(ax=[])


def test_where_nothing_is_doubtful_that_is_said(images):
    rows = np.repeat(np.eye(2), 10, axis=0) + np.tile(np.eye(2) * 1e-6, (10, 1))
    display = DoubtfulDisplay.from_estimator(SSC(2, random_state=0).fit(rows), rows)
    assert not len(display.shown_)
    assert "For no sample" in display.ax_.texts[0].get_text()


def by_affinity_to_their_cluster(fitted):
    affinity = fitted.affinity_matrix_.toarray()
    np.fill_diagonal(affinity, 0)
    own = [affinity[row, fitted.labels_ == label].sum() for row, label in enumerate(fitted.labels_)]
    return sorted(range(len(own)), key=lambda row: (fitted.labels_[row], -own[row]))


def test_affinity_is_drawn_by_cluster_and_within_it_by_the_affinity_to_it(fitted):
    display = AffinityDisplay.from_estimator(fitted)
    order = by_affinity_to_their_cluster(fitted)
    drawn = np.asarray(display.image_.get_array())
    np.testing.assert_allclose(drawn, fitted.affinity_matrix_.toarray()[np.ix_(order, order)], atol=1e-7)
    sizes = [f"{label}  ({size})" for label, size in enumerate(np.bincount(fitted.labels_))]
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == sizes
    dense = AffinityDisplay(np.ones((4, 4)), [0, 0, 1, 1]).plot(ax=plt.gca(), cmap="gray")
    assert dense.ax_ is plt.gcf().axes[0]
    many = AffinityDisplay(np.eye(200), np.arange(200) // 2).plot()
    assert [text.get_text() for text in many.ax_.get_yticklabels()][:2] == ["0  (2)", "5  (2)"]


def test_large_affinities_are_drawn_as_means(fitted):
    order = by_affinity_to_their_cluster(fitted)
    affinity = fitted.affinity_matrix_.toarray()[np.ix_(order, order)]
    wanted = np.zeros((20, 20))
    for i in range(20):
        for j in range(20):
            block = affinity[3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            wanted[i, j] = block.sum() / (6 if i == j else 9)
    display = AffinityDisplay.from_estimator(fitted, max_size=20)
    np.testing.assert_allclose(np.asarray(display.image_.get_array()), wanted, atol=1e-7)


def test_every_cost_of_every_phase_is_drawn(fitted):
    display = HistoryDisplay.from_estimator(fitted)
    assert [ax.get_title() for ax in display.axes_] == ["pretrain", "head"]
    legend = {text.get_text().split(",")[0] for text in display.axes_[1].get_legend().get_texts()}
    assert legend == {"reconstruction", "locality", "expression", "graph", "label"}
    rows = [row for row in fitted.history_ if row["phase"] == "pretrain"]
    costs = np.array([row["reconstruction"] for row in rows])
    line = next(line for line in display.axes_[0].lines if line.get_label().startswith("reconstruction"))
    np.testing.assert_allclose(line.get_ydata(), costs / costs.max())
    assert line.get_label() == f"reconstruction, {costs.max():.2g}"
    plain = HistoryDisplay.from_estimator(fitted, relative=False, against="seconds").axes_[0].lines[0]
    np.testing.assert_allclose(plain.get_ydata(), costs)
    np.testing.assert_allclose(plain.get_xdata(), np.cumsum([row["seconds"] for row in rows]))
    with pytest.raises(ValueError, match="against"):
        HistoryDisplay(fitted.history_).plot(against="hours")
    with pytest.raises(ValueError, match="2 phases, but 1 axes"):
        HistoryDisplay(fitted.history_).plot(axes=[plt.gca()])
    with pytest.raises(ValueError, match="empty"):
        HistoryDisplay([]).plot()


def test_images_are_drawn_by_cluster(fitted, images):
    display = ClusterImagesDisplay.from_estimator(fitted, images[0], n_images=4)
    for cluster, shown in enumerate(display.shown_):
        assert len(shown) == 4
        assert set(fitted.labels_[shown]) == {cluster}
    colour = np.random.RandomState(0).uniform(size=(6, 3, 5, 5))
    drawn = ClusterImagesDisplay(colour, [0, 0, 1, 1, 2, 2]).plot(n_images=2)
    assert np.ptp(drawn.ax_.images[0].get_array(), axis=-1).any()
    assert [label.get_text() for label in drawn.ax_.get_yticklabels()] == ["0  (2)", "1  (2)", "2  (2)"]
    rows = images[0].reshape(60, -1)
    flat = PSSC(3, autoencoder=AutoEncoder(max_epochs=1), max_epochs=0, random_state=0).fit(rows)
    for draw in (ClusterImagesDisplay.from_estimator, ContactSheetDisplay.from_estimator):
        with pytest.raises(ValueError, match="give it image_shape"):
            draw(flat, rows)
    assert len(ClusterImagesDisplay.from_estimator(flat, rows, images=images[0]).shown_) == 3


class Counted:
    """Images, and which of them were asked for."""

    def __init__(self, images):
        self.images, self.asked = images, set()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        self.asked.add(number)
        return self.images[number]


def test_a_contact_sheet_has_the_typical_first_and_reads_only_what_it_shows(images):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    wanted, counted = find(fitted, images[0]).members, Counted(images[0])
    names = [f"{number}.png" for number in range(60)]
    display = ContactSheetDisplay.from_estimator(fitted, images[0], images=counted, names=names, n_images=5)
    for shown, members in zip(display.shown_, wanted, strict=True):
        assert shown.tolist() == [*members[:3], *members[-2:]]
    assert counted.asked == {0, *np.concatenate(display.shown_).tolist()}  # The first tells what they are.
    with pytest.raises(ValueError, match="'is_fitted' parameter"):
        ContactSheetDisplay.from_estimator(fitted, images[0], is_fitted="no")
    assert ContactSheetDisplay.from_estimator(fitted, images[0], n_images=10**30).figure_.get_figwidth() < 60
    written = [text.get_text() for text in display.ax_.texts]
    assert all(names[number] in written for number in np.concatenate(display.shown_))
    assert written.count("…") == 3
    sizes = [f"{cluster}  ({len(members)})" for cluster, members in enumerate(wanted)]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == sizes
    # The pictures are where they are said to be: the first of the second cluster, by its pixels.
    side, (height, width) = 56, images[0][0].shape
    row = display.ax_.images[0].get_array().shape[0] // 3
    corner = display.ax_.images[0].get_array()[row : row + side : side // height, : side : side // width, 0]
    image = images[0][wanted[1][0]]
    np.testing.assert_allclose(corner, (image - image.min()) / np.ptp(image) * 255, atol=0.51)


def test_a_hundred_clusters_are_five_pages():
    images = np.zeros((200, 4, 4), dtype=np.uint8)
    members = np.arange(200).reshape(100, 2)
    display = ContactSheetDisplay(images, members).plot(page=4)
    assert display.n_pages_ == 5
    assert np.concatenate(display.shown_).tolist() == list(range(160, 200))
    assert "page 5 of 5" in display.ax_.get_title(loc="left")
    with pytest.raises(ValueError, match="page=5 must be less than n_pages_, 5"):
        display.plot(page=5)


def test_the_doubtful_are_shown_beside_both_clusters_and_what_expresses_them(images):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    found = find(fitted, images[0])
    display = DoubtfulDisplay.from_estimator(fitted, images[0], n_samples=4)
    assert display.shown_.tolist() == found.doubtful(4).tolist()
    written = [text.get_text() for text in display.ax_.texts]
    for number in display.shown_:
        explanation = fitted.explain(int(number), top=5)
        assert f"sample {number}" in written
        assert f"cluster {found.second[number]}: {found.second_support[number]:.2f}" in written
        assert f"{explanation.weights[0]:+.2f}, in {explanation.labels[0]}" in written
    bars = DoubtfulDisplay(display.standing).plot(n_samples=4)
    widths = [bar.get_width() for bar in bars.ax_.patches]
    assert widths == [support[number] for number in display.shown_ for support in (found.support, found.second_support)]


def test_a_sample_is_drawn_as_the_sum_of_those_that_express_it(images):
    fitted = SubspaceClustering(3, views=["pixels"], subsample=40, random_state=0).fit(images[0])
    beyond = int(np.setdiff1d(np.arange(60), fitted.sample_indices_)[0])
    for number in (int(fitted.sample_indices_[3]), beyond):
        display = ExplanationDisplay.from_estimator(fitted, images[0], number, n_terms=3)
        assert display.explanation.sample == number
        assert number not in display.explanation.indices
        written = " ".join(text.get_text() for text in display.ax_.texts)
        for index, weight in zip(display.explanation.indices[:3], display.explanation.weights[:3], strict=True):
            assert f"sample {index}\n" in written
            assert f"{weight:.2f}" in written
        assert f"+ {len(display.explanation.indices) - 3} more" in written.replace("\n", " ")
    bars = ExplanationDisplay(display.explanation).plot(n_terms=3)
    assert [bar.get_width() for bar in bars.ax_.patches] == display.explanation.weights[:3].tolist()
    for number in (60, -1, "a"):
        with pytest.raises(ValueError, match="i must be the number of a training sample, 0 to 59"):
            ExplanationDisplay.from_estimator(fitted, images[0], number)


def test_a_new_sample_is_drawn_as_the_sum_of_training_samples(images):
    X, new = images[0][:55], images[0][55:]
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(X)
    display = ExplanationDisplay.from_estimator(fitted, X, 2, X_new=new)
    wanted = fitted.explain(X=new[2:3])[0]
    assert display.explanation.sample is None
    np.testing.assert_array_equal(display.explanation.weights, wanted.weights)
    assert "a new sample\n" in " ".join(text.get_text() for text in display.ax_.texts)
    without = ExplanationDisplay(wanted, X).plot()
    drawn, blank = (each.ax_.images[0].get_array() for each in (display, without))
    own = slice(None), slice(0, 112)  # The place of the new sample; beside it the others are the same.
    assert (blank[own] == 255).all()
    assert (drawn[own] < 255).any()
    np.testing.assert_array_equal(drawn[:, 112:], blank[:, 112:])
    bars = ExplanationDisplay(wanted, name="mine.png").plot()
    assert bars.ax_.get_title().startswith("mine.png, cluster")
    with pytest.raises(ValueError, match="i must be the number of a new sample, 0 to 4"):
        ExplanationDisplay.from_estimator(fitted, X, 5, X_new=new)


@pytest.mark.filterwarnings("ignore:Tensorflow not installed")  # umap-learn's, at import.
def test_umap_makes_the_same_map_again_of_many_samples_and_of_few(images):
    pytest.importorskip("umap")
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    points, again, linear = (
        EmbeddingMapDisplay.from_estimator(fitted, images[0], projection=projection).points
        for projection in ("umap", "umap", "pca")
    )
    np.testing.assert_array_equal(points, again)
    assert silhouette_score(points, fitted.labels_) > silhouette_score(linear, fitted.labels_)
    for n_samples in (3, 4, 12):
        few = SSC(2, random_state=0).fit(images[0][:n_samples])
        display = EmbeddingMapDisplay.from_estimator(few, images[0][:n_samples], projection="umap")
        assert display.points.shape == (n_samples, 2)
        assert np.isfinite(display.points).all()


def test_no_picture_on_the_map_covers_another(images):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    display = EmbeddingMapDisplay.from_estimator(fitted, images[0])
    display.figure_.canvas.draw()
    boxes = [artist.get_window_extent() for artist in display.ax_.artists]
    assert 5 < len(boxes) == len(display.shown_) < 60
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    assert sum(len(part.get_offsets()) for part in display.ax_.collections) == 60
    rows = images[0].reshape(60, -1)
    assert not len(EmbeddingMapDisplay.from_estimator(SSC(3, random_state=0).fit(rows), rows).shown_)
    fixed = EmbeddingMapDisplay.from_estimator(fitted, images[0], projection=PCA(3, random_state=0))
    np.testing.assert_allclose(np.abs(fixed.points), np.abs(display.points), atol=1e-4)
    wrong = (("tsne", "must be 'pca', 'umap' or"), (PCA(1), "must make two columns"), ([], "must be 'pca'"))
    for projection, message in wrong:
        with pytest.raises((TypeError, ValueError), match=message):
            EmbeddingMapDisplay.from_estimator(fitted, images[0], projection=projection)


def texts_of(display):
    return [(text.get_text(), text.get_window_extent()) for text in display.ax_.texts]


@pytest.mark.parametrize("n_clusters", [3, 8, 20, 100])
def test_each_picture_on_the_map_has_its_cluster_by_colour_or_number(n_clusters):
    random_state = np.random.RandomState(0)
    labels = random_state.randint(-1, n_clusters, size=1000)
    points = 3 * random_state.normal(size=(n_clusters + 1, 2))[labels] + random_state.normal(size=(1000, 2))
    display = EmbeddingMapDisplay(points, labels, np.zeros((1000, 8, 8))).plot()
    display.figure_.canvas.draw()
    texts = texts_of(display)
    if n_clusters == 3:
        assert sorted(text for text, _ in texts) == ["0", "1", "2"]
        return
    shown = labels[display.shown_].tolist()
    assert [text for text, _ in texts] == ["noise" if label == -1 else str(label) for label in shown]
    for _, box in texts:
        for artist in display.ax_.artists:
            assert not box.padded(-3).overlaps(artist.get_window_extent())


def test_of_many_clusters_without_pictures_the_largest_are_named():
    random_state = np.random.RandomState(0)
    labels = np.repeat(np.arange(100), np.arange(100, 0, -1))
    points = 9 * random_state.uniform(size=(100, 2))[labels] + random_state.normal(size=(len(labels), 2))
    display = EmbeddingMapDisplay(points, labels).plot()
    display.figure_.canvas.draw()
    texts = texts_of(display)
    assert 20 < len(texts) < 100
    assert texts[0][0] == "0"
    assert not any(one.padded(-1).overlaps(other) for (_, one), (_, other) in combinations(texts, 2))
    assert len(texts_of(EmbeddingMapDisplay(points, labels % 20).plot())) == 20


def test_every_marker_on_the_map_is_seen_however_small():
    points = np.random.RandomState(0).uniform(size=(4000, 2))
    figure, ax = plt.subplots(figsize=(4, 4), dpi=70)
    EmbeddingMapDisplay(points, np.repeat([5], 4000)).plot(ax=ax)  # A small cross.
    for text in ax.texts:
        text.remove()
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    assert (np.ptp(drawn, axis=2) > 20).mean() > 0.05


def test_the_contingency_has_matches_on_the_diagonal_and_noise_last():
    true = np.repeat(["a", "b", "c"], 4)
    pred = np.array([-1, 2, 2, 2, 5, 0, 0, 0, 1, 1, 5, 5])
    display = ContingencyDisplay(true, pred).plot()
    assert display.clusters_ == [2, 0, 1, 5, -1] or display.clusters_ == [2, 0, 5, 1, -1]
    wanted = [[((true == label) & (pred == cluster)).sum() for cluster in display.clusters_] for label in "abc"]
    assert display.table_.tolist() == wanted
    assert f"{clustering_accuracy_score(true, pred):.1%}\n12 samples" in display.ax_.get_title()
    assert display.ax_.get_xticklabels()[-1].get_text() == "noise"


@pytest.mark.parametrize(("n_labels", "n_clusters"), [(3, 3), (10, 20), (10, 100), (3, 100), (100, 3), (100, 100)])
def test_a_contingency_of_any_shape_is_read_at_a_glance(n_labels, n_clusters):
    random_state = np.random.RandomState(0)
    true = np.array([f"species number {number}" for number in range(n_labels)])[np.arange(1000) % n_labels]
    pred = np.r_[np.arange(n_clusters), random_state.randint(n_clusters, size=1000 - n_clusters)]
    display = ContingencyDisplay.from_predictions(true, pred)
    given = plt.subplots(figsize=(5, 4))[1]
    for drawn in (display, ContingencyDisplay.from_predictions(true, pred, ax=given)):
        drawn.figure_.canvas.draw()
        (image,) = drawn.ax_.images
        assert image.norm.vmax == (drawn.table_ / drawn.table_.sum(axis=1, keepdims=True)).max()
        for axis, low, high in ((drawn.ax_.yaxis, "y0", "y1"), (drawn.ax_.xaxis, "x0", "x1")):
            texts = axis.get_ticklabels()
            boxes = sorted((text.get_window_extent() for text in texts), key=lambda box, low=low: getattr(box, low))
            assert all(getattr(one, high) < getattr(two, low) + 1 for one, two in pairwise(boxes))
            assert len(texts) > 2
    cells = display.ax_.get_window_extent().size / display.figure_.dpi / display.table_.shape[::-1]
    assert min(cells) > 0.05
    assert (cells * np.minimum(display.table_.shape[::-1], 20)).min() > 1
    assert shows_all(display)


def test_the_chosen_number_of_clusters_is_marked_with_those_that_are_nearly_as_good(images):
    display = NumberOfClustersDisplay({2: 0.5, 3: 1.0, 4: 0.96, 5: 0.94}).plot()
    assert display.nearly_ == [4]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["within 5% of the best", "chosen: 3"]
    assert display.plot(tolerance=0.06).nearly_ == [4, 5]
    assert NumberOfClustersDisplay({2: -0.5, 3: -0.1}, 1).plot().nearly_ == []
    fitted = SubspaceClustering("auto", views=["pixels"], random_state=0).fit(images[0])
    drawn = NumberOfClustersDisplay.from_estimator(fitted)
    assert drawn.ax_.lines[0].get_xdata().tolist() == sorted(fitted.n_clusters_scores_)
    with pytest.raises(ValueError, match="n_clusters=3 was given"):
        NumberOfClustersDisplay.from_estimator(SubspaceClustering(3, views=["pixels"]).fit(images[0]))


def test_pipelines_are_drawn_by_what_their_last_step_sees(images):
    rows = images[0].reshape(60, -1)
    pipeline = make_pipeline(StandardScaler(), SubspaceClustering(3, image_shape=(8, 8), random_state=0)).fit(rows)
    assert find(pipeline, rows).cluster.tolist() == pipeline[-1].labels_.tolist()
    for display in (ContactSheetDisplay, DoubtfulDisplay, ClusterImagesDisplay):
        drawn = display.from_estimator(pipeline, rows)
        assert drawn.ax_.images
    AffinityDisplay.from_estimator(pipeline)
    assert ExplanationDisplay.from_estimator(pipeline, rows, 3).ax_.images
    assert len(EmbeddingMapDisplay.from_estimator(pipeline, rows).shown_)
    table = ContingencyDisplay.from_estimator(pipeline, rows, images[1]).table_
    assert table.sum(axis=0).max() == np.bincount(pipeline[-1].labels_).max()


def test_no_two_of_a_hundred_clusters_look_the_same():
    assert len({(color_of(cluster), marker_of(cluster)) for cluster in range(-1, 100)}) == 101


def test_displays_say_how_to_get_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None\n"
        "from skdeepsc.inspection import HistoryDisplay\n"
        "try: HistoryDisplay([{'phase': 'a', 'epoch': 1, 'loss': 1.0}]).plot()\n"
        "except ImportError as error: assert 'skdeepsc[plot]' in str(error)\n"
        "else: raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_sample_does_not_vote_for_itself_by_its_affinity():
    X = make_union_of_subspaces(60, 12, noise=0.1, random_state=0)[0]
    clusterer = EDSC(3, affinity="row_normalized", random_state=0).fit(X)
    affinity, labels = clusterer.affinity_matrix_.copy(), clusterer.labels_
    assert affinity.diagonal().min() > 0
    np.fill_diagonal(affinity, 0)
    shares = np.stack([affinity[:, labels == k].sum(axis=1) for k in range(3)], axis=1) / affinity.sum(1)[:, None]
    support = (clusterer.predict_proba(X) + shares) / 2
    np.testing.assert_allclose(standing_of(clusterer, X).support, support[np.arange(60), labels], rtol=1e-6)


def shows_all(display):
    """Whether every text of a figure lies within it."""
    figure = display.figure_
    figure.canvas.draw()
    whole = figure.bbox.padded(1)
    found = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in found]
    return all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1 for box in boxes)


def test_names_with_a_dollar_are_no_formulas(images):
    """Which matplotlib would read, and refuse where they are none."""
    images, _ = images
    names = [f"a/${number}^_{{" for number in range(len(images))]
    clusterer = SubspaceClustering(3, views=[("$x^_{", PCA(4))], random_state=0).fit(images)
    rows = images.reshape(len(images), -1)
    of_rows = SSC(3, random_state=0).fit(rows)
    for display in (
        ContactSheetDisplay.from_estimator(clusterer, images, names=names),
        DoubtfulDisplay.from_estimator(clusterer, images, names=names),
        DoubtfulDisplay.from_estimator(of_rows, rows, names=names),
        ExplanationDisplay.from_estimator(clusterer, images, 3, names=names),
        ExplanationDisplay.from_estimator(of_rows, rows, 3, names=names),
        ContingencyDisplay.from_predictions(["a$^_$", "x"], [0, 1]),
        AffinityDisplay(np.eye(2), ["a$^_$", "x"]).plot(),
        CandidatesDisplay.from_estimator(clusterer),
    ):
        display.figure_.canvas.draw()


def test_names_keep_the_folders_that_tell_them_apart():
    assert without_folders(["/data/run/a.png", "/data/run/b.png"]) == ["a.png", "b.png"]
    assert without_folders(["run/plate_3/image.png", "run/plate_4/image.png"]) == [
        "plate_3/image.png",
        "plate_4/image.png",
    ]
    assert without_folders(["control/2 mg/l", "treated/2 mg/l"]) == ["control/2 mg/l", "treated/2 mg/l"]
    assert without_folders(["2 mg/l", "4 mg/l", ""]) == ["2 mg/l", "4 mg/l", ""]
    assert short("plate_3/image.png", 11) == "..image.png"
    assert short("two\nlines") == "two lines"


def test_titles_and_names_fit_the_figure(images):
    images, _ = images
    species = np.array(["Iris setosa subsp. alpina", "Iris versicolor", "Iris virginica"])
    which = np.arange(60) % 3
    many = np.r_[np.zeros(500, dtype=int), np.arange(1, 30)]
    for display in (
        ContingencyDisplay.from_predictions(species[which], species[which]),
        ContingencyDisplay.from_predictions(species[which], which),
        ContingencyDisplay.from_predictions(np.zeros(20_000), np.zeros(20_000)),
        ClusterImagesDisplay(np.repeat(images, 2, axis=0)[:60], np.arange(60)).plot(n_images=1),
        ContactSheetDisplay(images, [np.arange(9)]).plot(n_images=1),
        AffinityDisplay(np.ones((529, 529)), many).plot(),
    ):
        assert shows_all(display)


def test_names_of_small_clusters_are_left_out_rather_than_written_on_each_other():
    labels = np.r_[np.full(3, -1), np.zeros(500, dtype=int), np.arange(1, 30)]
    display = AffinityDisplay(np.ones((532, 532)), labels).plot()
    display.figure_.canvas.draw()
    texts = display.ax_.get_yticklabels()
    assert texts[0].get_text() == "noise  (3)"
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
    assert all(low.y1 < high.y0 + 1 for low, high in pairwise(boxes))
