// ZeroMQ: the engines' sockets (used by Networking/ZeroMQ).
#pragma once
#include <zmq.h>
