"""What tests of several folders share: models that compute nothing, services, jobs."""
