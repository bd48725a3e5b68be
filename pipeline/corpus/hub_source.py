"""A Hugging Face dataset -> rows.

In: a HubSource, the columns.  Out: read_hub_rows().  Imports: datasets, only when it is called.
"""

from collections.abc import Iterator

from pipeline.corpus.row import Columns, Row, require_columns, require_text
from pipeline.corpus.task_config import HubSource
from teacher_cache.errors import UserError


def read_hub_rows(source: HubSource, columns: Columns) -> Iterator[Row]:
    """Rows of all `source.splits`, a list, one split after the other; class-label integers become their names.

    Raises:
        UserError: the library is not installed; the dataset cannot be had; a column is missing.
    """
    try:
        from datasets import ClassLabel, load_dataset
    except ImportError:
        raise UserError("a hub source must have the datasets library: pip install 'qdllm[teacher]'") from None
    for split in source.splits:
        try:
            data = load_dataset(source.dataset, name=source.name, revision=source.revision, split=split)
        except Exception as error:  # network, hub, cache and builder raise their own kinds, without a common base
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"dataset {source.dataset}, split {split}: must be readable, got {type(error).__name__}: {reason}; "
                "check the network, the name and, for a gated dataset, your access (hf auth login)"
            ) from None
        require_columns(f"dataset {source.dataset}", data.column_names, columns)
        feature = data.features[columns.label] if columns.label else None
        names = feature.names if isinstance(feature, ClassLabel) else []
        for number, content in enumerate(data.select_columns(columns.named), start=1):
            place = f"dataset {source.dataset} {split} row {number}"
            text, label, *others = (None if name is None else content[name] for name in columns)
            # The hub's unlabelled test splits carry -1, which is no class: left as it is, it is refused by its value.
            if isinstance(label, int) and 0 <= label < len(names):
                label = names[label]
            yield Row(place, require_text(place, text), label, *others)
