"""Markdown tables that tools write, and the marks in pages between which they stand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mtlbox.apis.errors import exit_on_user_error
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


def write_page(
    page: Path, content: Callable[[], Mapping[str, str]], *, description: str, argv: Sequence[str] | None = None
) -> int:
    """Be a command that writes the tables of a page; with ``--check`` it only says whether they are fresh.

    Args:
        page: The page.
        content: Makes what stands between each pair of marks, by mark.
        description: Help of the command.
        argv: Its arguments; those of the process if not given.

    Returns:
        The exit status: 1 where ``--check`` finds something stale.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 if the page has other tables')
    args = parser.parse_args(argv)
    with exit_on_user_error():
        unchanged = [replace_between(page, mark, table, check=args.check) for mark, table in content().items()]
    same = all(unchanged)
    if args.check and not same:
        print(f'error: a table in {page} is stale: python {sys.argv[0]}', file=sys.stderr)
        return 1
    print(f'{page}: {"nothing changed" if same else "written"}')
    return 0
