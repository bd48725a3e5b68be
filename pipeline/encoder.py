"""The frozen encoder of features that need one; the only place where the student's side may meet torch.

In: EmbedConfig.  Out: find_encoder().
Imports: teacher_cache.teacher.capture.frozen_encoder where the features are of that kind.
"""

from typing import TYPE_CHECKING

from student_jax.config import EmbedConfig
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from teacher_cache.teacher.capture.frozen_encoder import FrozenEncoder


def find_encoder(config: EmbedConfig) -> "FrozenEncoder | None":
    """The encoder that `config` names, None for features without one.

    Raises:
        UserError: torch is not installed, or the checkpoint cannot be loaded.
    """
    if config.kind != "encoder":
        return None
    try:
        from teacher_cache.teacher.capture.frozen_encoder import load_encoder
    except ImportError as error:
        raise UserError(f"features of kind encoder need {error.name}: pip install 'qdllm[teacher]'") from None
    return load_encoder(config.checkpoint, config.revision, config.max_length)
