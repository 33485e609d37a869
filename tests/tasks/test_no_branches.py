"""Nothing outside ``mtlbox/tasks`` asks which task it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mtlbox
from mtlbox import tasks

PACKAGE = Path(mtlbox.__file__).parent
NAMES = {'semseg', 'depth', 'normals', 'boundary', 'saliency', 'human_parts', 'edge', 'disparity'}
CLASSES = {name for name in tasks.__all__ if name[0].isupper()} - {'Task'}


def branches(source: str) -> Iterator[str]:
    """Yield the comparisons with a task's name, and the questions whether something is of a task's class."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            if any(leaf.value in NAMES for part in (node.left, *node.comparators) for leaf in constants(part)):
                yield f'line {node.lineno}'
        elif isinstance(node, ast.MatchValue):
            if any(leaf.value in NAMES for leaf in constants(node.value)):
                yield f'line {node.lineno}'
        elif isinstance(node, ast.Call) and getattr(node.func, 'id', '') in ('isinstance', 'issubclass'):
            asked = {leaf.id for leaf in ast.walk(node.args[1]) if isinstance(leaf, ast.Name)}
            if asked & CLASSES:
                yield f'line {node.lineno}'


def constants(node: ast.expr) -> list[ast.Constant]:
    """The constant, or those of the tuple, list or set."""
    elements = getattr(node, 'elts', [node])
    return [element for element in elements if isinstance(element, ast.Constant)]


def test_what_is_a_branch() -> None:
    for text in (
        "if key == 'depth': pass",
        "x = 1 if task.key in ('semseg', 'normals') else 2",
        'isinstance(task, Depth)',
        "match key:\n    case 'edge': pass",
    ):
        assert list(branches(text)), text
    assert not list(branches("maps = {'depth': depth}\nisinstance(task, Task)\nif room['depth'] == 0: pass"))


def test_there_is_none_outside_of_tasks() -> None:
    found = [
        f'{path.relative_to(PACKAGE)}: {place}'
        for path in sorted(PACKAGE.rglob('*.py'))
        if path.parent.name != 'tasks'
        for place in branches(path.read_text())
    ]
    assert len(list(PACKAGE.rglob('*.py'))) > 100 and not found, found
