"""The engine: tensors, operations with their derivatives, the backward pass. It knows NumPy alone."""
