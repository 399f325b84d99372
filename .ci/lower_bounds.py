"""The oldest packages that pyproject.toml allows, as pip's --constraint takes them."""

import re
import tomllib
from pathlib import Path

text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
project = tomllib.loads(text)["project"]
for group in (project["dependencies"], *project["optional-dependencies"].values()):
    for requirement in group:
        name, bounded, least = re.sub(r"\[.*?\]", "", requirement).partition(">=")
        if bounded:
            print(f"{name}=={least}")
