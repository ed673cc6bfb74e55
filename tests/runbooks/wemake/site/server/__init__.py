"""A small site made from the template."""
