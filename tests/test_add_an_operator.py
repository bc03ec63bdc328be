"""The page that shows how an operator is added: its code, as a user's script."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "add_an_operator.md"

#: Before the page's own lines: what they call is written down.
BEFORE = """
import json
import daskphys.distributed, daskphys.testing
from daskphys.distributed.runner import Runner

seen = {"checked": [], "distributed": [], "products": []}

def noting(what, function):
    def noted(operator, *args, **kwargs):
        made = function(operator, *args, **kwargs)
        seen[what].append([type(operator).__module__, type(operator).__name__])
        return made
    return noted

def run(self, method, *args, run=Runner.run, **kwargs):
    seen["products"].append(method)
    return run(self, method, *args, **kwargs)

Runner.run = run
daskphys.testing.check_physics = noting("checked", daskphys.testing.check_physics)
daskphys.distributed.distribute = noting("distributed", daskphys.distributed.distribute)
"""
AFTER = """
if __name__ == "__main__":
    print(json.dumps(seen))
"""


@pytest.mark.slow
def test_the_code_of_the_page_is_a_script_that_runs(tmp_path):
    code = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "script.py").write_text("\n".join([BEFORE, *code, AFTER]), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    mine = ["Binning", "Vignetting", "Polarimetry"]
    assert seen["checked"][:3] == [["__main__", name] for name in mine]
    assert ["__main__", "Polarimetry"] in seen["distributed"]
    assert {"A", "A_adjoint"} <= set(seen["products"])
