"""
Points that move together
=========================

Points of a rigid body, seen by a camera far away and tracked over some frames, lie in an affine subspace of three
dimensions: a row for each point, with its coordinates in all frames. Three bodies are told apart by their motions
alone.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.transform import Rotation

from skdeepsc import SSC
from skdeepsc.metrics import clustering_accuracy_score

rng = np.random.default_rng(1)
n_frames, n_points = 24, 40
time = np.linspace(0, 1, n_frames)[:, None]
body = np.repeat([0, 1, 2], n_points)
tracks = []
for _ in range(3):
    turns = Rotation.from_rotvec(time * rng.normal(0, 1, 3)).as_matrix()[:, :2]
    way = 0.3 * rng.normal(size=2) + time * 0.8 * rng.normal(size=2)
    points = rng.normal(0, 0.7, (n_points, 3))
    tracks.append(np.einsum("fij,nj->nfi", turns, points) + way)
tracks = np.concatenate(tracks) + 0.005 * rng.standard_normal((3 * n_points, n_frames, 2))
rows = tracks.reshape(len(tracks), -1)

# %%
# ``affine=True`` asks for coefficients that sum to 1. Without it, each affine subspace is taken for a linear one of one
# dimension more.

found = {}
for affine in (False, True):
    found[affine] = SSC(3, affine=affine, normalization="none", random_state=0).fit_predict(rows)
    print(f"affine={affine!s:7}{clustering_accuracy_score(body, found[affine]):.3f}")

# %%
# Tracks by cluster. No frame alone tells the bodies apart.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained", sharex=True, sharey=True)
for ax, labels, title in zip(axes, (np.zeros(len(rows), int), found[True]), ("tracks", "clusters"), strict=True):
    for track, label in zip(tracks, labels, strict=True):
        color = f"C{label}" if title == "clusters" else "grey"
        ax.plot(*track.T, color=color, linewidth=0.7)
        ax.plot(*track[-1], color=color, marker="os^"[label] if title == "clusters" else "o", markersize=4)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
plt.show()
