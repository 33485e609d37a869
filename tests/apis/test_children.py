"""What a tool starts ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys
from mtlbox.apis.children import start
child = start([sys.executable, '-c', 'import time; print("up", flush=True); time.sleep(60)'], stdout=sys.stdout)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='prctl is of Linux')
def test_a_killed_tool_leaves_nothing_behind() -> None:
    with subprocess.Popen([sys.executable, '-c', PROGRAM], stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        lines = {tool.stdout.readline().strip() for _ in range(2)}
        (pid,) = lines - {'up'}
        tool.send_signal(signal.SIGKILL)
        tool.wait()
        deadline = time.monotonic() + 20
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _runs(pid)


def _runs(pid: str) -> bool:
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False
