"""What the commands do, callable from Python: compare, evaluate, build, verify."""
