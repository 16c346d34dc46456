// PocketSphinx: the built-in recogniser (used by Conversation/Hearing).
#pragma once
#include <pocketsphinx.h>
