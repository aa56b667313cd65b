"""Files that are no pictures, or not whole ones."""

import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def bad_files(folder):
    """One file of each bad kind -> {name: expected reason}."""
    buffer = io.BytesIO()
    detailed = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    expected = {}
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(detailed).save(buffer, kind)
        name = f"half.{kind.lower()}"
        (folder / name).write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        expected[name] = "cut short"
    expected["half.webp"] = "cut short or damaged"
    # A thumbnail's own end mark must not pass for the picture's.
    exif = b"Exif\0\0" + b"\xff\xd8\xff\xda\0\0\xff\xd9"
    buffer = io.BytesIO()
    Image.fromarray(detailed).save(buffer, "JPEG", exif=exif)
    (folder / "thumbnail.jpg").write_bytes(buffer.getvalue()[:2000])
    expected["thumbnail.jpg"] = "cut short"
    # libpng writes about this one straight to the terminal.
    buffer = io.BytesIO()
    Image.fromarray(detailed).save(buffer, "PNG")
    damaged = bytearray(buffer.getvalue())
    damaged[200:260] = bytes(60)
    (folder / "damaged.png").write_bytes(damaged)
    expected["damaged.png"] = "damaged"
    (folder / "empty.jpg").touch()
    expected["empty.jpg"] = "an empty file"
    (folder / "text.png").write_text("not a picture at all, but long enough to look like one")
    expected["text.png"] = "not a picture that can be read"
    (folder / "zeros.jpg").write_bytes(bytes(1000))
    expected["zeros.jpg"] = "not a picture that can be read"
    (folder / "folder.jpg").mkdir()
    expected["folder.jpg"] = "a folder, not a file"
    # 60,000 x 60,000 pixels in a header of a few bytes.
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    header += struct.pack(">I", zlib.crc32(header))
    png = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header
    (folder / "huge.png").write_bytes(png + b"\0\0\0\0IEND\xaeB`\x82")
    expected["huge.png"] = "larger than 120 megapixels"
    if sys.platform != "win32":
        (folder / "nowhere.jpg").symlink_to(folder / "missing.jpg")
        expected["nowhere.jpg"] = "a broken link"
        os.mkfifo(folder / "pipe.jpg")
        expected["pipe.jpg"] = "not a regular file"
        if os.geteuid() != 0:  # root may read everything
            Image.new("RGB", (60, 40)).save(folder / "locked.png")
            (folder / "locked.png").chmod(0)
            expected["locked.png"] = "cannot be opened: Permission denied"
    return expected
