"""Plots of data and predictions: galleries, confusion matrices, mistakes, heatmaps.

Example:

    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1))
    cornu.visualization.plot_image_gallery(images, value_range=(0, 255), path="images.png")
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.visualization.confusion import plot_confusion_matrix
from cornu.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks
from cornu.visualization.galleries import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)
from cornu.visualization.heat import grad_cam, plot_grad_cam
from cornu.visualization.mistakes import plot_worst_mistakes

__all__ = [
    "draw_bounding_boxes", "draw_segmentation_masks", "grad_cam", "plot_bounding_box_gallery", "plot_confusion_matrix",
    "plot_grad_cam", "plot_image_gallery", "plot_segmentation_mask_gallery", "plot_worst_mistakes",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
