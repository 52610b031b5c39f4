"""What judges a simulated tender: the fifteen invariants, counted again from the rows and the simulator's own book."""
