"""Containers as packages of a distribution, made by its own tools from what a deployment consists of."""
