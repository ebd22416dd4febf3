"""The owner's help while a network trains: errors for its scores, or fresh weights; directly or through a folder."""
