"""The version of mtlbox."""

__version__ = '0.1.0'
