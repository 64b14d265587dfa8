"""Share of the joint training of S2ConvSCN that its spectral clusterings take.

    python examples/benchmarks/segmentation.py

Images are drawn near a union of subspaces, as many and of as many classes as in the papers' sets. Every `--every`
epochs the present C is clustered, with all candidate labellings that the final step would look at. Both ways to C.
"""

import argparse

import torch

from skdeepsc import AutoEncoder, S2ConvSCN
from skdeepsc.datasets import make_union_of_subspaces

SIZE = 32
SETS = {"ORL": (400, 40), "MNIST-1000": (1000, 10), "COIL-20": (1440, 20), "Extended Yale B": (2414, 38)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", type=int, default=5, help="epochs between two segmentations")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    print(f"{'as many as':18}{'samples':>8}{'C':>9}{'epoch, s':>10}{'segmentation, s':>17}{'share':>8}")
    for name, (n_samples, n_clusters) in SETS.items():
        X, _ = make_union_of_subspaces(
            n_samples, SIZE**2, n_subspaces=n_clusters, subspace_dim=5, noise=0.5, random_state=0
        )
        for solver in ("ridge", "trained"):
            clustering = S2ConvSCN(
                n_clusters,
                image_shape=(SIZE, SIZE),
                solver=solver,
                autoencoder=AutoEncoder(max_epochs=5),
                classifier_epochs=5,
                max_epochs=options.epochs,
                segment_every=options.every,
                device=options.device,
                random_state=0,
            ).fit(X)
            joint = [row for row in clustering.history_ if row["phase"] == "finetune"]
            training = sum(row["seconds"] for row in joint)
            clusterings = [row["segmentation_seconds"] for row in joint if row["segmentation_seconds"] > 1e-3]
            share = sum(clusterings) / (sum(clusterings) + training)
            print(
                f"{name:18}{n_samples:8}{solver:>9}{training / len(joint):10.3f}"
                f"{sum(clusterings) / len(clusterings):17.3f}{share:8.1%}"
            )


if __name__ == "__main__":
    main()
