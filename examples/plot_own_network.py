"""
A network of one's own
======================

A deep clusterer has an auto-encoder, whose network may be any torch module with an encoder and a decoder. Here our own
is trained on 300 images of handwritten digits, once, and two methods start from it. The true digits are used for the
scores and for nothing else.
"""

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from torch import nn

from skdeepsc import PSSC, AutoEncoder, DSCNet
from skdeepsc.metrics import clustering_accuracy_score

images, digits = load_digits().images[:300], load_digits().target[:300]

# %%
# `network` takes a module, or whatever makes one from the shape of a sample, such as this class. Grey images have one
# channel. Codes reach the decoder as flat rows.


class Network(nn.Module):
    """Smooth activations, and a stride in the second layer only."""

    def __init__(self, shape):
        super().__init__()
        channels, height, width = shape
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 10, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(10, 20, 2, stride=2),
            nn.GELU(),
        )
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (20, height // 2, width // 2)),
            nn.ConvTranspose2d(20, 10, 2, stride=2),
            nn.GELU(),
            nn.Conv2d(10, channels, 3, padding=1),
        )


autoencoder = AutoEncoder(network=Network, max_epochs=60, random_state=0).fit(images)
codes = autoencoder.transform(images)
rebuilt = autoencoder.inverse_transform(codes)[:, 0]
error = np.square(rebuilt - images).sum() / np.square(images - images.mean(axis=0)).sum()
print(f"codes of {codes.shape[1]} values; error as a share of the mean image's: {error:.4f}")

# %%
# Frozen, the fitted auto-encoder is taken as it is. Each method trains a copy of its network further.

pretrained = FrozenEstimator(autoencoder)
print(f"\n{'':10}{'accuracy':>10}{'seconds':>9}")
pssc = PSSC(10, autoencoder=pretrained, max_epochs=40, random_state=0)
for method in (DSCNet(10, autoencoder=pretrained, random_state=0), pssc):
    start = time.perf_counter()
    accuracy = clustering_accuracy_score(digits, method.fit_predict(images))
    print(f"{type(method).__name__:10}{accuracy:10.3f}{time.perf_counter() - start:9.1f}")
print("the auto-encoder is what it was:", np.array_equal(codes, autoencoder.transform(images)))

# %%
# Images, and what the network makes of their codes.

plt.figure(figsize=(10, 2.2), layout="constrained")
plt.imshow(np.vstack([np.hstack(images[:10]), np.hstack(rebuilt[:10])]), cmap="gray_r")
plt.axis("off")
plt.show()
