"""Which source tree runs."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path


@cache
def source_commit() -> str | None:
    """Return the commit of the source tree, with ``-dirty`` where files differ from it; None outside a checkout.

    It is looked up once: later changes of the files do not change the code that runs.
    """
    command = ['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
