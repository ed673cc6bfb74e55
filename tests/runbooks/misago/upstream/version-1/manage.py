#!/usr/bin/env python
"""Administrative commands."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "misagoforumorg.settings")
execute_from_command_line(sys.argv)
