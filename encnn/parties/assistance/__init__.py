"""The owner's help in training: errors for scores, or fresh weights, passed directly or through a folder."""
