module trainingrun.dev/cluster/cluster-tools

go 1.25.0
