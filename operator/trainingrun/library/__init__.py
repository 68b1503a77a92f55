"""Runs from Python, with the rights of the user's kubeconfig; `from trainingrun import Client` imports it."""
