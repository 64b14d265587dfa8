"""
Bodies that move
================

Points are tracked over the frames of a film, and those of each moving body are to be found. Under an affine camera, the
trajectories of the points of one rigid body, all coordinates of a point over all frames as one row, lie in an affine
subspace of three dimensions (Tomasi, Kanade 1992), which misses the origin. ``affine=True`` makes the coefficients of
a sample sum to 1, as that calls for, and looks for flats, however many points there are on each. The film is made here,
so that the true bodies are known; they are used for the scores and for nothing else.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from skdeepsc import SubspaceClustering
from skdeepsc.metrics import clustering_accuracy_score

N_FRAMES, N_POINTS = 20, (120, 60, 20)
generator = np.random.RandomState(0)

# %%
# Three bodies turn and drift, each in its own way, and overlap in the picture. A camera drops the third coordinate, and
# sees points .002 beside where they are.


def rotations(axis, speed):
    """Rotation matrices of all frames, shape (n_frames, 3, 3)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angles = speed * np.arange(N_FRAMES)[:, None, None]
    return np.eye(3) + np.sin(angles) * cross + (1 - np.cos(angles)) * cross @ cross


def trajectories(n_points, centre, drift):
    """Tracked points of a body that turns about an axis drawn at random, shape (n_points, n_frames, 2)."""
    points = generator.uniform(-0.5, 0.5, size=(n_points, 3))
    turned = np.einsum("fij,nj->nfi", rotations(generator.normal(size=3), speed=0.04), points)
    return (turned + centre + np.arange(N_FRAMES)[:, None] * drift)[..., :2]


bodies = [
    ([0.0, 0.0, 0.0], [0.02, 0.0, 0.0]),
    ([0.3, 0.2, 0.0], [0.0, 0.02, 0.0]),
    ([0.1, -0.3, 0.0], [-0.01, -0.01, 0.0]),
]
tracks = np.concatenate(
    [trajectories(n_points, *map(np.array, body)) for n_points, body in zip(N_POINTS, bodies, strict=True)]
)
tracks += 0.002 * generator.normal(size=tracks.shape)
truth = np.repeat(np.arange(3), N_POINTS)

# %%
# One row a point. Nothing has to be set but the number of bodies.

X = tracks.reshape(len(tracks), -1)
found = {affine: SubspaceClustering(3, affine=affine, random_state=0).fit(X) for affine in (True, False)}
for affine, clustering in found.items():
    print(f"affine={affine}: accuracy {clustering_accuracy_score(truth, clustering.labels_):.3f}")

# %%
# A point and its explanation: what expresses it moves with it.

print(found[True].explain(0))

# %%
# The first frame, with the way that each point goes.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharex=True, sharey=True, layout="constrained")
for ax, (affine, clustering) in zip(axes, found.items(), strict=True):
    for track, label in zip(tracks, clustering.labels_, strict=True):
        ax.plot(*track.T, color=f"C{label}", linewidth=0.8, alpha=0.6)
        ax.plot(*track[0], ".", color=f"C{label}")
    accuracy = clustering_accuracy_score(truth, clustering.labels_)
    ax.set_title(f"affine={affine}, accuracy {accuracy:.2f}")
    ax.set_aspect("equal")
plt.show()
