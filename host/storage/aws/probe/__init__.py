"""What AWS does where its stand-ins cannot tell: asked in a real account, on a hub of scratch."""
