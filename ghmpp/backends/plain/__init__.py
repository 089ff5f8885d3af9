"""A network by plain operations that tracers follow: what exported files are made from."""
