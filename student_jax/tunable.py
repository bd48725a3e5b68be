"""Other values to try of a block's keys: the key `grid`, its settings, and what validation said of each.

In: a config with a grid.  Out: Tunable, Setting, Tuning, list_points(), set_values().  Imports: pydantic alone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field, replace
from itertools import product
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
T = TypeVar("T", bound="Tunable")


@dataclass(frozen=True, config=STRICT)
class Tunable:
    """A config that is tuned: `grid` has the block's keys with lists of values, every combination of which is tried.

    The block's own values are one of these, so that a key that somebody changes is never passed over. `FIXED` may not
    vary: losses of different weights cannot be compared, equally many seeds make a fair mean, and all engines compute
    the same.
    """

    FIXED: ClassVar[frozenset[str]] = frozenset({"grid", "loss", "seeds", "engine"})

    grid: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.grid:
            return
        settings = [set_values(self, point) for point in list_points(self.grid)]
        if replace(self, grid={}) not in settings:
            raise ValueError("grid: the values of its keys must have the block's own among them")


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Setting:
    """One point of a grid: its values by dotted key and what validation said, None where training came to no end.

    `calibrated_loss` is the loss that a temperature leaves, which chooses; None where there was no choice.
    """

    values: dict[str, Any]
    validation_loss: float | None
    validation_accuracy: Annotated[float, Field(ge=0, le=1)] | None
    calibrated_loss: float | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Tuning:
    """Every setting that was tried, and the place of the one that validation chose."""

    settings: Annotated[list[Setting], Field(min_length=1)]
    chosen: Annotated[int, Field(ge=0)]

    def __post_init__(self) -> None:
        if self.chosen >= len(self.settings):
            raise ValueError(f"chosen must be below {len(self.settings)}, got {self.chosen}")

    def list_edges(self) -> list[str]:
        """The keys of which the smallest or largest of three numbers or more was chosen: the best may lie beyond."""
        edges = []
        for key, value in self.settings[self.chosen].values.items():
            tried = [one.values[key] for one in self.settings]
            ordered = all(isinstance(one, int | float) for one in tried) and len(set(tried)) > 2
            if ordered and value in (min(tried), max(tried)):
                edges.append(key)
        return edges


def list_points(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of a grid's values, by dotted key, the last key varied first; of an empty grid, no value.

    Raises:
        ValueError: a key has no list of values.
    """
    axes = dict(_flatten(grid))
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def set_values(config: T, values: Mapping[str, Any]) -> T:
    """`config` without its grid and with `values`, by dotted key, checked as params.yaml is.

    Raises:
        ValueError: an unknown key, one that may not vary, or a value that breaks a rule.
    """
    content = asdict(config) | {"grid": {}}
    for key, value in values.items():
        block, (*levels, last) = content, key.split(".")
        for level in levels:
            block = block.get(level, {})
        if last not in block or key.split(".")[0] in config.FIXED:
            raise ValueError(f"grid.{key}: a grid must name keys of its block, and none of {sorted(config.FIXED)}")
        block[last] = value
    try:
        # By way of JSON, where strict mode takes numbers and lists as they are written.
        return TypeAdapter(type(config)).validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"grid.{key}: {first['msg']}, got {first['input']}") from None


def _flatten(grid: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    for key, value in grid.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value:
            yield f"{prefix}{key}", value
        else:
            raise ValueError(f"grid.{prefix}{key}: must be a list of values")
