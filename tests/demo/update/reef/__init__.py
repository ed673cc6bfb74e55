"""A small site on which divers' buoys report what they see."""

VERSION = 2
