"""An example of a package that adds a method to mtlbox. Importing it registers its components."""

from example_project.soft_gate import SoftGate

__all__ = ['SoftGate']
