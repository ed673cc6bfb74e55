#!/usr/bin/env python3
import os
import sys

from cc import vendor

if __name__ == "__main__":
    vendor.add()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cc.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
