"""Tables and figures: numbers in, DataFrame or Figure out."""
