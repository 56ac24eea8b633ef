"""In place of main.py: what of the heap is taken before a device's program begins, the chip's own modules included.

Part of the benchmarks, never of a device.
"""

import gc
import machine  # noqa: F401
import network  # noqa: F401

gc.collect()
print("PROBE", gc.mem_alloc())
