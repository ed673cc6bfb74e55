"""A small site on which divers upload images of the reef, to be annotated by the workers."""

VERSION = 1
