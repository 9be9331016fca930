"""nobody watches."""

from harness.watching import watch

watch(lambda performance: lambda: None)
