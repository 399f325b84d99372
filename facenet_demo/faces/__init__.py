"""From a photo to aligned faces: shared by training and by inference, so both see the same."""
