"""Every component of a config exists, in the role that it is named for, and knows the arguments that it is given."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from mmengine.utils.dl_utils import set_multi_processing
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from mtlbox import registry as registries
from mtlbox.config.errors import ConfigError
from mtlbox.config.values import Arguments, arguments_of, expected, fits, known_arguments
from mtlbox.registry import Registry, did_you_mean, nearest


class Part(NamedTuple):
    """What may stand under a key: components of one registry.

    Attributes:
        registry: Where they are registered.
        forms: ``one`` component, a ``list`` of them, a ``dict`` of them by name.
        default: The type of one that has none; None where it must have one.
        added: Arguments that are taken out before it is built.
        needed: Arguments that it must have.
    """

    registry: Registry
    forms: tuple[str, ...] = ('one',)
    default: str | None = None
    added: Arguments = {}  # noqa: RUF012 (never changed)
    needed: tuple[str, ...] = ()


_MULTIPLE = ('one', 'list', 'dict')
_PRIORITY: Arguments = {'priority': str | int}
_WRAPPER: Arguments = {'constructor': str, 'paramwise_cfg': dict | None}
SECTIONS: dict[str, Part] = {
    'model': Part(registries.MODELS),
    'data_preprocessor': Part(registries.MODELS, default='MultiTaskDataPreprocessor'),
    'default_hooks': Part(registries.HOOKS, ('dict',), added=_PRIORITY),
    'custom_hooks': Part(registries.HOOKS, ('list',), added=_PRIORITY),
    'optim_wrapper': Part(
        registries.OPTIM_WRAPPERS, ('one', 'dict'), default='OptimWrapper', added=_WRAPPER, needed=('optimizer',)
    ),
    'param_scheduler': Part(registries.PARAM_SCHEDULERS, _MULTIPLE, added={'convert_to_iter_based': bool}),
    'val_cfg': Part(registries.LOOPS, default='ValLoop'),
    'test_cfg': Part(registries.LOOPS, default='TestLoop'),
    'visualizer': Part(registries.VISUALIZERS),
    'log_processor': Part(registries.LOG_PROCESSORS, default='LogProcessor'),
}
"""What the top-level sections are."""
_PARTS: dict[str, Part] = {
    'tasks': Part(registries.TASKS, ('dict',)),
    'dataset': Part(registries.DATASETS),
    'datasets': Part(registries.DATASETS, ('list', 'dict')),
    'pipeline': Part(registries.TRANSFORMS, ('list',)),
    'sampler': Part(registries.DATA_SAMPLERS),
    'batch_sampler': Part(registries.DATA_SAMPLERS),
    'collate_fn': Part(registries.FUNCTIONS),
    'worker_init_fn': Part(registries.FUNCTIONS),
    'metrics': Part(registries.METRICS, ('one', 'list')),
    'evaluators': Part(registries.EVALUATORS, ('dict',), needed=('metrics',)),
    'optimizer': Part(registries.OPTIMIZERS),
    'vis_backends': Part(registries.VISBACKENDS, ('list',)),
    'data_preprocessor': SECTIONS['data_preprocessor'],
    'backbone': Part(registries.BACKBONES),
    'neck': Part(registries.NECKS),
    'heads': Part(registries.HEADS, ('one', 'dict')),
    'auxiliary_heads': Part(registries.HEADS, ('dict',)),
    'losses': Part(registries.LOSSES, _MULTIPLE),
    'weighting': Part(registries.WEIGHTINGS, default='FixedWeighting'),
    'norm_cfg': Part(registries.MODELS, added={'requires_grad': bool}),
    'act_cfg': Part(registries.MODELS),
    'conv_cfg': Part(registries.MODELS),
    'init_cfg': Part(registries.WEIGHT_INITIALIZERS, ('one', 'list'), added={'override': Any}),
}
"""What stands under a key inside a section; components under other keys are taken for those of the key above."""
_DATALOADER: Arguments = {
    **arguments_of(DataLoader),
    **dict.fromkeys(('dataset', 'sampler'), Any),
    **dict.fromkeys(('batch_size', 'num_batch_per_epoch', 'prefetch_factor'), int | None),
    **dict.fromkeys(('drop_last', 'pin_memory', 'persistent_workers'), bool),
    'num_workers': int,
    'timeout': float,
    'disable_subprocess_warning': bool,
}
_MULTIPLIERS = ('bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult', 'flat_decay_mult')
_RANDOMNESS = {
    **{key: hint for key, hint in arguments_of(Runner.set_randomness).items() if key != 'self'},
    **{'seed': int | None, 'diff_rank_seed': bool, 'deterministic': bool},  # mmengine does not annotate them all
}
_PROCESSES = {key: hint for key, hint in arguments_of(set_multi_processing).items() if key != 'distributed'}
_PLAIN: dict[str, Arguments] = {
    'train_dataloader': _DATALOADER,
    'val_dataloader': _DATALOADER,
    'test_dataloader': _DATALOADER,
    'randomness': _RANDOMNESS,
    'env_cfg': {'cudnn_benchmark': bool, 'mp_cfg': dict, 'dist_cfg': dict, 'resource_limit': int},
    'mp_cfg': _PROCESSES,
    'auto_scale_lr': {'enable': bool, 'base_batch_size': int},
    'custom_imports': arguments_of(import_modules_from_strings),
    'paramwise_cfg': {
        **dict.fromkeys((*_MULTIPLIERS, 'dcn_offset_lr_mult'), float | None),
        'custom_keys': dict,
        'bypass_duplicate': bool,
    },
}
"""The keys of dicts that are no components."""
_TOP_LEVEL = {**arguments_of(Runner), 'work_dir': str | None}
_DEFAULT_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


def check_sections(cfg: Mapping[str, Any], name: str) -> None:
    """Check every section of a config that the Runner reads.

    Raises:
        ConfigError: A dict has a key without meaning or lacks one that is needed, or a value is of another type than
            is asked for.
        UnknownComponentError: A component is not registered.
    """
    for key, value in cfg.items():
        where = f'{name}: {key}'
        if key in _TOP_LEVEL and (value is None or key not in SECTIONS):
            _check_value(where, value, _TOP_LEVEL[key], '')
        if value is None:
            continue
        if key in SECTIONS:
            _check_part(where, value, SECTIONS[key])
        elif key in _PLAIN:
            _check_plain(where, value, key)
        elif key == 'train_cfg':
            _check_train_cfg(where, value)
        elif key in ('val_evaluator', 'test_evaluator'):
            _check_evaluator(where, value)
        if key == 'default_hooks':
            _check_names_of_hooks(where, value)


def _check_train_cfg(where: str, config: Mapping) -> None:
    if 'type' not in config:
        if 'by_epoch' not in config:
            raise ConfigError(f"{where} has neither 'type' nor 'by_epoch': write type='EpochBasedTrainLoop'.")
        kind = 'EpochBasedTrainLoop' if config['by_epoch'] else 'IterBasedTrainLoop'
        config = {'type': kind, **{key: value for key, value in config.items() if key != 'by_epoch'}}
    _check_part(where, config, Part(registries.LOOPS))


def _check_evaluator(where: str, config: Any) -> None:
    """Accept what mmengine does: an evaluator, or nothing but its metric or metrics."""
    if isinstance(config, Mapping) and ('metrics' in config or config.get('type') in _names(registries.EVALUATORS)):
        _check_part(where, config, Part(registries.EVALUATORS, default='MTLEvaluator'))
        if not {'metrics', 'evaluators'} & config.keys():
            raise ConfigError(f"{where}: {config['type']} needs 'metrics', a list of metrics.")
    else:
        _check_part(where, config, _PARTS['metrics'])


def _check_names_of_hooks(where: str, config: Mapping) -> None:
    for key in config:
        near = [] if key in _DEFAULT_HOOKS else nearest(str(key), _DEFAULT_HOOKS, n=1, cutoff=0.75)
        if near:
            raise ConfigError(
                f'{where}: {key!r} would be a hook beside {near[0]!r}. Did you mean {near[0]!r}? '
                'Other hooks go into custom_hooks.'
            )


def _check_plain(where: str, config: Any, kind: str) -> None:
    if not isinstance(config, Mapping):
        raise ConfigError(f'{where} must be a dict, but is {config!r}.')
    _check_arguments(where, config, _PLAIN[kind])
    _check_below(where, config, None)


def _check_part(where: str, node: Any, part: Part) -> None:
    """Check the components that stand under one key."""
    if isinstance(node, Mapping):
        is_named = 'dict' in part.forms and 'type' not in node
        if is_named and not (part.default and 'constructor' not in node):
            inner = part._replace(forms=('one', 'list') if 'list' in part.forms else ('one',))
            for key, value in node.items():
                if value is not None and key != 'constructor':
                    _check_part(f'{where}.{key}', value, inner)
        elif 'type' in node or part.default:
            _check_component(where, node, part)
        else:
            kinds = did_you_mean('type', map(str, node)) if nearest('type', map(str, node)) else ''
            raise ConfigError(f"{where} has no 'type', which names the {part.registry.name}.{kinds}")
    elif isinstance(node, (list, tuple)) and 'list' in part.forms:
        for i, value in enumerate(node):
            _check_part(f'{where}.{i}', 'None' if value is None else value, part._replace(forms=('one',)))
    elif isinstance(node, (list, tuple, str, bool, int, float)):
        example = "dict(type='...', ...)"
        forms = {'one': example, 'list': f'[{example}, ...]', 'dict': f'dict(name={example})'}
        wanted = ' or '.join(forms[form] for form in part.forms)
        raise ConfigError(f'{where} must be {wanted}, which names a {part.registry.name}, but is {node!r}.')


def _check_below(where: str, config: Mapping, registry: Registry | None) -> None:
    """Check what stands under the keys of one dict."""
    for key, value in config.items():
        place = f'{where}.{key}'
        if value is None or (key == 'override' and registry is registries.WEIGHT_INITIALIZERS):
            continue
        if registry is registries.HOOKS:
            _check_nested(place, value, registry)
        elif key == 'clip_grad' and isinstance(value, Mapping):
            _check_clip_grad(place, value)
        elif key in _PLAIN:
            _check_plain(place, value, key)
        elif key in _PARTS:
            _check_part(place, value, _PARTS[key])
        else:
            _check_nested(place, value, registry)


def _check_nested(where: str, node: Any, registry: Registry | None) -> None:
    """Look for components below a key of unknown meaning."""
    if isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            _check_nested(f'{where}.{i}', value, registry)
    elif isinstance(node, Mapping):
        if registry is not None and isinstance(node.get('type'), str):
            _check_component(where, node, Part(registry))
        else:
            _check_below(where, node, registry)


def _check_component(where: str, config: Mapping, part: Part) -> None:
    registry, kind = part.registry, config.get('type', part.default)
    if inspect.isclass(kind):
        component: Any = kind
        kind = kind.__name__
    elif not isinstance(kind, str):
        raise ConfigError(f'{where}.type must be the name of a {registry.name}, but is {kind!r}.')
    else:
        try:
            component = registry.get(kind)
        except registries.UnknownComponentError as error:
            raise registries.UnknownComponentError(f'{where}: {error}') from None
        except ImportError as error:
            raise ImportError(f'{where}: {error}') from error
    for key in part.needed:
        if config.get(key) is None:
            raise ConfigError(f'{where} has no {key!r}.{did_you_mean(key, map(str, config))}')
    is_foreign = kind.partition('.')[0] in registries.FOREIGN_PACKAGES
    arguments, takes_others = known_arguments(component)
    if is_foreign:
        arguments = dict.fromkeys(arguments, Any)
    arguments = {**arguments, **part.added}
    if takes_others:  # what is spelt nearly like a known one is a mistake all the same
        others = [key for key in config if key not in arguments and not nearest(str(key), arguments, cutoff=0.8)]
        arguments.update(dict.fromkeys(others, Any))
    _check_arguments(where, config, arguments, kind)
    if not is_foreign:
        _check_below(where, config, registry)


def _check_clip_grad(where: str, config: Mapping) -> None:
    kinds = {'norm': clip_grad_norm_, 'value': clip_grad_value_}
    kind = config.get('type', 'norm')
    if kind not in kinds:
        raise ConfigError(f"{where}.type must be 'norm' or 'value', but is {kind!r}.")
    accepted = {key: Any for key in arguments_of(kinds[kind]) if key != 'parameters'}
    number = {'max_norm': float, 'clip_value': float, 'norm_type': float}
    _check_arguments(where, config, {key: number.get(key, hint) for key, hint in accepted.items()}, f'{kind!r}')


def _check_arguments(where: str, config: Mapping, arguments: Arguments, owner: str = '') -> None:
    for key, value in config.items():
        if key in ('type', '_scope_'):
            continue
        if key == '_delete_':
            raise ConfigError(f'{where}: _delete_ replaces what a base config has there, but no base has it.')
        if key not in arguments:
            what = f'{where}: {owner} has no argument' if owner else f'{where} has no key'
            raise ConfigError(f'{what} {key!r}.{did_you_mean(str(key), arguments)}')
        _check_value(f'{where}.{key}', value, arguments[key], f' of {owner}' if owner else '')


def _check_value(where: str, value: Any, hint: Any, owner: str) -> None:
    if not fits(value, hint):
        near = ''
        if isinstance(value, str) and getattr(hint, '__origin__', None) is Literal:
            near = did_you_mean(value, [str(choice) for choice in hint.__args__])
        raise ConfigError(f'{where}{owner} must be {expected(hint)}, but is {_short(value)}.{near}')


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f'{text[:97]}...'


def _names(registry: Registry) -> set[str]:
    registry.import_from_location()
    return {str(name) for name in registry.known()}
