"""Nothing outside ``mtlbox/tasks`` asks which task it has."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from mtlbox import tasks

ROOT = Path(__file__).parents[2]
NAMES = {'semseg', 'depth', 'normals', 'boundary', 'saliency', 'human_parts', 'edge', 'disparity'}
CLASSES = {name for name in tasks.__all__ if name[0].isupper()} - {'Task'}


def branches(source: str) -> Iterator[str]:
    """Yield where code asks for a task's name or class: by comparing, by matching, or by looking it up in a table."""
    tree = ast.parse(source)
    tables = set(tables_of(tree))
    for node in ast.walk(tree):
        asks = False
        match node:
            case ast.Compare():
                asks = any(map(is_task, elements([node.left, *node.comparators])))
            case ast.MatchValue():
                asks = is_task(node.value)
            case ast.MatchClass():
                asks = is_task(node.cls)
            case ast.Call(func=ast.Name(id='isinstance' | 'issubclass'), args=[_, asked]):
                asks = any(map(is_task, ast.walk(asked)))
            case ast.Call(func=ast.Attribute(attr='startswith' | 'endswith'), args=[asked, *_]):
                asks = any(map(is_task, elements([asked])))
            case ast.Call(func=ast.Attribute(value=table, attr='get'), args=[key, *_]) | ast.Subscript(table, key):
                known = is_table(table) or name_of(table) in tables
                asks = known and not isinstance(key, ast.Constant)
        if asks:
            yield f'line {node.lineno}'


def tables_of(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the tables by task that a module or a class of it holds."""
    for body in (tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))):
        for node in body:
            match node:
                case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=value):
                    if is_table(value):
                        yield name_of(target)


def is_table(node: ast.expr | None) -> bool:
    match node:
        case ast.Dict(keys=keys):
            return any(key is not None and is_task(key) for key in keys)
        case ast.Call(func=ast.Name(id='dict'), keywords=keywords):
            return any(keyword.arg in NAMES for keyword in keywords)
    return False


def is_task(node: ast.AST) -> bool:
    """Return whether the expression is the name of a task, or its class or the name of that."""
    match node:
        case ast.Constant(value=str(value)):
            return value in NAMES | CLASSES
    return name_of(node) in CLASSES


def name_of(node: ast.AST) -> str:
    """Return what a variable or an attribute is called; '' for anything else."""
    return str(getattr(node, 'id', '') or getattr(node, 'attr', ''))


def elements(nodes: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """Yield the expressions, or those of a tuple, list or set."""
    for node in nodes:
        yield from getattr(node, 'elts', [node])


def test_what_is_a_branch() -> None:
    for text in (
        "if key == 'depth': pass",
        "x = 1 if task.key in ('semseg', 'normals') else 2",
        "x = 'normals' in task.key",
        "x = task.key.startswith('normals')",
        "x = task.key.endswith(('edge', 'depth'))",
        "x = type(task).__name__ == 'Normals'",
        'x = type(task) is Depth',
        'isinstance(task, Depth)',
        'isinstance(task, (tasks.Depth, Task))',
        "match key:\n    case 'edge': pass",
        'match task:\n    case Edge(): pass',
        "BY_NAME = {'depth': 1}\nx = BY_NAME[task.key]",
        'BY_NAME: dict = dict(depth=1)\ndef f(task): return BY_NAME.get(task.key, 2)',
        'BY_CLASS = {Depth: 1}\nx = BY_CLASS[type(task)]',
        "class A:\n    RULES = {'depth': 1}\n    def f(self, key): return self.RULES[key]",
        "x = {'depth': 1}.get(key)",
        "x = {'depth': 1}[key]",
    ):
        assert list(branches(text)), text
    for text in (
        "maps = {'depth': depth}\nisinstance(task, Task)\nif room['depth'] == 0: pass",
        "TABLE = {'depth': 1}\nx = TABLE['depth']\ny = list(TABLE)",
        "def f(key):\n    maps = {'depth': render()}\n    return maps[key]",  # data, not rules
        "BY_NAME = {'train': 1}\nx = BY_NAME[key]\nname.startswith('val')",
    ):
        assert not list(branches(text)), text


def test_there_is_none_outside_of_tasks() -> None:
    files = [path for folder in ('mtlbox', 'projects', 'tools') for path in sorted((ROOT / folder).rglob('*.py'))]
    own = ROOT / 'mtlbox' / 'tasks'
    found = [
        f'{path.relative_to(ROOT)}: {place}'
        for path in files
        if path.parent != own and 'tests' not in path.parts
        for place in branches(path.read_text(encoding='utf-8'))
    ]
    assert len(files) > 200 and not found, '\n'.join(found)
