"""Plain data: features and labels, mini-batches, how well a run did, and the reviews."""
