"""The version, alone, so that --version and the build read it without importing anything else."""

VERSION = "0.1.0"
