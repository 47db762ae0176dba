# Placeholder until the test programs stand (tests/).
