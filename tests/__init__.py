"""A package of its own name on every machine: some distributions install a package `tests` beside theirs."""
