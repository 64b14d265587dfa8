"""The lowest versions that pyproject.toml allows, as requirements: python tools/lowest.py [EXTRA ...]"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
wanted = sum((project["optional-dependencies"][extra] for extra in sys.argv[1:]), project["dependencies"])
for requirement in wanted:
    if not requirement.startswith(project["name"]):
        name, bound = re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)", requirement).groups()
        print(f"{name}=={bound}")
