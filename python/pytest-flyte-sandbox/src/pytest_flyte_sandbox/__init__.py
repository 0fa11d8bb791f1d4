"""Tests against a Flyte of their own; the fixtures are in pytest_flyte_sandbox.plugin."""

from .sandbox import FlyteSandbox, SandboxError

__all__ = ["FlyteSandbox", "SandboxError"]
