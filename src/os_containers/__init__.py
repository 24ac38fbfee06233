"""Host services as OCI containers, stored in OSTree, run by systemd."""
