// libyaml: the configuration file (used by AvatarStreamer/Configuration).
#pragma once
#include <yaml.h>
