"""What is made of a gang that hangs: what each pod leaves of it, and what all of it says."""
