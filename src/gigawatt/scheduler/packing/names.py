"""What the packing policies are called. Nothing else is loaded to know it."""

LEAST_WASTE = "least-waste"
FGD = "fgd"
BEST_FIT = "best-fit"
DOT_PRODUCT = "dot-product"
GPU_PACKING = "gpu-packing"
GPU_CLUSTERING = "gpu-clustering"
RANDOM = "random"

POLICIES = (LEAST_WASTE, FGD, BEST_FIT, DOT_PRODUCT, GPU_PACKING, GPU_CLUSTERING, RANDOM)
DEFAULT = LEAST_WASTE
