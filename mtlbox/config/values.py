"""Whether a value of a config can be what a constructor's annotation says."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union

Arguments = dict[str, Any]
"""The arguments of a constructor or function by name: their annotations, ``Any`` where there is none."""

_WORDS: dict[Any, str] = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    str: 'a string',
    type(None): 'None',
}


def arguments_of(component: Any) -> Arguments:
    """Return the arguments of a class or function, those included that a class passes on."""
    return known_arguments(component)[0]


def known_arguments(component: Any) -> tuple[Arguments, bool]:
    """Return the arguments of a class or function, and whether it may take others as well."""
    if not inspect.isclass(component):
        return _parameters(component) if callable(component) else ({}, True)
    arguments: Arguments = {}
    for cls in component.__mro__:
        if '__init__' not in vars(cls):
            continue
        try:
            own, passes_on = _parameters(cls.__init__)
        except ValueError:
            break
        arguments = {**own, **arguments}
        if not passes_on:
            return arguments, False
    return arguments, True


def _parameters(function: Callable) -> tuple[Arguments, bool]:
    """Return the arguments of one function, and whether it takes others as well."""
    parameters = inspect.signature(function).parameters.values()
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # an annotation that only type checkers can resolve
        hints = {}
    named = {}
    for p in parameters:
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != 'self':
            hint = hints.get(p.name, Any)
            named[p.name] = hint if p.default is not None or hint is Any else Union[hint, None]  # noqa: UP007
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def expected(hint: Any) -> str:
    """Say in words what ``hint`` asks for."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if _is_union(hint):
        plain = [part for part in parts if _is_plain(part)] or parts
        return ' or '.join(dict.fromkeys(expected(part) for part in plain))
    if origin is Literal:
        return 'one of ' + ', '.join(map(repr, parts))
    kind = origin or hint
    if kind in _WORDS:
        return _WORDS[kind]
    if inspect.isclass(kind) and issubclass(kind, Mapping):
        return 'a dict'
    if _is_sequence(kind):
        inner = [part for part in parts if part is not Ellipsis]
        if kind is tuple and inner and Ellipsis not in parts:
            return f'a list of {len(inner)}'
        return 'a list'
    return getattr(kind, '__name__', str(kind))


def fits(value: Any, hint: Any) -> bool:
    """Say whether ``value`` may be given where ``hint`` is annotated; in doubt it may.

    A number without a fraction is a whole number, a tuple a list, and 0 and 1 are False and True. An annotation that
    names a class other than Python's own says nothing: an object is built from a dict.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if _is_union(hint):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    kind = origin or hint
    if kind is bool:
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))
    if kind is int:
        return not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value))
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, (int, float))
    if kind is str:
        return isinstance(value, str)
    if kind is type(None):
        return value is None
    if not inspect.isclass(kind) or kind is object:
        return True
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping)
    if _is_sequence(kind):
        return _fits_sequence(value, kind, parts)
    return value is not None


def _fits_sequence(value: Any, kind: Any, parts: tuple) -> bool:
    if not isinstance(value, (list, tuple, range)):
        return False
    inner = [part for part in parts if part is not Ellipsis]
    if kind is tuple and inner and Ellipsis not in parts:
        return len(value) == len(inner) and all(fits(item, part) for item, part in zip(value, inner))
    return not inner or all(fits(item, inner[0]) for item in value)


def _is_plain(hint: Any) -> bool:
    """Say whether ``hint`` is of Python's own types, and not of a class that is built."""
    kind = typing.get_origin(hint) or hint
    return (
        kind in _WORDS or kind is Literal or _is_sequence(kind) or (inspect.isclass(kind) and issubclass(kind, Mapping))
    )


def _is_sequence(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, Sequence) and kind is not str


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (Union, types.UnionType)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
