"""Search methods: they propose architectures and are told the results."""
