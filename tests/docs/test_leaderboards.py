from __future__ import annotations

from pathlib import Path

from mtlbox.apis.tables import replace_between
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.tables import build_tables
from mtlbox.leaderboard.text import to_markdown

PAGE = Path(__file__).parents[2] / 'docs' / 'leaderboards.md'


def test_page_is_up_to_date() -> None:
    fresh = to_markdown(build_tables(load_rows()))
    assert replace_between(PAGE, 'leaderboard', fresh, check=True), (
        'python tools/leaderboard.py --update docs/leaderboards.md'
    )
    assert '| TIF |' in PAGE.read_text()
