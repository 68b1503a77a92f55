"""The folders that runs share, seen from a pod on the volume: what is there, and taking away what nobody refers to."""
