"""Which extra brings a library that is not there: the package's core answers texts and does nothing else.

In: the name of a module.  Out: EXTRAS, name_extra().  Imports: the standard library.
"""

# Each extra's libraries, as they are imported.
EXTRAS = {
    "pipeline": (
        *("dvc", "jinja2", "matplotlib", "psutil", "pyarrow", "ruamel", "scipy", "sklearn", "tabulate"),
        *("threadpoolctl", "tqdm"),
    ),
    "teacher": ("accelerate", "datasets", "peft", "torch", "transformers"),
    "student": ("flax", "jax", "jaxtyping", "optax", "pennylane", "tokenizers"),
    "serve": ("starlette", "uvicorn"),
}


def name_extra(module: str | None) -> str | None:
    """The extra that brings `module`, a dotted name; None where none does."""
    library = (module or "").partition(".")[0]
    return next((extra for extra, libraries in EXTRAS.items() if library in libraries), None)
