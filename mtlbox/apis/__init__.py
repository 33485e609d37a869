"""What the tools and Python users call."""

from mtlbox.apis.errors import exit_on_user_error
from mtlbox.apis.inferencer import MTLInferencer

__all__ = ['MTLInferencer', 'exit_on_user_error']
