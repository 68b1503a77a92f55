"""The engine of torch alone: a Llama with transformers' names, DDP or FSDP2, checkpoints of torch's own format."""
