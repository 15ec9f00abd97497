"""What must survive a restart: leases and their checkpoints."""
