"""Diffusion models for any linear corruption: x_t = C_t x_0 + sigma_t eta."""

__version__ = "0.1.0"
