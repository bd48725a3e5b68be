"""The dvc.yaml of `qdllm init`: this repository's, with the installed version in place of its code.

`python -m tests.pipeline.template` writes it anew after a change of dvc.yaml.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "pipeline/template/stages.yaml"
CODE = re.compile(r"      - (pipeline|student_jax|teacher_cache)/\S+\n")
VERSION = """stages:
  version:
    desc: Which qdllm is installed; another version runs every stage again
    cmd: qdllm --version > version.txt
    always_changed: true
    outs:
      - version.txt:
          cache: false

"""


def make_template() -> str:
    """What pipeline/template/stages.yaml must be."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    stripped = CODE.sub("", text.replace("    deps:\n", "    deps:\n      - version.txt\n"))
    return stripped.replace("stages:\n", VERSION, 1)


if __name__ == "__main__":
    TEMPLATE.write_text(make_template(), encoding="utf-8")
