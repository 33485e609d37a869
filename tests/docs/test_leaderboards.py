from __future__ import annotations

from pathlib import Path

import pytest

from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.tables import build_tables
from mtlbox.leaderboard.text import MARKS, put_between_marks, to_markdown

PAGE = Path(__file__).parents[2] / 'docs' / 'leaderboards.md'


def test_page_is_up_to_date() -> None:
    page = PAGE.read_text()
    fresh = put_between_marks(page, to_markdown(build_tables(load_rows())), str(PAGE))
    assert page == fresh, 'python tools/leaderboard.py --update docs/leaderboards.md'
    assert '| TIF |' in page


def test_a_page_without_marks_is_refused() -> None:
    assert (
        put_between_marks(f'a\n{MARKS[0]}\nold{MARKS[1]}\nb\n', 'new\n', 'p') == f'a\n{MARKS[0]}\nnew\n{MARKS[1]}\nb\n'
    )
    for page in ('', MARKS[0], MARKS[1] + MARKS[0], ''.join((*MARKS, *MARKS))):
        with pytest.raises(ValueError, match='p: expected <!-- leaderboard -->'):
            put_between_marks(page, 'new', 'p')
