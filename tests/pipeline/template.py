"""The dvc.yaml of `qdllm init`: this repository's, with the installed package's numbers in place of its code.

`python -m tests.pipeline.template` writes it anew after a change of dvc.yaml.
"""

import io
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "pipeline/template/stages.yaml"
CODE = ("inputs/code/", "teacher_cache/")
NUMBERS = "versions.json"  # the package's, which the stage that always runs puts into the project
HEADER = """\
# The data's way, a stage a step. Paths live here alone, numbers in params.yaml alone.
# QDLLM_LAUNCH may hold a launcher for several GPUs, such as "torchrun --nproc_per_node 8"; it is no part of the hash.
# QDLLM_SHARD and QDLLM_RAY, too, say how and not what.
# versions.json holds a number for what each stage means in the installed qdllm: a new one runs that stage again.
"""


def make_template() -> str:
    """What pipeline/template/stages.yaml must be."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width, yaml.preserve_quotes = 200, True
    stages = yaml.load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        for key in ("params", "deps"):
            for entry in [entry for entry in stage.get(key, []) if is_ours(entry)]:
                stage[key].remove(entry)
        if name == "inputs":
            stage["cmd"] += f" --versions {NUMBERS}"
            stage["outs"].insert(0, {NUMBERS: {"cache": False, "persist": True}})
        else:
            stage["params"].append({NUMBERS: [name]})
        for key in ("params", "deps"):
            if not stage.get(key, True):
                del stage[key]
    text = io.StringIO()
    yaml.dump({"stages": stages}, text)
    return HEADER + text.getvalue()


def is_ours(entry: str | dict[str, list[str]]) -> bool:
    """Whether an entry of `deps` or `params` stands for the code of this repository's packages."""
    (path,) = entry if isinstance(entry, dict) else (entry,)
    return path.startswith(CODE)


if __name__ == "__main__":
    TEMPLATE.write_text(make_template(), encoding="utf-8")
