"""Settings of small networks, for tests and scripts that build one of each space."""

SMALL = {
    "darts": {"channels": 4, "cells": 3},
    "dense-cell": {"channels": 4, "cells": 2, "stem_stride": 2},
    "hierarchical": {"stem_stride": 2},
    "mobilenet": {"width_percent": 10, "stem_stride": 1},
    "nasbench101": {"channels": 12, "modules": 1},
    "nasbench201": {"channels": 4, "cells": 1},
    "nasbench-macro": {"channels": 4},
    "transnas-macro": {"channels": 8},
    "transnas-micro": {"channels": 8},
}
GRAPH_NETWORKS = {"gnn-design", "graphgym", "nas-bench-graph"}
