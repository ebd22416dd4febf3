"""The jobs behind the make targets, and what they share.

    linear, twin, helped, columns     the network that most jobs train, its clear twin, the owner's help, columns of tables
    console, results                  what a job reads from its command line, where it writes, what it says at the end
    own_process                       runs in a process each, and kept
    table_three, small_reviews, ckks_cases     settings that several jobs share
    drawing                                    which pictures are drawn from which tables

Every module with a `main` is a job: `python -m encnn.experiments` lists them.  No job imports another one.
"""
