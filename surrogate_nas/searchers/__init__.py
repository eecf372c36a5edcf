"""Search methods: they propose architectures and are told what came of it."""
