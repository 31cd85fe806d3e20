"""From a run to its record, and from the record to the circuit. It knows the engine and modules."""
