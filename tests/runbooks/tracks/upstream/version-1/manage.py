#!/usr/bin/env python
"""Administrative commands. tracks.settings decides by PRODUCTION; nothing is hard-coded here."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracks.settings")
execute_from_command_line(sys.argv)
