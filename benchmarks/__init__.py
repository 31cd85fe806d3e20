"""How fast the engine is and how much memory it takes, beside its peers: ``python -m benchmarks --help``."""

import os

# One thread for everybody: these matrices are too small to share out. Read when NumPy or PyTorch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
