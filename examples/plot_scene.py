"""
A scene of many bands
=====================

Pixels of one material lie close to a subspace: light scales its spectrum, shadow tints it, and noise is added. A scene
made of four materials becomes rows, rows become clusters, and clusters become a map.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans

from skdeepsc import EnSC
from skdeepsc.datasets import pixels_of
from skdeepsc.metrics import clustering_accuracy_score

rng = np.random.default_rng(0)
n_bands, side = 60, 36
wave = np.linspace(0, 1, n_bands)
bumps = [np.exp(-(((wave - center) / width) ** 2)) for center, width in rng.uniform([0.1, 0.05], [0.9, 0.3], (8, 2))]
spectra = 0.2 + np.reshape(bumps, (4, 2, n_bands))

down, across = np.mgrid[:side, :side] / side
material = np.select([np.hypot(down - 0.3, across - 0.3) < 0.22, down + across > 1.3, down > 0.6], [1, 2, 3], 0)
light = rng.uniform(0.2, 1, (side, side, 1)) * np.array([1, 0.6]) * rng.uniform(0, 1, (side, side, 2))
scene = np.einsum("hwe,hweb->hwb", light, spectra[material]) + 0.01 * rng.standard_normal((side, side, n_bands))

# %%
# Brightness differs within a material more than spectra do between them, which is what k-means sees.

rows, to_map = pixels_of(scene)
found = {
    "k-means": KMeans(4, n_init=10, random_state=0).fit_predict(rows),
    "EnSC": EnSC(4, random_state=0).fit_predict(rows),
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
axes[0].imshow(np.clip(scene[:, :, [50, 30, 10]] / scene.max(), 0, 1))
axes[0].set_title("three of 60 bands")
axes[1].imshow(material, cmap="tab10", vmax=9, interpolation="none")
axes[1].set_title("materials")
for ax, (name, labels) in zip(axes[2:], found.items(), strict=True):
    accuracy = clustering_accuracy_score(material.ravel(), labels)
    ax.imshow(to_map(labels), cmap="tab10", vmax=9, interpolation="none")
    ax.set_title(f"{name}: {accuracy:.2f}")
    print(f"{name:8}{accuracy:.3f}")
for ax in axes:
    ax.set_axis_off()
plt.show()
