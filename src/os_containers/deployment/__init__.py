"""Stage 3: one container on disk: its values, its OCI bundle, its record, its deployments."""
