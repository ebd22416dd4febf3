"""The jobs behind the make targets, and what they share."""
