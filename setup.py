"""Packaging of mtlbox; tool settings are in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithConfigs(build_py):
    """Puts configs, tools and the model index into the wheel, where MIM looks for them."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, 'mtlbox', '.mim')
        for name in ('configs', 'tools'):
            shutil.copytree(
                HERE / name, target / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns('__pycache__')
            )
        shutil.copy(HERE / 'model-index.yml', target)


def requirements(name: str) -> list[str]:
    """Return the lines of ``requirements/{name}.txt`` that name packages."""
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


version: dict[str, str] = {}
exec((HERE / 'mtlbox' / 'version.py').read_text(), version)

setup(
    name='mtlbox',
    version=version['__version__'],
    description='A toolbox for multi-task dense prediction: registered components, config files, named protocols',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mtlbox', 'mtlbox.*']),
    package_data={'mtlbox': ['evaluation/baselines/*', 'leaderboard/data/*.yml', 'leaderboard/page/*', 'py.typed']},
    install_requires=requirements('runtime'),
    extras_require={
        'lite': requirements('mmcv'),
        'ops': ['mmcv>=2.0.0,<2.2.0'],
        'publish': requirements('publish'),
        'nyu': requirements('nyu'),
        'timm': requirements('timm'),
        'deepspeed': requirements('deepspeed'),
        'tests': requirements('tests'),
        'docs': requirements('docs'),
    },
    cmdclass={'build_py': BuildWithConfigs},
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3 :: Only',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
