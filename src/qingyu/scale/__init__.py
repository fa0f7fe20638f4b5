"""Many machines, on Ray (extra `ray`): batch jobs as a Ray Data pipeline, HTTP as Ray Serve."""
