"""What the processes of one service share, beside their socket."""

SHARED_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it too, when imported
