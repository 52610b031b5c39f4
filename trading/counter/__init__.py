"""What every door shares: who is asking, strict bodies, verbs as routes, refusals as problem details."""
