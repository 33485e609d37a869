"""What is wrong with a config file, or with one that it inherits from, is said with its name and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtlbox.config import ConfigError, load_config


def write(folder: Path, **files: str) -> Path:
    """Write NAME.py for each text; return the path of ``exp.py``."""
    for name, text in files.items():
        (folder / f'{name}.py').write_text(text)
    return folder / 'exp.py'


@pytest.mark.parametrize(
    ('base', 'complaint'),
    [
        ('a = dict(x=1, x=2)', 'base.py, line 1: keyword argument repeated'),
        ("a = 1\nb = {'x': 1, 'x': 2}", "base.py, line 2: the dict has the key 'x' twice"),
        ('log_level = "INFO"\nlog_level = "DEBUG"', "base.py, line 2: 'log_level' is given a value a second time"),
        ('a = 1\nb = unknown', "base.py, line 2: NameError: name 'unknown' is not defined"),
        ('a = 1 / 0', 'base.py, line 1: ZeroDivisionError: division by zero'),
        ('raise SystemExit(0)', 'base.py, line 1: SystemExit: 0'),
        ('a = (', 'base.py, line 1: '),
        ('a = "\0"', 'base.py'),
        ("_base_ = './exp.py'", 'exp.py inherits from itself'),
        ("_base_ = './none.py'", 'base.py: _base_: There is no config file'),
        ('_base_ = 5', 'base.py: _base_ must be a file name or a list of them, but holds 5'),
        ("_base_ = './base2.py'\n_base_ = './base3.py'", "'_base_' is given a value a second time"),
    ],
)
def test_a_base_at_fault_is_named(tmp_path: Path, base: str, complaint: str) -> None:
    path = write(tmp_path, exp="_base_ = './base.py'", base=base)
    with pytest.raises((ConfigError, FileNotFoundError), match=re.escape(complaint)):
        load_config(path)


def test_two_bases_with_one_key(tmp_path: Path) -> None:
    path = write(tmp_path, exp="_base_ = ['./one.py', './two.py']", one='resume = True', two='resume = False')
    with pytest.raises(ConfigError, match=r'exp\.py: KeyError: Duplicate key is not allowed among bases.*resume'):
        load_config(path)


@pytest.mark.parametrize('middle', ['', 'other = 1\n'], ids=['child', 'grandchild'])
def test_a_helper_that_the_base_has_used_cannot_be_changed_in_silence(tmp_path: Path, middle: str) -> None:
    base = "root = 'a'\ntrain_dataloader = dict(dataset=dict(type='RoomsDataset', data_root=root))"
    child = f"_base_ = './base.py'\n{middle}root = 'b'\n"
    with pytest.raises(ConfigError, match=r"exp\.py: 'root' has no effect here: the base config has used its value"):
        if middle:
            load_config(write(tmp_path, exp="_base_ = './child.py'", child=child, base=base))
        else:
            load_config(write(tmp_path, exp=child, base=base))


@pytest.mark.parametrize('use', ['x = root', 'x = _base_.root'])
def test_a_helper_that_is_used_again_may_change(tmp_path: Path, use: str) -> None:
    base = "root = 'a'\nkept = root"
    exp = f"_base_ = './child.py'\n{use if '_base_' in use else ''}"
    child = f"_base_ = './base.py'\nroot = 'b'\n{'' if '_base_' in use else use}"
    assert load_config(write(tmp_path, exp=exp, child=child, base=base)).root == 'b'


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / 'exp.py').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(ConfigError, match=r'exp\.py'):
        load_config(tmp_path / 'exp.py')


def test_a_value_that_is_used_before_it_is_given_anew_is_not_lost(tmp_path: Path) -> None:
    text = "custom_hooks = [dict(type='IterTimerHook')]\ncustom_hooks = [*custom_hooks]\n"
    assert len(load_config(write(tmp_path, exp=text)).custom_hooks) == 1


@pytest.mark.parametrize('purpose', ['train', 'test', 'infer', 'count'])
def test_an_empty_config_serves_nothing(tmp_path: Path, purpose: str) -> None:
    path = write(tmp_path, exp='')
    assert not load_config(path)
    with pytest.raises(ConfigError, match=r"exp\.py has no 'model'"):
        load_config(path, purpose=purpose)


def test_a_module_of_custom_imports_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'failing_plugin.py').write_text('1 / 0')
    for module, complaint in (('failing_plugin', 'ZeroDivisionError'), ('no_such_plugin', 'Install the package')):
        path = write(tmp_path, exp=f"custom_imports = dict(imports=['{module}'])")
        with pytest.raises(ImportError, match=rf"exp\.py: custom_imports: the module '{module}' failed: .*{complaint}"):
            load_config(path)


class TestHelpers:
    @pytest.mark.parametrize('key', ['seed', 'optimizer', 'max_epochs', 'load_form', 'train_config', 'val_data_loader'])
    def test_one_that_nothing_uses_is_a_mistake(self, tmp_path: Path, key: str) -> None:
        path = write(tmp_path, exp="_base_ = './base.py'", base=f'{key} = 1\nload_from = None\nval_cfg = None')
        with pytest.raises(ConfigError, match=f"exp.py: the top-level key '{key}' has no meaning, and nothing uses"):
            load_config(path)

    @pytest.mark.parametrize('key', ['seed', 'optimizer', 'max_epochs', 'load_form', 'train_config'])
    def test_one_that_is_used_is_none(self, tmp_path: Path, key: str) -> None:
        assert load_config(write(tmp_path, exp=f'{key} = 1\nother = [{key}]')).other == [1]
        exp = f"_base_ = './base.py'\nother = _base_.{key}"
        assert load_config(write(tmp_path, exp=exp, base=f'{key} = 1')).other == 1

    def test_what_replaces_a_used_one_too_late_is_a_mistake(self, tmp_path: Path) -> None:
        base = 'max_epochs = 3\nother = dict(a=max_epochs)'
        with pytest.raises(ConfigError, match=r"'max_epochs' has no meaning.* belongs to train_cfg\.max_epochs"):
            load_config(write(tmp_path, exp="_base_ = './base.py'\nmax_epochs = 5", base=base))
