"""Named evaluation protocols: what exactly a score means.

Families of papers compute scores of the same name differently. A protocol names one definition; a score is shown with
its protocol, and scores of different protocols are never compared.
"""

from mtlbox.evaluation.protocols.kinds import (
    BoundaryLossProtocol,
    BoundaryProtocol,
    DepthProtocol,
    EdgeProtocol,
    NormalsProtocol,
    Protocol,
    SaliencyProtocol,
    SegProtocol,
)
from mtlbox.evaluation.protocols.known import PROTOCOLS, canonical_name, describe_protocols, get_protocol

__all__ = [
    'PROTOCOLS',
    'BoundaryLossProtocol',
    'BoundaryProtocol',
    'DepthProtocol',
    'EdgeProtocol',
    'NormalsProtocol',
    'Protocol',
    'SaliencyProtocol',
    'SegProtocol',
    'canonical_name',
    'describe_protocols',
    'get_protocol',
]
