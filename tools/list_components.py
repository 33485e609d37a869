"""Print what is registered, one line each: ``python tools/list_components.py [ROLE]``."""

from __future__ import annotations

import argparse
import inspect

from mtlbox.apis import exit_on_user_error
from mtlbox.registry import REGISTRIES, did_you_mean


def main(argv: list[str] | None = None) -> None:
    """Print the components of one role, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('role', nargs='?', help=', '.join(REGISTRIES))
    args = parser.parse_args(argv)
    with exit_on_user_error():
        if args.role and args.role not in REGISTRIES:
            raise ValueError(f'There is no role {args.role!r}.{did_you_mean(args.role, REGISTRIES)}')
        for role in [args.role] if args.role else REGISTRIES:
            registry = REGISTRIES[role]
            registry.import_from_location()
            print(f'{role} ({len(registry.module_dict)})')
            for name, component in sorted(registry.module_dict.items()):
                line = (inspect.getdoc(component) or '').split('\n')[0]
                print(f'  {name:28} {line}')


if __name__ == '__main__':
    main()
