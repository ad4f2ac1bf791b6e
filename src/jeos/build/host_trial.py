"""Try what a build needs of the kernel, in a process that ends afterwards: `python -m jeos.build.host_trial`.

It becomes root of a namespace and lays one folder over another, as a build does. Prints nothing if all goes well,
else the message and the hint of what does not, as JSON.
"""

import json
import sys

from jeos.build import namespace, overlay
from jeos.core import files, settings
from jeos.core.errors import JeosError


def attempt() -> dict[str, str]:
    """Do what a build does first; return `message` and `hint` of what failed, or nothing."""
    try:
        namespace.enter()
        with files.temporary_folder(settings.work_dir(), prefix="doctor-") as work:
            (work / "lower").mkdir()
            (work / "lower" / "file").write_text("below")
            with overlay.mounted([work / "lower"], scratch=work / "scratch") as root:
                (root / "file").write_text("above")
    except JeosError as error:
        return {"message": error.message, "hint": error.hint}
    except OSError as error:
        return {"message": f"a build's first steps fail: {error}", "hint": "run `python -m jeos.build.host_trial`"}
    return {}


if __name__ == "__main__":
    problem = attempt()
    if problem:
        sys.stdout.write(json.dumps(problem))
