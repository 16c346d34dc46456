"""A simulator of the Unitree Go2 as a WebRTC client meets it: signaling, WebRTC, topics, requests, camera, sound and LiDAR.

Run it with `PYTHONPATH=Tests/Go2Simulator .venv/bin/python -m go2_simulator`; README.md lists its options, faults and control port.
"""
