"""Config files as text: whether they are Python, what each names twice, and which of its names are used."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mtlbox.config.errors import ConfigError
from mtlbox.registry import did_you_mean


@dataclass
class Source:
    """One config file and those that it inherits from.

    Attributes:
        path: The file.
        assigned: Names that it gives a value at its top level.
        read: Names whose value it uses.
        inherited: Names whose value it takes from a base, as ``_base_.NAME``.
        bases: The files that it inherits from.
    """

    path: Path
    assigned: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)
    bases: list[Source] = field(default_factory=list)

    def uses(self, key: str) -> bool:
        """Say whether the value that ``key`` has in the end is used to make another one."""
        if key in self.assigned:
            return key in self.read
        return any(key in self.inherited or base.uses(key) for base in self.bases)

    def replaces_used(self, key: str) -> bool:
        """Say whether a file gives ``key`` another value after a base has used it, and nothing uses the new one."""
        if key not in self.assigned:
            return key not in self.inherited and any(base.replaces_used(key) for base in self.bases)
        return key not in self.read and any(base.uses(key) for base in self.bases)

    def files(self) -> Iterator[Path]:
        """Yield this file and those that it inherits from."""
        yield self.path
        for base in self.bases:
            yield from base.files()


def read_source(path: Path, runner_keys: set[str], below: tuple[Path, ...] = ()) -> Source:
    """Read ``path`` and what it inherits from, without running them.

    Args:
        path: The config file.
        runner_keys: The keys that may not be given two values in one file.
        below: The files that inherit from it.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: A file is no Python, names a key twice, or inherits from itself.
    """
    if not path.is_file():
        siblings = [str(p) for p in path.parent.glob('*.py')] if path.parent.is_dir() else []
        heir = f'{below[-1]}: _base_: ' if below else ''
        raise FileNotFoundError(f'{heir}There is no config file {path}.{did_you_mean(str(path), siblings)}')
    if path.resolve() in [other.resolve() for other in below]:
        raise ConfigError(f'{below[-1]}: _base_: {path} inherits from itself.')
    if path.suffix in ('.json', '.yaml', '.yml'):
        return Source(path)
    if path.suffix != '.py':
        raise ConfigError(f'{path}: a config file ends in .py, .json, .yaml or .yml.')
    tree = _parse(path)
    _refuse_twice(path, tree, runner_keys)
    source = Source(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            source.read.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == '_base_':
            source.inherited.add(node.attr)
    source.assigned = {name for name, _ in _assignments(tree)}
    bases = explained(path, lambda: Config._get_base_files(str(path)), [path]) if '_base_' in source.assigned else []
    for base in bases:
        if not isinstance(base, str):
            raise ConfigError(f'{path}: _base_ must be a file name or a list of them, but holds {base!r}.')
        found = explained(path, lambda base=base: Config._get_cfg_path(base, str(path))[0], [path])
        source.bases.append(read_source(Path(found), runner_keys, (*below, path)))
    return source


def explained(path: Path, action: Callable[[], Any], files: list[Path]) -> Any:
    """Return what ``action`` returns; turn whatever it raises into a :class:`ConfigError` with the file and line.

    Args:
        path: The file to name where the error arose in none of ``files``.
        action: Runs config files.
        files: Config files whose lines may be named.
    """
    try:
        return action()
    except (Exception, SystemExit) as error:
        if isinstance(error, (ConfigError, FileNotFoundError)):
            raise
        known = {file.resolve(): file for file in files}
        place = str(path)
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).resolve() in known:
                place = f'{known[Path(frame.filename).resolve()]}, line {frame.lineno}'
        what = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ConfigError(f'{place}: {type(error).__name__}: {what}') from error


def _parse(path: Path) -> ast.Module:
    try:
        tree = ast.parse(path.read_text(encoding='utf-8'), str(path))
        compile(tree, str(path), 'exec')
    except SyntaxError as error:  # dict(depth=..., depth=...) is one
        raise ConfigError(f'{path}, line {error.lineno}: {error.msg}.') from None
    except (ValueError, RecursionError, MemoryError) as error:  # bytes that are no text, or nested too deeply
        raise ConfigError(f'{path} is not a Python file: {error or type(error).__name__}.') from None
    return tree


def _assignments(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield (name, line) of the plain assignments at the top level."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        for target in targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    yield name.id, node.lineno


def _refuse_twice(path: Path, tree: ast.Module, runner_keys: set[str]) -> None:
    """Raise :class:`ConfigError` where one of two values of a key is lost."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                raise ConfigError(f'{path}, line {node.lineno}: the dict has the key {twice[0]!r} twice.')
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    seen: dict[str, int] = {}
    for name, line in _assignments(tree):
        if name in seen and name in {*runner_keys, '_base_'} and name not in read:
            raise ConfigError(
                f'{path}, line {line}: {name!r} is given a value a second time; that of line {seen[name]} is lost.'
            )
        seen[name] = line
