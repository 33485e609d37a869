"""How the tools report what a user can mend: in one line, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from mtlbox.config import ConfigError
from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.hooks.nan_guard_hook import NonFiniteLossError
from mtlbox.registry import UnknownComponentError

_USERS = (ConfigError, CheckpointError, UnknownComponentError, NonFiniteLossError, ValueError, OSError, ImportError)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the program with ``error: ...`` and exit code 2 where the input is at fault.

    Faults of configs, checkpoints, files, downloads and absent packages are reported so; any other error keeps its
    traceback. With the environment
    variable MTLBOX_TRACEBACK set, all of them do.
    """
    try:
        yield
    except URLError as error:
        if os.environ.get('MTLBOX_TRACEBACK'):
            raise
        print(
            f'error: a download failed: {error.reason}. Weights are named by init_cfg in the config: give a local '
            'file, or train from scratch with --cfg-options model.backbone.init_cfg=None',
            file=sys.stderr,
        )
        sys.exit(2)
    except _USERS as error:
        if os.environ.get('MTLBOX_TRACEBACK'):
            raise
        print(f'error: {error}\n(MTLBOX_TRACEBACK=1 shows where it arose.)', file=sys.stderr)
        sys.exit(2)
