"""mtlbox: multi-task dense prediction from registered components and config files."""

from mtlbox.version import __version__

__all__ = ['__version__']
