"""The search of the random views that suit the samples, without labels."""

from .._params import estimator
from ..features._contrastive import HasViews
from ..training.checkpoints import within

# Largest expected dimension of a subspace for which clusters are contrasted; of more, they keep their dimensions.
MOST_CONTRASTED = 2


@estimator
class ChoosesViews(HasViews):
    """A clusterer that learns with several augmentations and keeps the best.

    Attributes
    ----------
    augment_scores_ : dict of str to float
        What each policy was judged by, if several were tried.
    """

    def _policies(self, for_images, for_rows):
        """Augmentations to learn with: the one that is given, or those that are tried."""
        if not self._searches_views:
            return [self.augment]
        return list(for_images) if len(self.image_shape_) > 1 else [for_rows]

    def _choose_views(self, policies, learn, score, progress):
        """What was learnt with the policy of the highest score, of those that came before a callback ended the fit."""
        found = []
        for number, policy in enumerate(policies):
            if found and progress.stopped:
                break
            with within(f"views {number}"):
                found.append(learn(policy))
        scores = [score(*learnt) for learnt in found] if len(found) > 1 else [0.0]
        best = scores.index(max(scores))
        self.augment_ = policies[best]
        if len(found) > 1:
            self.augment_scores_ = dict(zip(policies, scores, strict=False))
        return found[best]
