"""`trainingrun dashboard`: a page on 127.0.0.1 that shows runs, with the rights of the user's kubeconfig."""
