"""What a protocol of each kind fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One definition of a family of scores.

    Attributes:
        kind: What is scored; two protocols of different kinds may have one name.
        metric: Name of the metric that takes protocols of this kind.
        name: Its name in configs, result files and tables.
        description: One paragraph: what is counted and how it is averaged.
        source: Whose papers or code use it.
        aliases: Other spellings that are accepted.
    """

    kind: ClassVar[str]
    metric: ClassVar[str]
    name: str
    description: str
    source: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SegProtocol(Protocol):
    """A protocol of class maps.

    Attributes:
        absent: What a class counts that is neither predicted nor present: 'zero', or 'skip' to leave it out.
        needs_foreground: Whether images without a true pixel of a class above 0 are left out.
    """

    kind = 'segmentation'
    metric = 'SegMetric'
    absent: str
    needs_foreground: bool = False


@dataclass(frozen=True, kw_only=True)
class DepthProtocol(Protocol):
    """A protocol of depth maps.

    Attributes:
        pooling: 'pixel' averages over valid pixels of the data set, 'image' over images.
        valid_range: (low, high), both exclusive, in metres: the true depths that count.
    """

    kind = 'depth'
    metric = 'DepthMetric'
    pooling: str
    valid_range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class NormalsProtocol(Protocol):
    """A protocol of surface normals.

    Attributes:
        angle: Formula of the angle between two unit vectors, 'atan2' or 'arccos'.
    """

    kind = 'normals'
    metric = 'NormalsMetric'
    angle: str


@dataclass(frozen=True, kw_only=True)
class SaliencyProtocol(Protocol):
    """A protocol of saliency maps.

    Attributes:
        thresholds: Probabilities at which predictions are cut.
        strict: Whether a salient pixel is above the threshold, or else at or above it.
        pooling: 'image' averages IoU, precision and recall over images; 'pixel' takes precision and recall from counts
            over the data set.
        beta_squared: Weight of recall against precision in F.
        scores: Names of the scores that are defined.
    """

    kind = 'saliency'
    metric = 'SaliencyMetric'
    thresholds: tuple[float, ...]
    strict: bool
    pooling: str
    beta_squared: float
    scores: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BoundaryProtocol(Protocol):
    """A protocol of boundaries, scored by one-to-one matching.

    Attributes:
        thresholds: Probabilities at which predictions are cut, ascending.
        max_distance: Largest distance of a matched pair, as a share of the image's diagonal.
        nms_radius: Radius of the non-maximum suppression in pixels; None for none.
        thin_truth: Whether the ground truth is thinned.
        resegment_truth: Whether the ground truth is first replaced by the boundaries of the regions in it.
        interpolate: Whether the best F is looked for between thresholds too.
    """

    kind = 'boundary'
    metric = 'BoundaryMetric'
    thresholds: tuple[float, ...]
    max_distance: float
    nms_radius: int | None
    thin_truth: bool = True
    resegment_truth: bool = False
    interpolate: bool = False

    @property
    def counting(self) -> dict[str, Any]:
        """What ``boundary_counts`` takes beside the maps."""
        names = ('thresholds', 'max_distance', 'nms_radius', 'thin_truth', 'resegment_truth')
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class BoundaryLossProtocol(Protocol):
    """A protocol that takes a validation loss as the score of boundaries.

    Attributes:
        pos_weight: Weight of boundary pixels in 0..1, other pixels have the rest of 1; None for the share of pixels
            that are no boundary.
        second_sigmoid: Whether a sigmoid is applied to the predicted probability once more.
    """

    kind = 'boundary loss'
    metric = 'BoundaryLossMetric'
    pos_weight: float | None
    second_sigmoid: bool


@dataclass(frozen=True, kw_only=True)
class EdgeProtocol(Protocol):
    """A protocol of regressed edge strengths.

    Attributes:
        threshold: Strength at and above which a pixel is an edge, in prediction and truth.
    """

    kind = 'edge'
    metric = 'EdgeMetric'
    threshold: float
