"""Indices of the 468 mesh points that outline the parts of a face.

The mesh has MediaPipe's canonical face topology. All lists of eyes and mouth run from the image's
left to its right, so points with the same index in two lists are opposite each other.
"""

from dataclasses import dataclass

MESH_POINTS = 468

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Outline of the face, clockwise in the image from the middle of the forehead."""

LEFTMOST = 234
RIGHTMOST = 454
CHIN = 152

MOUTH_CORNERS = (61, 291)
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324,
             96, 89, 179, 86, 15, 316, 403, 319, 325,
             77, 90, 180, 85, 16, 315, 404, 320, 307,
             146, 91, 181, 84, 17, 314, 405, 321, 375)  # fmt: skip
UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308,
             62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292,
             76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306,
             61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)  # fmt: skip


@dataclass(frozen=True)
class EyeOutline:
    """Lines of nine points around one eye: below the brow, above the lashes, edges of the lids."""

    below_brow: tuple[int, ...]
    crease: tuple[int, ...]
    upper: tuple[int, ...]
    lower: tuple[int, ...]


RIGHT_EYE = EyeOutline(
    below_brow=(226, 113, 225, 224, 223, 222, 221, 189, 244),
    crease=(130, 247, 30, 29, 27, 28, 56, 190, 243),
    upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
    lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
)
"""The person's own right eye, on the left of an image that is not mirrored."""

LEFT_EYE = EyeOutline(
    below_brow=(464, 413, 441, 442, 443, 444, 445, 342, 446),
    crease=(463, 414, 286, 258, 257, 259, 260, 467, 359),
    upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
    lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
)
"""The person's own left eye."""
