"""What networks are made of: modules, initial values, optimisers, checkpoints. It knows the engine."""
