"""What the tools and Python users call."""

from mtlbox.apis.arguments import CfgOptions
from mtlbox.apis.errors import exit_on_user_error
from mtlbox.apis.inferencer import MTLInferencer

__all__ = ['CfgOptions', 'MTLInferencer', 'exit_on_user_error']
