"""Tasks with a known answer: beside each stands the figure that chance, a proof or a simpler model gives,
so that a trained network's loss says what the network has learnt.
"""
