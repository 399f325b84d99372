"""The lecture's first hours: a neuron, logic gates, activations, planes, a small network."""
