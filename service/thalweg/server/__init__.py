"""The job service: a durable store, one process per attempt, and the RPCs that speak for them."""
