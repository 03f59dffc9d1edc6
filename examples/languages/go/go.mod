module tutorial

go 1.17
