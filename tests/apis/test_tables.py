from __future__ import annotations

from pathlib import Path

import pytest

from mtlbox.apis.tables import markdown_table, replace_between

PAGE = 'before\n<!-- mine -->\nold\n<!-- /mine -->\nafter\n'


def test_markdown_table() -> None:
    assert markdown_table(['a', 'b'], [['x', '1'], ['y', '2']]) == '| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 2 |\n'
    assert '| --- | --- |' in markdown_table(['a', 'b'], [], left=(0, 1))
    with pytest.raises(ValueError, match=r"2 columns, but a row has 1 cells: \['x'\]"):
        markdown_table(['a', 'b'], [['x']])


def test_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'page.md'
    path.write_text(PAGE)
    assert not replace_between(path, 'mine', 'new\nlines\n', check=True)
    assert path.read_text() == PAGE
    assert not replace_between(path, 'mine', 'new\nlines\n')
    assert path.read_text() == PAGE.replace('old', 'new\nlines')
    assert replace_between(path, 'mine', 'new\nlines', check=True)
    assert [p.name for p in tmp_path.iterdir()] == ['page.md']


@pytest.mark.parametrize('text', ['none', PAGE * 2, '<!-- /mine -->\n<!-- mine -->\n', '<!-- mine -->\n'])
def test_marks_must_be_there_once_each(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'page.md'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'must hold <!-- mine --> and, below it, <!-- /mine -->, once each'):
        replace_between(path, 'mine', 'new')
    assert path.read_text() == text
