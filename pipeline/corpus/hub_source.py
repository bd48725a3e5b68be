"""A Hugging Face dataset -> rows.

In: a HubSource.  Out: read_hub_rows().  Imports: datasets, only when it is called.
"""

from collections.abc import Iterator

from pipeline.corpus.row import Row, quote, require_columns
from pipeline.corpus.task_config import HubSource
from teacher_cache.errors import UserError


def read_hub_rows(source: HubSource) -> Iterator[Row]:
    """Rows of all `source.splits`, one split after the other; class-label integers become their names.

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
        require_columns(f"dataset {source.dataset}", data.column_names, source.text, source.label)
        feature = data.features[source.label]
        names = feature.names if isinstance(feature, ClassLabel) else []
        columns = data.select_columns([source.text, source.label])
        for number, content in enumerate(columns, start=1):
            place = f"dataset {source.dataset} {split} row {number}"
            text, label = content[source.text], content[source.label]
            if text is not None and not isinstance(text, str):
                raise UserError(f"{place}: text must be a string, got {quote(text)}")
            # The hub's unlabelled test splits carry -1, which is no class: left as it is, it is refused by its value.
            known = isinstance(label, int) and 0 <= label < len(names)
            yield Row(place, text, names[label] if known else label)
