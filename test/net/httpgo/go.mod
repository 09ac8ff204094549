module httpgo

go 1.25
