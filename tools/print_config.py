"""Print a config with all that it inherits: ``python tools/print_config.py CONFIG``."""

from __future__ import annotations

import argparse
import sys

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.config import config_hash, load_config


def main(argv: list[str] | None = None) -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='change keys that the config has')
    args = parser.parse_args(argv)
    with exit_on_user_error():
        cfg = load_config(args.config, args.cfg_options)
        print(cfg.pretty_text)
        print(f'# config hash: {config_hash(cfg)}')


if __name__ == '__main__':
    sys.exit(main())
