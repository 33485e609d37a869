"""Markdown tables that tools write, and the marks in pages between which they stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlbox.engine.checkpoint import replace_file


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    """Return a Markdown table.

    Args:
        head: Names of the columns.
        rows: Cells, as many per row as there are columns.
        left: Columns that are set flush left; the others, of numbers, are flush right.

    Raises:
        ValueError: A row has another number of cells.
    """
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f'The table has {len(head)} columns, but a row has {len(row)} cells: {list(row)}.')
    rule = ['---' if column in left else '---:' for column in range(len(head))]
    lines = [[cell.replace('|', '\\|') for cell in line] for line in (head, rule, *rows)]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def replace_between(path: Path, mark: str, content: str, *, check: bool = False) -> bool:
    """Put ``content`` between ``<!-- mark -->`` and ``<!-- /mark -->`` in the file ``path``.

    Args:
        path: A text file.
        mark: Name of the two marks.
        content: What stands between them, line breaks around it aside.
        check: Only look, write nothing.

    Returns:
        Whether ``content`` stood there already.

    Raises:
        ValueError: The file lacks the marks, or has them more than once.
    """
    text = path.read_text(encoding='utf-8')
    first, last = f'<!-- {mark} -->\n', f'<!-- /{mark} -->'
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        raise ValueError(f'{path} must hold {first.strip()} and, below it, {last}, once each.')
    start, end = text.index(first) + len(first), text.index(last)
    wanted = f'{content.strip()}\n'
    same = text[start:end].strip() == content.strip()
    if not (same or check):
        replace_file(path, lambda temporary: temporary.write_text(text[:start] + wanted + text[end:], encoding='utf-8'))
    return same
