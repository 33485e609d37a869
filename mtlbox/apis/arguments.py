"""Command-line options that several tools have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class CfgOptions(DictAction):
    """``--cfg-options KEY=VALUE ...``; what is not of that form ends the program with the usage and a sentence."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the options to those of the namespace."""
        for text in [values] if isinstance(values, str) else values or ():
            key, sign, _ = text.partition('=')
            if not sign or not key.strip():
                parser.error(f'{option_string}: KEY=VALUE is expected, but {text!r} is given.')
            if any(text.count(left) != text.count(right) for left, right in ('()', '[]')):
                parser.error(f'{option_string}: the brackets in {text!r} do not match.')
        try:
            super().__call__(parser, namespace, values, option_string)
        except RecursionError:
            parser.error(f"{option_string}: a dict is written as KEY=\"{{'type': 'Name'}}\", not as KEY=dict(...).")
        except (AssertionError, ValueError) as error:
            parser.error(f'{option_string}: {error}')
