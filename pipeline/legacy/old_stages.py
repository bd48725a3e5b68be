"""Version 0.1's dvc.yaml -> this version's.

In: dvc.yaml, the template of `qdllm init`, init_stages.yaml: what that template was in version 0.1.
Out: carry_stages().  Imports: pipeline.params.
"""

from pathlib import Path
from typing import Any

from pipeline.params import read_yaml
from teacher_cache.errors import UserError

INIT_STAGES = Path(__file__).with_name("init_stages.yaml")
# What a stage depends on since then, in place of code or of the installed version.
NUMBERS = "versions.json"


def carry_stages(path: Path, template: Path) -> str | None:
    """What dvc.yaml must become: `template`'s text in a project of `qdllm init`, None where it is this version's.

    Raises:
        UserError: it is neither version 0.1's as it shipped nor this version's.
    """
    found, old = _read_stages(path), _read_stages(INIT_STAGES)
    if NUMBERS in path.read_text(encoding="utf-8"):
        return None
    if not old.keys() <= found.keys():
        if "train_baseline" in found:
            raise UserError(f"{path} is that of the repository's version 0.1: take the new code first (git pull)")
        raise UserError(f"{path} must have the stages of version 0.1 or of this one, got {', '.join(found) or 'none'}")
    edited = [name for name, stage in found.items() if stage != old.get(name)]
    if edited:
        raise UserError(
            f"{path} must be as version 0.1 wrote it, got other lines in {', '.join(edited)}: take them out, run "
            "`qdllm upgrade` again, then put them into the new file"
        )
    return template.read_text(encoding="utf-8")


def _read_stages(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    stages = content.get("stages") if isinstance(content, dict) else None
    return stages if isinstance(stages, dict) else {}
