"""The error that all checks of a config raise."""

from __future__ import annotations


class ConfigError(ValueError):
    """A config file or an option that cannot be what its author meant."""
