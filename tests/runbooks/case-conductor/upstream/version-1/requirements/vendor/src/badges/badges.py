"""The name in the corner of every page; found only where the vendor library's .pth files are read."""

NAME = "Case Conductor"
