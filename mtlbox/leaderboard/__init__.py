"""Published scores of the field as data, and tables that put our own results beside them.

``rows`` reads ``data/*.yml``, one file per data set; ``runs`` reads our ``result.json`` files; ``tables`` compares like
with like; ``text`` and ``html`` write. ``tools/leaderboard.py`` is the way in.
"""

from mtlbox.leaderboard.names import backbone_of, canonical_backbone, canonical_dataset
from mtlbox.leaderboard.rows import Row, load_rows

__all__ = ['Row', 'backbone_of', 'canonical_backbone', 'canonical_dataset', 'load_rows']
