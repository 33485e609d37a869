"""Programs that a tool starts, and that must not outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1


def start(command: list[str], **options: Any) -> subprocess.Popen:
    """Start a program that is sent SIGTERM when this process ends in whatever way, by SIGKILL too (on Linux).

    Args:
        command: The program and its arguments.
        options: As of ``subprocess.Popen``.
    """
    if not sys.platform.startswith('linux'):
        return subprocess.Popen(command, **options)
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def follow_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # which ended in the meantime
            os.kill(os.getpid(), signal.SIGTERM)

    return subprocess.Popen(command, preexec_fn=follow_parent, **options)
