"""Simulation of a challenge by screen light: does the face answer the colours of the screen?"""
