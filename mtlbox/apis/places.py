"""Where in a config an error arose, read off the frames that it passed through."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.registry import build_functions
from mmengine.runner import BaseLoop, Runner

_LISTED = 3  # places that a message names where one of several it must be


def frames_of(error: BaseException) -> list[FrameType]:
    """Return the frames from where the error was caught to where it arose."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def runner_of(error: BaseException) -> Runner | None:
    """Return the Runner that was at work, if one was."""
    found = None
    for frame in frames_of(error):
        if isinstance(frame.f_locals.get('self'), Runner):
            found = frame.f_locals['self']
    return found


def has_trained(runner: Runner | None) -> bool:
    """Say whether a training step was done."""
    loop = getattr(runner, '_train_loop', None)  # runner.iter would build it
    return isinstance(loop, BaseLoop) and loop.iter > 0


def was_looping(error: BaseException) -> bool:
    """Say whether a training, validation or test was under way."""
    frames = frames_of(error)
    return any(frame.f_code.co_name == 'run' and isinstance(frame.f_locals.get('self'), BaseLoop) for frame in frames)


def was_building(error: BaseException) -> bool:
    """Say whether a component was being built."""
    return _component(frames_of(error)) is not None


def places_of(error: BaseException) -> list[str]:
    """Return ``FILE: KEY`` of the component that was being built or was at work; several if it may be any of them."""
    frames = frames_of(error)
    cfg = next((frame.f_locals['cfg'] for frame in frames if isinstance(frame.f_locals.get('cfg'), Config)), None)
    runner = runner_of(error)
    if cfg is None and runner is not None:
        cfg = getattr(runner, 'cfg', None)
    if not isinstance(cfg, Config):
        return []
    file = cfg.filename or 'the config'
    keys = _places_in(cfg, frames)
    return [f'{file}: {key}' for key in keys[:_LISTED]]


def _places_in(cfg: Config, frames: list[FrameType]) -> list[str]:
    sections = {key: value for key, value in cfg.items() if key in _READ}
    component = _component(frames)
    if component is not None:
        return _matches(sections, component) or [str(_type_name(component))]
    for frame in reversed(frames):
        kind = type(frame.f_locals.get('self')).__name__
        found = [where for where, node in _walk(sections, '') if _type_name(node) == kind]
        if found:
            return found
    return []


_READ = (
    *('model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg'),
    *('test_cfg', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks'),
    *('custom_hooks', 'visualizer', 'log_processor'),
)


def _component(frames: list[FrameType]) -> Mapping | None:
    """Return the config of the innermost component or loader that was being built."""
    found = None
    for frame in frames:
        if frame.f_code is build_functions.build_from_cfg.__code__:
            found = frame.f_locals.get('cfg')
        elif frame.f_code.co_name == Runner.build_dataloader.__name__:
            found = frame.f_locals.get('dataloader')
    return found if isinstance(found, Mapping) else None


def _matches(sections: Mapping, component: Mapping) -> list[str]:
    """Return the places of the dicts that are most like ``component``."""
    scores: dict[str, int] = {}
    for where, node in _walk(sections, ''):
        if _type_name(node) == _type_name(component):
            scores[where] = sum(1 if _equal(value, component.get(key)) else -1 for key, value in node.items())
    best = max(scores.values(), default=0)
    return [where for where, score in scores.items() if score == best]


def _walk(node: Any, where: str) -> Iterator[tuple[str, Mapping]]:
    """Yield (place, dict) of every dict below ``node``."""
    if isinstance(node, Mapping):
        if where:
            yield where, node
        for key, value in node.items():
            yield from _walk(value, f'{where}.{key}' if where else str(key))
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _walk(value, f'{where}.{i}')


def _type_name(config: Mapping) -> str | None:
    kind = config.get('type')
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', None)


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # arrays and tensors have no single answer
        return False


def from_worker(text: str) -> str | None:
    """Return the message of an error that torch brought over from a worker with its traceback; None if it is none."""
    found = re.match(r'Caught (\w+) in ', text)
    if not found or 'Original Traceback' not in text:
        return None
    name = found[1]
    starts = list(re.finditer(rf'^(?:[\w.]+\.)?{name}(?:: |$)', text, flags=re.MULTILINE))
    return text[starts[-1].end() :].strip() or name if starts else None
