"""What the Snakefile asks: files, parameters, resources, estimates, queues.

It knows nothing of numbers; rules run the commands in `largestep.stages`.
"""
