"""Write requirements/lock.txt: the versions that pip chooses today, for each supported Python.

``python tools/make_lock.py python3.10 python3.11 python3.12 python3.13`` asks pip of each interpreter, without
installing anything, and merges the answers; versions that differ carry a marker. CUDA's own packages are left to
torch. Versions that were tried together and must not move are pinned in PINS.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ['torch==2.13.0', 'torchvision==0.28.0', 'mmengine==0.10.7', 'mmcv-lite==2.1.0', 'mmsegmentation==1.2.2']
LEFT_TO_TORCH = re.compile(r'^(nvidia-|cuda-|triton$)')


def resolve(python: str) -> tuple[str, dict[str, str]]:
    """Return the interpreter's version (3.x) and ``{package: version}`` that pip would install for it."""
    version = subprocess.run(
        [python, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.NamedTemporaryFile(suffix='.json') as report:
        command = [
            python,
            '-m',
            'pip',
            'install',
            '--dry-run',
            '--ignore-installed',
            '--quiet',
            '--report',
            report.name,
        ]
        for name in ('runtime', 'mmcv', 'tests', 'docs'):
            command += ['-r', str(ROOT / 'requirements' / f'{name}.txt')]
        subprocess.run([*command, *PINS], check=True)
        installs = json.loads(Path(report.name).read_text())['install']
    chosen = {item['metadata']['name'].lower().replace('_', '-'): item['metadata']['version'] for item in installs}
    return version, {name: v.split('+')[0] for name, v in chosen.items() if not LEFT_TO_TORCH.match(name)}


def main() -> None:
    """Resolve for each interpreter on the command line and write the lock."""
    pythons = sys.argv[1:] or ['python3']
    by_package: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    versions = []
    for python in pythons:
        version, chosen = resolve(python)
        versions.append(version)
        for name, pin in chosen.items():
            by_package[name][pin].append(version)
    lines = [f'# Written by tools/make_lock.py for Python {", ".join(versions)}; used as constraints by the Makefile.']
    for name, pins in sorted(by_package.items()):
        for pin, where in pins.items():
            marker = '' if where == versions else ' ; ' + ' or '.join(f'python_version == "{v}"' for v in where)
            lines.append(f'{name}=={pin}{marker}')
    (ROOT / 'requirements' / 'lock.txt').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
