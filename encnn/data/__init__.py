"""Plain data: features and labels, mini-batches, the accuracy of a run, and the reviews."""

from encnn.data.inputs import Features, features_of, labels_of, mapped_labels

__all__ = ["Features", "features_of", "labels_of", "mapped_labels"]
