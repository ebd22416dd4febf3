"""Numbers in, tables and figures out."""
