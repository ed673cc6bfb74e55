from .default import *
from .local import *
