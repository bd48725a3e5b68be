"""The stages of dvc.yaml, each a process of its own."""

import gc

# Imports and JAX's tracing make millions of objects that stay, and Python would look through them again and again: this
# spares a stage over a second of six to ten.
gc.set_threshold(200_000)
