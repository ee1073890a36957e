"""Operations on images."""

from cornu.ops.color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from cornu.ops.filtering import extract_patches, extract_patches_3d, gaussian_blur, sobel_edges, ssim
from cornu.ops.patches import reconstruct_patches
from cornu.ops.resampling import (
    affine_transform,
    crop_images,
    elastic_transform,
    map_coordinates,
    pad_images,
    perspective_transform,
    resize,
    scale_and_translate,
)

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "reconstruct_patches",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]
