"""What was seen and done is told here: OpenTelemetry, callbacks, effectiveness."""
