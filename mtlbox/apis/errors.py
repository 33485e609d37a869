"""How the tools report an error: in one line that names the file or key, without a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from mtlbox.apis.places import frames_of, has_trained, places_of, runner_of, was_building
from mtlbox.config import ConfigError
from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.failures import from_worker
from mtlbox.engine.hooks.nan_guard_hook import NonFiniteLossError
from mtlbox.registry import UnknownComponentError

_NAME_THEIR_PLACE = (ConfigError, CheckpointError, UnknownComponentError, NonFiniteLossError, OSError)
_USERS = (*_NAME_THEIR_PLACE, ValueError, ImportError)
_HINT = '(MTLBOX_TRACEBACK=1 shows where it arose.)'


@contextmanager
def exit_on_user_error(*, after_interrupt: str = '') -> Iterator[None]:
    """End the program with ``error: ...`` where an error arises.

    Faults of configs, checkpoints, files, downloads and absent packages end it with one line and exit code 2. So does
    any other error before the first training step, for nothing is lost by looking at it again; later its traceback
    follows the line, and the exit code is 1. With the environment variable MTLBOX_TRACEBACK set, all of them are
    left to Python. Ctrl-C ends it with a line and exit code 130. A reader of the output that has gone away ends it
    with exit code 1 and nothing said.

    Args:
        after_interrupt: How to go on after Ctrl-C, where the program can go on.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f'\nInterrupted. {after_interrupt}'.rstrip(), file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # as of `| head`: what has been asked for is printed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get('MTLBOX_TRACEBACK'):
            raise
        runner = runner_of(error)
        bar_is_open = any(getattr(hook, 'is_open', False) for hook in getattr(runner, 'hooks', ()))
        after_bar = '\n' if bar_is_open else ''
        print(f'{after_bar}error: {explain(error)}', file=sys.stderr)
        if not isinstance(error, _USERS) and has_trained(runner):
            traceback.print_exc()
            sys.exit(1)
        print(_HINT, file=sys.stderr)
        sys.exit(2)


def error_in(said: str) -> str:
    """Return the last error in what a tool wrote to stderr, or else its last line."""
    lines = [line for line in said.splitlines() if line.strip() and line != _HINT]
    errors = [line.removeprefix('error: ') for line in lines if line.startswith('error: ')]
    return (errors or lines or [''])[-1]


def explain(error: BaseException) -> str:
    """Return the sentence that a user should read: what is wrong, and in which file or key."""
    if isinstance(error, URLError):
        return (
            f'a download failed: {error.reason}. Weights are named by init_cfg in the config: give a local '
            'file, or train from scratch with --cfg-options model.backbone.init_cfg=None'
        )
    message = from_worker(str(error)) or str(error)
    if isinstance(error, AssertionError) and not message:
        message = f'not so: {traceback.extract_tb(error.__traceback__)[-1].line}'
    if isinstance(error, _NAME_THEIR_PLACE):
        return message
    raiser = frames_of(error)[-1].f_globals.get('__name__', '')
    is_ours = raiser.startswith('mtlbox') or raiser == '__main__'
    if not (isinstance(error, (ValueError, ImportError)) and is_ours):
        message = f'{type(error).__name__}: {message}' if message else f'{type(error).__name__}.'
    places = places_of(error)
    if len(places) == 1 or (places and (was_building(error) or not is_ours)):
        files = {place.rpartition(': ')[0] for place in places}
        keys = ' or '.join(place.rpartition(': ')[2] for place in places)
        return f'{files.pop()}: {keys}: {message}'
    return message
