module kubewharf/judges/empty
go 1.26
