"""`qdllm plots`: the pages of `dvc plots` without network.

In: a checkout.  Out: plots (a click command).  Imports: dvc, vl-convert, which brings Vega; no torch, no jax.
"""

from pathlib import Path

import click

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file

# Below .dvc, where Git ignores it.
TEMPLATE = Path("tmp", "plots.html")
VEGA_LITE = "5.21"  # the newest of the major version that DVC's plots are written for
# {plot_divs} is DVC's; its {scripts}, which would load Vega from the network, is left out.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DVC plots</title>
<style>body {{ font-family: system-ui, sans-serif; }} table {{ border-spacing: 1rem; }}</style>
<script>{vega}</script>
{{plot_divs}}
</html>
"""


@click.command()
def plots() -> None:
    """Put Vega into this checkout, so that the pages of `dvc plots show` and `dvc plots diff` need no network.

    Needed once in a checkout: the page's template and the setting that names it are kept below .dvc, and not committed.
    """
    from pipeline.team.dvc_project import open_repo

    try:
        from vl_convert import javascript_bundle
    except ModuleNotFoundError as error:
        raise UserError(f"qdllm plots needs {error.name}: pip install 'qdllm[plots]'") from None
    with open_repo() as repo:
        path = Path(repo.dvc_dir or "", TEMPLATE)
        with publish_file(path) as temporary:
            temporary.write_text(
                PAGE.format(vega=javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)), encoding="utf-8"
            )
        with repo.config.edit("local") as config:
            config.setdefault("plots", {})["html_template"] = str(TEMPLATE)
    click.echo(f"{path} holds Vega: dvc plots show")
