"""
PSSC against its paper
======================

PSSC on 150 images of handwritten digits, as it comes and with the settings of its paper for MNIST. Both start from the
same auto-encoder. They differ in how the coefficients C are found, in the joint training, and in the affinity that is
made of C. The true digits are used for the scores in the table and for nothing else.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from skdeepsc import PSSC, AutoEncoder, paper_settings
from skdeepsc.inspection import AffinityDisplay
from skdeepsc.metrics import clustering_accuracy_score

images, digits = load_digits().images[:150], load_digits().target[:150]

# %%
# The paper's network halves images of 28 x 28 three times; of images of 8 x 8 it would leave a single position. So the
# paper's settings, too, get the package's network here, which is trained once.

settings = paper_settings("pssc", "mnist1000")
print("the paper's network:", settings.pop("autoencoder"))
for name, value in settings.items():
    print(f"{name:22}{value}")

pretrained = FrozenEstimator(AutoEncoder(max_epochs=60, random_state=0).fit(images))
found = {
    "as it comes": PSSC(10, autoencoder=pretrained, random_state=0).fit(images),
    "the paper's settings": PSSC(**settings, autoencoder=pretrained, random_state=0).fit(images),
}

# %%
# The affinity is the last step before spectral clustering, and `recluster` takes another one without fitting again.

affinities = {"top": None, "symmetric": None, "enhanced": settings["affinity_params"]}
print(f"\n{'accuracy':22}" + "".join(f"{name:>12}" for name in affinities))
for name, pssc in found.items():
    labellings = [pssc.recluster(images, affinity=to, affinity_params=params) for to, params in affinities.items()]
    print(f"{name:22}" + "".join(f"{clustering_accuracy_score(digits, labels):12.3f}" for labels in labellings))

# %%
# Each one's own affinity, with the images in the order of their clusters.

figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for ax, (name, pssc) in zip(axes, found.items(), strict=True):
    AffinityDisplay.from_estimator(pssc, ax=ax)
    ax.set_title(f"{name}: affinity={pssc.affinity!r}")
plt.show()
